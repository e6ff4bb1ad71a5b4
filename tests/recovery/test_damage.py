"""Files of a checkpoint that are cut off, changed or not Flower's: each is told by name, and the one before is used."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from recovery_faults import Death
from recovery_job import outcome, prepare, run

import flower as fl
from flower.cli import main
from flower.engine import ledger, parts, recovery
from flower.engine.embedded import Driver, Options
from flower.engine.inspection import inspect
from flower.errors import FlowerError, RunError
from flower.io.journal import JournalReader, JournalWriter


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A job that was killed in the middle, its checkpoint's parts in files of their own, and what comes of it."""
    directory = tmp_path_factory.mktemp("job")
    prepare(directory / "source")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "SMALL", 0)
        expected = outcome(run(directory / "source", directory / "expected", None), directory / "expected")
        patch.setattr(recovery.Recovery, "commit", killing(recovery.Recovery.commit, epoch=10))
        with pytest.raises(Death):
            run(directory / "source", directory / "killed", directory / "killed" / "c")
    return directory, expected


def killing(real: Callable[..., None], epoch: int) -> Callable[..., None]:
    """Dies when an epoch has been committed."""

    def commit(self: Any, job: Any, planned: Any, staged: Any) -> None:
        real(self, job, planned, staged)
        if planned.epoch == epoch:
            raise Death

    return commit


@pytest.fixture
def killed(job: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    """A copy of it, in the place where it was."""
    directory = job[0]
    if not (directory / "kept").exists():
        shutil.copytree(directory / "killed", directory / "kept")
    shutil.rmtree(directory / "killed")
    shutil.copytree(directory / "kept", directory / "killed")
    return directory / "killed"


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flip(data: bytes) -> bytes:
    at = random.Random(len(data)).randrange(len(data))
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


DAMAGES = [cut, flip, lambda data: b"", lambda data: b"PK\x03\x04 another file"]
IDS = ["cut", "flipped", "empty", "foreign"]


@pytest.mark.parametrize("damage", DAMAGES, ids=IDS)
@pytest.mark.parametrize("kind", ["checkpoints", "parts"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(
    killed: Path, job: tuple[Path, dict[str, Any]], kind: str, damage: Callable[[bytes], bytes]
) -> None:
    checkpoint = killed / "c"
    newest = max((checkpoint / "checkpoints").iterdir())
    before = min((checkpoint / "checkpoints").iterdir())
    hurt = newest
    if kind == "parts":
        used = {name: inspect_parts(checkpoint, name) for name in (newest, before)}
        hurt = checkpoint / "parts" / sorted(used[newest] - used[before])[0]
    hurt.write_bytes(damage(hurt.read_bytes()))
    assert str(hurt) in str(inspect(checkpoint).damage)
    assert main(["checkpoints", str(checkpoint)]) == 1
    driver = run(job[0] / "source", killed, checkpoint)
    assert outcome(driver, killed) == job[1]
    (told,) = [note for note in driver.metrics.notes if "went back" in note]
    assert f"went back to the checkpoint of epoch {int(before.stem)}: " in told
    assert str(hurt) in told
    assert main(["checkpoints", str(checkpoint)]) == 0


def inspect_parts(checkpoint: Path, manifest: Path) -> frozenset[str]:
    return ledger.Reader(ledger.storage(checkpoint)).checkpoint(int(manifest.stem)).parts


def test_a_part_that_is_another_is_noticed(killed: Path) -> None:
    first, second, *_ = sorted((killed / "c" / "parts").iterdir())
    first.write_bytes(second.read_bytes())
    told = str(inspect(killed / "c").damage)
    assert f"{first.name}' must be as it was written; got the content of another file" in told


def test_where_no_checkpoint_is_whole_the_job_is_refused(killed: Path, job: tuple[Path, dict[str, Any]]) -> None:
    for each in (killed / "c" / "checkpoints").iterdir():
        each.write_bytes(flip(each.read_bytes()))
    with pytest.raises(RunError, match=r"must be whole to go on with it.*begin anew with another directory"):
        run(job[0] / "source", killed, killed / "c")


@pytest.mark.parametrize("damage", DAMAGES, ids=IDS)
def test_a_damaged_commit_is_refused_by_name_unless_a_later_one_stands(
    killed: Path, job: tuple[Path, dict[str, Any]], damage: Callable[[bytes], bytes]
) -> None:
    *_, earlier, last = sorted((killed / "c" / "commits").iterdir())
    whole = last.read_bytes()
    last.write_bytes(damage(whole))
    with pytest.raises(RunError, match=f"{last.name}' must be (as it was written|of format)"):
        run(job[0] / "source", killed, killed / "c")
    assert str(last) in str(inspect(killed / "c").damage)
    last.write_bytes(whole)
    earlier.write_bytes(damage(earlier.read_bytes()))
    driver = run(job[0] / "source", killed, killed / "c")
    assert outcome(driver, killed) == job[1]
    assert any("an epoch that is over was read from its plan" in note for note in driver.metrics.notes)


def test_a_damaged_plan_of_which_nothing_came_is_planned_anew(killed: Path, job: tuple[Path, dict[str, Any]]) -> None:
    plan = max((killed / "c" / "plans").iterdir())
    (killed / "c" / "commits" / plan.name).unlink(missing_ok=True)
    plan.write_bytes(cut(plan.read_bytes()))
    driver = run(job[0] / "source", killed, killed / "c")
    assert any("was planned anew" in note for note in driver.metrics.notes)
    assert driver.over()


def test_a_log_with_a_gap_is_refused(killed: Path, job: tuple[Path, dict[str, Any]]) -> None:
    name = sorted((killed / "c" / "commits").iterdir())[-2].name
    for kind in ("plans", "commits"):
        (killed / "c" / kind / name).unlink()
    with pytest.raises(RunError, match=f"must have every epoch from .* on; got none of epoch {int(name[:12])}"):
        run(job[0] / "source", killed, killed / "c")


def test_a_checkpoint_of_another_format_is_refused(killed: Path, job: tuple[Path, dict[str, Any]]) -> None:
    mark = killed / "c" / "job.json"
    mark.write_text(json.dumps({**json.loads(mark.read_text()), "flower": 99}))
    with pytest.raises(RunError, match=r"job.json' must be of format 1; got 99"):
        run(job[0] / "source", killed, killed / "c")
    for each in (killed / "c" / "checkpoints").iterdir():
        each.write_bytes(each.read_bytes().replace(b"FLOWER02", b"FLOWER99", 1))
    mark.write_bytes(ledger.record("job", json.loads(mark.read_text())["of"]))
    assert "format 99, where this version reads 02" in str(inspect(killed / "c").damage)


# -- the command


def test_the_command_describes_what_is_there(killed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["checkpoints", str(killed / "c")]) == 0
    printed = capsys.readouterr().out
    for told in (
        "attempt 1, started ",
        "plans of epochs ",
        "commits of epochs ",
        "checkpoint of epoch ",
        " parts",
        "  read-1: parquet 'source': position ",
        "  panes: by k: str: ",
        " groups, ",
        "watermark 2000-01-01T12:",
        "  sessions: by k: str: ",
        "  write-1: parquet sink ",
        "journal of 'read-2': ",
    ):
        assert told in printed


def test_the_command_says_of_a_directory_that_it_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["checkpoints", str(tmp_path)]) == 1
    assert "the directory of a run(checkpoint=...) is required" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


# -- journals


def journal(directory: Path, sizes: list[int]) -> JournalWriter:
    writer = JournalWriter(str(directory), durable=True)
    for size in sizes:
        writer.append(fl.read.frame(pd.DataFrame({"v": range(size)})).node.source.read(0, 0, size), 0)  # type: ignore[attr-defined]
    return writer


def test_a_journal_is_gone_on_with_behind_its_last_whole_entry(tmp_path: Path) -> None:
    journal(tmp_path, [3, 4]).close()
    (segment,) = tmp_path.iterdir()
    whole = segment.read_bytes()
    for size in range(8, len(whole)):
        for each in tmp_path.iterdir():
            each.unlink()
        segment.write_bytes(whole[:size])
        reader = JournalReader(str(tmp_path), "numbers")
        end, torn = reader.verify()
        writer = JournalWriter(str(tmp_path), durable=True)
        assert writer.end == end == (3 if size >= 8 + _entry(whole) else 0)
        writer.append(fl.read.frame(pd.DataFrame({"v": [9]})).node.source.read(0, 0, 1), 0)  # type: ignore[attr-defined]
        writer.close()
        again = JournalReader(str(tmp_path), "numbers")
        assert again.read(0, end + 1)["v"].to_pylist() == [*range(end), 9]
        assert again.verify() == (end + 1, 0)
        assert (torn > 0) == (size not in (8, 8 + _entry(whole)))


def _entry(whole: bytes) -> int:
    """Bytes of the first entry."""
    return 32 + int(np.frombuffer(whole[28:36], np.uint64)[0])


def test_a_changed_byte_of_a_journal_is_no_torn_end(tmp_path: Path) -> None:
    journal(tmp_path, [3, 4]).close()
    (segment,) = tmp_path.iterdir()
    data = segment.read_bytes()
    segment.write_bytes(data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
    with pytest.raises(FlowerError, match=r"must be as it was written; got a damaged entry at byte"):
        JournalReader(str(tmp_path), "numbers").verify()


def test_rows_that_no_checkpoint_needs_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flower.io.journal.SEGMENT_BYTES", 20)
    writer = journal(tmp_path, [3, 4, 5])
    writer.forget(6)
    assert sorted(int(each.stem) for each in tmp_path.iterdir()) == [3, 7]
    writer.forget(7)
    assert sorted(int(each.stem) for each in tmp_path.iterdir()) == [7]
    writer.close()
    again = JournalWriter(str(tmp_path), durable=True, needed=12)
    assert again.end == 12
    again.close()


# -- what is written


def test_a_checkpoint_writes_only_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "EPOCHS", 1)
    n = 40_000
    frame = pd.DataFrame({"t": pd.Timestamp("2000-01-01", tz="UTC"), "k": np.arange(n) % 20_000, "v": 1.0})
    frame.loc[frame.index[-1000:], "t"] += pd.Timedelta("1h")
    stream = fl.read.frame(frame, event_time="t", watermark=fl.BoundedDisorder("1D")).window(fl.FixedWindows("1h"))
    run = stream.groupby("k").agg(v=("v", "sum")).run(checkpoint=tmp_path / "c", epoch_rows=1000).pause()
    written, held = [], []
    for _ in range(37):
        run.step()
        written.append(run._driver._recovery._ledger.bytes_written)
        held.append(run.metrics.state_bytes)
    run.stop()
    assert held[-1] > 500_000
    assert sum(written) < 8 * held[-1] < sum(held)
    kept = sum(file.stat().st_size for file in (tmp_path / "c" / "parts").iterdir())
    assert kept < 4 * held[-1]
    assert run._driver._recovery._ledger.saved is None
    again = stream.groupby("k").agg(v=("v", "sum")).run(checkpoint=tmp_path / "c", epoch_rows=1000).wait()
    assert again.results["v"].sum() == n
    assert inspect(tmp_path / "c").damage == ()


def test_what_is_cut_off_a_run_says_where_it_was() -> None:
    frame = pd.DataFrame({"t": pd.Timestamp("2000-01-01", tz="UTC") + pd.to_timedelta(range(60), unit="s")})
    stream = fl.read.frame(frame, event_time="t", watermark=fl.BoundedDisorder("1h")).window(fl.FixedWindows("5s"))
    driver = Driver([stream.agg(n="count").node], Options.make(epoch_rows=50))
    plan = driver.next_epoch()
    assert plan is not None
    (state,) = driver.run(plan).state.keyed.values()
    driver.close()
    (run_,) = state.blind  # type: ignore[union-attr]
    for first in range(4):
        for second in range(1, 4):
            cut = run_.windows(first, 9).windows(second, 5)
            whole, at = cut.whole
            assert whole is run_
            assert whole.windows(at, at + len(cut.end)).end.tolist() == cut.end.tolist()
    assert dataclasses.replace(cut, groups=cut.groups).whole is None
    assert pickle.loads(pickle.dumps(cut)).whole is None
