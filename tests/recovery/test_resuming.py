"""What a person sees of a run with a checkpoint: stopping, going on, finishing, and what is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pausing import paused, some_epochs

import flower as fl
from flower.engine import recovery
from flower.engine.results import Results
from flower.errors import FlowerError, RunError, SourceError
from flower.graph.nodes import Read
from flower.graph.schema import columns_of
from flower.testing import ManualClock

START = pd.Timestamp("2000-01-01T12:00:00Z")


def frame(n: int = 60) -> pd.DataFrame:
    return pd.DataFrame({"t": START + pd.to_timedelta(range(n), unit="s"), "k": list("abc") * (n // 3), "v": range(n)})


def source(n: int = 60) -> fl.Stream:
    return fl.read.frame(frame(n), event_time="t").named("rows")


def totals(rows: fl.Stream | None = None, size: str = "10s", **how: Any) -> fl.Stream:
    windowed = (source() if rows is None else rows).window(fl.FixedWindows(size), **how)
    return windowed.groupby("k").agg(total=("v", "sum")).named("totals")


def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    stopped = some_epochs(totals(), tmp_path / "c")
    assert stopped.state == "stopped"
    assert 0 < stopped.metrics.rows_in < 60
    again = totals().run(checkpoint=tmp_path / "c", epoch_rows=6).wait()
    whole = totals().run(epoch_rows=6).wait()
    assert again.metrics.rows_in == 60
    assert again.metrics.epochs == whole.metrics.epochs
    pd.testing.assert_frame_equal(again.panes(), whole.panes())
    pd.testing.assert_frame_equal(again.results, whole.results)
    assert f"goes on behind epoch {stopped.metrics.epochs} of" in repr(again)


def test_a_job_that_is_finished_gives_its_results_and_does_nothing(tmp_path: Path) -> None:
    calls: list[int] = []

    def ticks(after: int) -> Iterator[dict[str, Any]]:
        calls.append(after)
        yield from frame(9).to_dict("records")

    def stream() -> Any:
        read = fl.read.generator(ticks, event_time="t", bounded=True, schema={"t": "datetime64[us, UTC]", "k": "str"})
        return read.window(fl.FixedWindows("10s")).groupby("k").agg(n="count").write.json_lines(tmp_path / "out")

    stream().run(checkpoint=tmp_path / "c").wait()
    before = sorted(os.listdir(tmp_path / "out"))
    again = stream().run(checkpoint=tmp_path / "c").wait()
    assert calls == [0]
    assert again.state == "finished"
    assert again.metrics.rows_in == 9
    assert sorted(os.listdir(tmp_path / "out")) == before
    assert "finished before, nothing was run" in repr(again)
    whole = totals().run(checkpoint=tmp_path / "d").wait().results
    pd.testing.assert_frame_equal(totals().run(checkpoint=tmp_path / "d").wait().results, whole)


def test_drain_finishes_a_job_and_stop_does_not(tmp_path: Path) -> None:
    some_epochs(totals(), tmp_path / "c")
    run = paused(totals(), tmp_path / "c")
    run.drain()
    assert run.metrics.groups == 0
    assert totals().run(checkpoint=tmp_path / "c").wait().metrics.rows_in == run.metrics.rows_in < 60


def test_ctrl_c_leaves_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = paused(totals(), tmp_path / "c").step(2)
    monkeypatch.setattr(run._done, "wait", lambda timeout: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run.wait(progress=False)
    assert run.state == "stopped"
    epochs = [int(name.partition(".")[0]) for name in os.listdir(tmp_path / "c" / "checkpoints")]
    assert max(epochs) == run.metrics.epochs == 2


def test_an_epoch_is_run_again_as_it_was_planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that resumes has another clock and larger epochs; what was committed is not planned anew."""
    monkeypatch.setattr(recovery, "EPOCHS", 10**9)

    def late() -> Any:
        trigger = fl.AfterWatermark(early=fl.AfterProcessingTime("1s"))
        return totals(trigger=trigger, accumulation="discarding").write.json_lines(tmp_path / "out")

    clock = ManualClock(START)
    run = paused(late(), tmp_path / "c", clock=clock)
    for _ in range(4):
        clock.advance("2s")
        run.step()
    plans = [(plan.now, plan.ranges) for plan in run._driver.log]
    monkeypatch.setattr(run._driver, "save", lambda finished: None)  # as if it had been killed
    run.stop()
    later = late().run(checkpoint=tmp_path / "c", epoch_rows=20, clock=ManualClock(START + pd.Timedelta("1h"))).wait()
    again = [(plan.now, plan.ranges) for plan in later._driver.log]
    assert again[: len(plans)] == plans
    assert len(again) > len(plans)
    sums = {}
    for line in lines(tmp_path / "out"):
        key = line["k"], line["window_start"]
        sums[key] = sums.get(key, 0) + line["total"]
    expected = frame().groupby(["k", pd.Grouper(key="t", freq="10s")])["v"].sum()
    assert sorted(sums.values()) == sorted(expected.tolist())


def lines(directory: Path) -> list[dict[str, Any]]:
    texts = [file.read_text() for file in sorted(directory.glob("run-*"))]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def test_a_function_gets_the_rows_of_the_last_epoch_again_and_none_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "EPOCHS", 10**9)
    seen: list[int] = []

    def stream() -> Any:
        return source().write.foreach(lambda rows: seen.append(int(rows["v"].iloc[0])))

    run = paused(stream(), tmp_path / "c")
    run.step(2)
    monkeypatch.setattr(run._driver, "save", lambda finished: None)
    done = run.stop().metrics.epochs
    assert seen == list(range(0, 6 * done, 6))
    stream().run(checkpoint=tmp_path / "c", epoch_rows=6).wait()
    assert seen == [*range(0, 6 * done, 6), *range(6 * (done - 1), 60, 6)]


def test_a_source_of_a_rate_goes_by_when_the_run_first_started(tmp_path: Path) -> None:
    def stream() -> fl.Stream:
        return fl.read.rate(1, start=START, rows=100)

    clock = ManualClock(START)
    run = paused(stream(), tmp_path / "c", 100, clock=clock)
    clock.advance("3s")
    run.step()
    assert run.stop().metrics.rows_in == 3
    run = paused(stream(), tmp_path / "c", 100, clock=ManualClock(START + pd.Timedelta("20s")))
    run.step()
    assert run.stop().metrics.rows_in == 20


class Growing:
    """A source of which partitions appear: each has 20 rows."""

    label, bounded = "growing", True

    def __init__(self, known: list[str]) -> None:
        self.known = known
        self.schema = fl.read.frame(frame()).schema

    def partitions(self) -> tuple[str, ...]:
        return tuple(self.known)

    def initial(self, partition: int) -> int:
        return 0

    def latest(self, partition: int, position: int, limit_rows: int, elapsed_us: int) -> int:
        return min(20, position + limit_rows)

    def ended(self, partition: int, position: int) -> bool:
        return position >= 20

    def read(self, partition: int, start: int, end: int, columns: tuple[str, ...] | None = None) -> pa.Table:
        rows = pa.Table.from_pandas(frame()[20 * partition :][start:end], schema=self.schema, preserve_index=False)
        return rows if columns is None else rows.select(list(columns))


def test_partitions_that_have_appeared_since_are_not_in_epochs_that_are_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "EPOCHS", 10**9)

    def stream(known: list[str]) -> Any:
        read = Read(Growing(known), "t", "UTC", None, fl.BoundedDisorder("0s"))
        return totals(fl.Stream(read).named("rows"), size="2s").write.json_lines(tmp_path / "out")

    run = paused(stream(["a"]), tmp_path / "c", epoch_rows=4)
    run.step(2)
    monkeypatch.setattr(run._driver, "save", lambda finished: None)
    before = run.stop()
    assert before.metrics.rows_out > 0
    again = stream(["a", "b"]).run(checkpoint=tmp_path / "c", epoch_rows=4).wait()
    assert again.metrics.rows_in == 40
    assert sum(line["total"] for line in lines(tmp_path / "out")) == sum(range(40))
    assert again.metrics.dropped == 0


# -- what may change, and what may not


def test_a_filter_may_be_inserted(tmp_path: Path) -> None:
    some_epochs(totals(), tmp_path / "c")
    run = totals(source().filter("v >= 0").assign(w="v + 1")).run(checkpoint=tmp_path / "c").wait()
    assert run.metrics.rows_in == 60
    assert run.results["total"].sum() == sum(range(60))


CHANGES: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: source().window(fl.FixedWindows("10s")).agg(total=("v", "sum")).named("totals"),
        "step 'totals': keys was k: str, and is ;",
    ),
    (lambda: totals(size="20s"), r"step 'totals': windows was FixedWindows\('10s'\), and is FixedWindows\('20s'\)"),
    (lambda: totals(allowed_lateness="5s"), "step 'totals': allowed_lateness was 0, and is 5000000"),
    (
        lambda: source().window(fl.FixedWindows("10s")).groupby("k").agg(total=("v", "mean")).named("totals"),
        "step 'totals': aggregates was total='sum' of v: int64, and is total='mean' of v: int64",
    ),
    (
        lambda: totals(source().assign(v="v / 2")),
        "step 'totals': aggregates was total='sum' of v: int64, and is total='sum' of v: float64",
    ),
    (lambda: totals().named("sums"), r"no step 'totals' any more \(an aggregation by k: str\); step 'sums' .* is new"),
    (lambda: totals(source(57).named("rows")), "step 'rows': source was frame of 60 rows, and is frame of 57 rows"),
    (
        lambda: totals(fl.read.frame(frame().assign(v=1), event_time="t").named("rows")),
        "step 'rows': rows was sha256 .*, and is sha256",
    ),
    (
        lambda: totals(fl.read.frame(frame(), event_time="t", watermark=fl.Monotonic()).named("rows")),
        "step 'rows': watermark policy was BoundedDisorder, and is Monotonic",
    ),
    (
        lambda: totals().window(fl.FixedWindows("1min")).agg(n=("total", "count")).named("again"),
        r"step 'again' \(an aggregation by no key\) is new, and has no state",
    ),
]


@pytest.mark.parametrize("changed, told", CHANGES, ids=[told[:30] for _, told in CHANGES])
def test_a_pipeline_that_remembers_something_else_is_refused_by_name(
    tmp_path: Path, changed: Callable[[], Any], told: str
) -> None:
    some_epochs(totals(), tmp_path / "c")
    with pytest.raises(RunError, match=told) as caught:
        changed().run(checkpoint=tmp_path / "c")
    assert "undo that, or begin anew with another directory" in str(caught.value)
    assert totals().run(checkpoint=tmp_path / "c").wait().results["total"].sum() == sum(range(60))


def test_another_sink_is_refused(tmp_path: Path) -> None:
    some_epochs(source().write.json_lines(tmp_path / "out"), tmp_path / "c")
    with pytest.raises(RunError, match=r"sink was json_lines sink '.*out', and is parquet sink '.*other'"):
        source().write.parquet(tmp_path / "other").run(checkpoint=tmp_path / "c")


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "csv"])
def test_a_file_that_has_changed_is_refused_by_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows.{suffix}"

    def write(rows: pd.DataFrame) -> None:
        if suffix == "parquet":
            rows.to_parquet(path)
        elif suffix == "jsonl":
            rows.to_json(path, orient="records", lines=True, date_format="iso")
        else:
            rows.to_csv(path, index=False)

    def stream() -> fl.Stream:
        read = {"parquet": fl.read.parquet, "jsonl": fl.read.json_lines, "csv": fl.read.csv}[suffix]
        return totals(read(path, event_time="t").named("rows"))

    write(frame())
    some_epochs(stream(), tmp_path / "c")
    times = os.stat(path)
    assert stream().run(checkpoint=tmp_path / "c").wait().results["total"].sum() == sum(range(60))
    some_epochs(stream(), tmp_path / "d")
    write(frame(63))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(RunError, match=rf"step 'rows': '.*rows\.{suffix}' was .* bytes, changed at .*, and is"):
        stream().run(checkpoint=tmp_path / "d")


def test_an_output_that_has_changed_begins_its_results_anew_and_says_so(tmp_path: Path) -> None:
    some_epochs(totals(), tmp_path / "c")
    run = totals().assign(twice="total * 2").run(checkpoint=tmp_path / "c").wait()
    assert "is not among its results" in repr(run)
    assert 0 < run.results["total"].sum() < sum(range(60))


# -- live sources


def numbers(after: int = 0, *, n: int = 30) -> Iterator[dict[str, Any]]:
    for i in range(after, n):
        yield {"t": (START + pd.Timedelta(i, unit="s")).isoformat(), "v": i}


def test_a_generator_goes_on_behind_what_the_journal_has(tmp_path: Path) -> None:
    calls: list[int] = []

    def ticks(after: int) -> Iterator[Any]:
        calls.append(after)
        if after:
            yield from numbers(after)
            return
        yield list(numbers(n=12))
        raise ConnectionError("gone")

    def stream() -> Any:
        schema = {"t": "datetime64[us, UTC]", "v": "int64"}
        return fl.read.generator(ticks, event_time="t", schema=schema, bounded=True).write.json_lines(tmp_path / "out")

    with pytest.raises(FlowerError, match="ConnectionError: gone"):
        stream().run(checkpoint=tmp_path / "c").wait()
    stream().run(checkpoint=tmp_path / "c").wait()
    assert calls == [0, 12]
    assert [line["v"] for line in lines(tmp_path / "out")] == list(range(30))


def test_a_generator_that_takes_nothing_is_called_anew_and_the_run_says_so(tmp_path: Path) -> None:
    sent = iter([list(numbers(n=5)), list(numbers(5, n=9))])

    def socket() -> Iterator[Any]:
        yield next(sent)
        if len(called) < 2:
            raise ConnectionError("gone")

    called: list[int] = []

    def stream() -> Any:
        called.append(1)
        schema = {"t": "datetime64[us, UTC]", "v": "int64"}
        return fl.read.generator(socket, event_time="t", schema=schema, bounded=True).write.json_lines(tmp_path / "out")

    with pytest.raises(FlowerError, match="ConnectionError"):
        stream().run(checkpoint=tmp_path / "c").wait()
    run = stream().run(checkpoint=tmp_path / "c").wait()
    assert [line["v"] for line in lines(tmp_path / "out")] == list(range(9))
    assert "generator 'socket' was called anew" in repr(run)


def test_a_journal_that_has_lost_rows_is_refused(tmp_path: Path) -> None:
    def stream() -> Any:
        schema = {"t": "datetime64[us, UTC]", "v": "int64"}
        return totals_of(fl.read.generator(endless, event_time="t", schema=schema).named("live"))

    def endless(after: int) -> Iterator[Any]:
        yield from numbers(after)
        while True:
            yield []

    def totals_of(rows: fl.Stream) -> fl.Stream:
        return rows.window(fl.FixedWindows("10s")).agg(total=("v", "sum"))

    run = stream().run(checkpoint=tmp_path / "c")
    while run.metrics.rows_in < 30:
        with run._driver.changed:
            run._driver.changed.wait(1)
    run.stop()
    (segment,) = (tmp_path / "c" / "journals" / "live").glob("*.journal")
    segment.write_bytes(segment.read_bytes()[:-20])
    with pytest.raises(
        SourceError, match=r"generator 'endless'.* must be as it was written; got rows up to .*, where there were some"
    ):
        stream().run(checkpoint=tmp_path / "c")


# -- places


def test_a_checkpoint_may_be_anywhere_that_fsspec_reaches(tmp_path: Path) -> None:
    path = f"memory://{tmp_path.name}"
    some_epochs(totals(), path)  # type: ignore[arg-type]
    run = totals().run(checkpoint=path, epoch_rows=6).wait()
    pd.testing.assert_frame_equal(run.results, totals().run(epoch_rows=6).wait().results)
    with pytest.raises(RunError, match="needs a checkpoint on a local disk, for its journal"):
        fl.read.generator(numbers, event_time="t").run(checkpoint=f"{path}-live")
    with pytest.raises(RunError, match=r"nowhere://.*must be a directory, or an address that fsspec reaches"):
        totals().run(checkpoint="nowhere://x")


def test_a_directory_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("do not touch")
    with pytest.raises(
        RunError, match=r"must be an empty directory, or one of Flower's; got files such as 'thesis.txt'"
    ):
        totals().run(checkpoint=tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".lock", "thesis.txt"]


def test_of_two_runs_at_once_one_has_the_job(tmp_path: Path) -> None:
    first = paused(totals(), tmp_path / "c")
    with pytest.raises(RunError, match="a job must have one run at a time; another has the checkpoint"):
        totals().run(checkpoint=tmp_path / "c")
    first.resume().wait()


def test_where_there_are_no_locks_the_newest_run_commits_and_the_other_stops(tmp_path: Path) -> None:
    path, out = f"memory://{tmp_path.name}-two", tmp_path / "out"
    old = paused(source().write.parquet(out), path)
    new = source().write.parquet(out).run(checkpoint=path, epoch_rows=6).wait()
    with pytest.raises(RunError, match=r"another has gone on with .*; got attempt 2, this is attempt 1"):
        old.resume().wait()
    assert new.state == "finished"
    assert old.state == "failed"
    files = sorted(each for each in out.iterdir() if each.suffix == ".parquet")
    rows = [value for each in files for value in pq.read_table(each)["v"].to_pylist()]
    assert rows == list(range(60))


def test_a_run_that_was_overtaken_long_ago_gives_nothing_more(tmp_path: Path) -> None:
    path = f"memory://{tmp_path.name}-long-ago"
    seen: list[str] = []

    def stream(who: str) -> Any:
        return source().write.foreach(lambda rows: seen.append(who))

    old = paused(stream("old"), path)
    old.step()
    stream("new").run(checkpoint=path, epoch_rows=6).wait()  # its log has let go of what is next for the old
    before = list(seen)
    with pytest.raises(RunError, match="another has gone on with"):
        old.resume().wait()
    assert seen == before


def test_what_a_checkpoint_puts_together_is_not_new_to_who_has_seen_it() -> None:
    results = Results(source().node)
    batches = columns_of(frame(12))
    for start in range(0, 6, 2):
        results.add(batches.slice(start, 2))
    _, seen = results.since(0)
    results.add(batches.slice(6, 2))
    assert len(results.stored()["log"]) == 1, "what was seen and what was not are in one batch"  # type: ignore[arg-type]
    results.add(batches.slice(8, 2))
    fresh, total = results.since(seen)
    assert [value for rows in fresh.rows for value in rows["v"].to_pylist()] == [6, 7, 8, 9]
    assert (total, fresh.whole) == (10, False)
