"""A run on Dask that dies, or loses a worker or its whole cluster, and is gone on with there or elsewhere."""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import distributed
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from pausing import paused, some_epochs
from recovery_faults import KINDS, Death, Faults
from recovery_job import outcome, prepare, run
from scripted import examples

import flower as fl
from flower.cli import main
from flower.engine import cluster as cluster_module
from flower.engine import dask_driver, parts, recovery
from flower.engine.dask_driver import DaskDriver
from flower.engine.embedded import Driver
from flower.engine.inspection import inspect
from flower.engine.recovery import Recovery
from flower.errors import FlowerError, RunError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),  # of threads that die
]

START = pd.Timestamp("2000-01-01T12:00:00Z")
ROWS = 40
DIED = (Death, FlowerError, OSError)
"""What is left of a process in which something went wrong, here or on a worker."""


@pytest.fixture(autouse=True, scope="module")
def often() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dask_driver, "SAVE_EPOCHS", 2)
        # What is read ahead makes epochs of another size, where a partition ends; here both executors have the same.
        patch.setattr(Driver, "_read_ahead", lambda self, epoch: None)
        yield


def threads(workers: int) -> Any:
    """Workers that are threads of this process, so that faults of the disk meet them as well."""
    return distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=False,
        protocol="tcp://",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    )


@pytest.fixture(scope="module")
def clients() -> Iterator[list[Any]]:
    """Clusters of two workers and of three."""
    with (
        threads(2) as two,
        threads(3) as three,
        distributed.Client(two, set_as_default=False) as one,
        distributed.Client(three, set_as_default=False) as other,
    ):
        yield [one, other]


class Jobs:
    """The job of `recovery_job`, and what comes out if nothing goes wrong."""

    def __init__(self, directory: Path, executors: list[Any]) -> None:
        self.source, self._directory, self._runs = directory / "source", directory, 0
        self.executors = executors
        prepare(self.source)
        self.expected = cache(self._expected)
        self.steps = cache(self._steps)

    def fresh(self) -> Path:
        self._runs += 1
        return self._directory / f"{self._runs}"

    def _expected(self) -> dict[str, Any]:
        out = self.fresh()
        return unordered(outcome(run(self.source, out, None, epoch_rows=ROWS), out))

    def _steps(self) -> int:
        """How often the disk is asked for something if nothing goes wrong."""
        faults, out = Faults(), self.fresh()
        with faults.at_work():
            driver = run(self.source, out, out / "c", epoch_rows=ROWS, faults=faults, executor=self.executors[0])
        assert unordered(outcome(driver, out)) == self.expected()
        return faults.count

    def run(self, out: Path, executor: Any, faults: Faults | None = None, *, naive: bool = False) -> Any:
        return run(self.source, out, out / "c", epoch_rows=ROWS, faults=faults, executor=executor, naive=naive)

    def ends_well(self, out: Path, executor: Any, *, naive: bool = False) -> Any:
        driver = self.run(out, executor, naive=naive)
        assert unordered(outcome(driver, out)) == self.expected()
        return driver


def unordered(found: dict[str, Any]) -> dict[str, Any]:
    """Rows of an epoch stand in another order on Dask; views and panes have all epochs' rows."""
    return {key: sorted(rows) for key, rows in found.items()}


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory, clients: list[Any]) -> Jobs:
    return Jobs(tmp_path_factory.mktemp("jobs"), [*clients, "embedded"])


@pytest.mark.chaos
@examples(10, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_nothing_is_lost_or_doubled_whatever_goes_wrong_and_whoever_goes_on(jobs: Jobs, seed: int) -> None:
    chance, out = random.Random(seed), jobs.fresh()
    first = Faults(chance.randrange(jobs.steps() * 8 // 10), chance.choice(KINDS))
    more = [Faults(chance.randrange(jobs.steps()), chance.choice(KINDS)) for _ in range(chance.randrange(2))]
    for number, faults in enumerate([first, *more]):
        executor = chance.choice(jobs.executors if number else jobs.executors[:2])
        with faults.at_work():
            try:
                jobs.run(out, executor, faults)
            except DIED:
                assert faults.fired
    jobs.ends_well(out, chance.choice(jobs.executors))
    assert first.fired
    shutil.rmtree(out)


def test_the_same_faults_damage_a_naive_sink(jobs: Jobs) -> None:
    counts = set()
    for at in (0.3, 0.5, 0.7):
        out, faults = jobs.fresh(), Faults(int(jobs.steps() * at), "die after")
        with faults.at_work(), pytest.raises(DIED):
            jobs.run(out, jobs.executors[0], faults, naive=True)
        jobs.ends_well(out, jobs.executors[0], naive=True)
        rows = (out / "naive.jsonl").read_text().splitlines()
        counts.add(len(rows) - len(set(rows)))
    assert max(counts) > 0


STEPS: list[tuple[Any, str]] = [
    (DaskDriver, "_submit"),
    (DaskDriver, "_adopt"),
    (DaskDriver, "_saved_states"),
    (DaskDriver, "_write"),
    (Recovery, "planned"),
    (Recovery, "commit"),
    (Recovery, "shards"),
]


@pytest.mark.parametrize("where, what", STEPS, ids=lambda each: getattr(each, "__name__", each))
def test_the_driver_may_end_at_every_step(jobs: Jobs, where: Any, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real, out, died = getattr(where, what), jobs.fresh(), 0
    for executor in jobs.executors[:2]:
        for after in (False, True):
            calls = iter(range(1_000))

            def asked(*arguments: Any, after: bool = after, calls: Any = calls, **named: Any) -> Any:
                due = next(calls) == (0 if what == "shards" else 1)
                done = None if due and not after else real(*arguments, **named)
                if due:
                    raise Death(what)
                return done

            with monkeypatch.context() as patch:
                patch.setattr(where, what, asked)
                try:
                    jobs.run(out, executor)
                except Death:
                    died += 1
    jobs.ends_well(out, jobs.executors[0])
    assert died > 1


@pytest.mark.parametrize("first, then", [(0, 1), (1, 0), (0, 2), (2, 1)])
def test_another_number_of_workers_goes_on_and_so_does_the_other_executor(
    jobs: Jobs, first: int, then: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, out = Recovery.commit, jobs.fresh()

    def commit(self: Any, job: Any, epoch: Any, staged: Any) -> None:
        if epoch.epoch == 3:
            raise Death
        real(self, job, epoch, staged)

    monkeypatch.setattr(recovery, "EPOCHS", 2)
    with monkeypatch.context() as patch:
        patch.setattr(Recovery, "commit", commit)
        with pytest.raises(Death):
            jobs.run(out, jobs.executors[first])
    driver = jobs.ends_well(out, jobs.executors[then])
    assert any("goes on behind epoch 2 of" in note for note in driver.metrics.notes)


def test_what_is_finished_needs_no_cluster(jobs: Jobs) -> None:
    out = jobs.fresh()
    jobs.ends_well(out, jobs.executors[0])
    driver = jobs.ends_well(out, "tcp://127.0.0.1:1")
    assert any("finished before" in note for note in driver.metrics.notes)


def test_a_function_that_is_a_sink_sees_the_rows_of_one_epoch_twice_at_most(
    clients: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All epochs are run again, of which only the last may not have reached it."""
    seen: list[int] = []

    def stream() -> Any:
        rows = fl.read.frame(frame(), event_time="t").named("rows")
        return rows.write.foreach(lambda some: seen.extend(some["v"]))

    real = Recovery.planned

    def planned(self: Any, job: Any, epoch: Any) -> None:
        if epoch.epoch == 8:
            raise Death
        real(self, job, epoch)

    monkeypatch.setattr(dask_driver, "SAVE_EPOCHS", 100)
    with monkeypatch.context() as patch:
        patch.setattr(Recovery, "planned", planned)
        died = stream().run(clients[0], checkpoint=tmp_path / "c", epoch_rows=6)
        with pytest.raises(Death):
            died.wait(progress=False)
    stream().run(clients[1], checkpoint=tmp_path / "c", epoch_rows=6).wait(progress=False)
    doubled = sorted(v for v in set(seen) if seen.count(v) > 1)
    assert sorted(set(seen)) == list(range(60))
    assert len(doubled) <= 6
    assert len(seen) == 60 + len(doubled)


# -- what the checkpoint holds


def frame(n: int = 60) -> pd.DataFrame:
    return pd.DataFrame({"t": START + pd.to_timedelta(range(n), unit="s"), "k": list("abc") * (n // 3), "v": range(n)})


def totals(n: int = 60) -> fl.Stream:
    rows = fl.read.frame(frame(n), event_time="t", watermark=fl.BoundedDisorder("1D")).named("rows")
    return rows.window(fl.FixedWindows("10s")).groupby("k").agg(total=("v", "sum")).named("totals")


@pytest.fixture
def stopped(clients: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint of two shards, and the one before; whatever may be in a file of its own is in one."""
    monkeypatch.setattr(parts, "SMALL", 0)
    some_epochs(totals(), tmp_path / "c", 5, executor=clients[0])
    return tmp_path / "c"


def states_of(checkpoint: Path, what: str = "state") -> list[Path]:
    """A state, or a part of one, that only the newest checkpoint has, and one that only the one before has, if any."""
    newest, before = (
        {name for each in held for name in ([each.name] if what == "state" else each.parts)}
        for held in (
            parts_reader(checkpoint, epoch).value["state"]["keyed"]["totals"]
            for epoch in sorted((int(file.stem) for file in (checkpoint / "checkpoints").iterdir()), reverse=True)
        )
    )
    return [checkpoint / "parts" / min(names) for names in (newest - before, before - newest) if names]


def parts_reader(checkpoint: Path, epoch: int) -> Any:
    from flower.engine.ledger import Reader, storage

    return Reader(storage(checkpoint), whole=False).checkpoint(epoch)


def test_a_state_is_a_file_of_each_shard_and_the_command_tells_of_all(
    stopped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = parts_reader(stopped, 5).value["state"]["keyed"]["totals"]
    assert len(held) == 2
    assert main(["checkpoints", str(stopped)]) == 0
    assert "  totals: by k: str: " in capsys.readouterr().out


def remove(file: Path) -> None:
    file.unlink()


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


@pytest.mark.parametrize("then", ["embedded", "cluster"])
@pytest.mark.parametrize("what, damage", [("state", remove), ("state", cut), ("part", remove), ("part", cut)])
def test_a_shard_that_is_damaged_or_gone_is_named_and_the_checkpoint_before_is_used(
    stopped: Path, clients: list[Any], what: str, damage: Any, then: str
) -> None:
    hurt = states_of(stopped, what)[0]
    damage(hurt)
    assert str(hurt) in str(inspect(stopped).damage)
    run = totals().run(clients[1] if then == "cluster" else then, checkpoint=stopped, epoch_rows=6).wait(progress=False)
    assert any("went back" in note and str(hurt) in note for note in run.metrics.notes)
    pd.testing.assert_frame_equal(run.results, totals().collect())


def test_where_every_checkpoint_lacks_a_shard_the_job_is_refused(stopped: Path, clients: list[Any]) -> None:
    for state in states_of(stopped):
        state.unlink()
    with pytest.raises(RunError, match=r"must be whole to go on with it; got the part .* must be there"):
        totals().run(clients[0], checkpoint=stopped)


def test_a_checkpoint_does_not_count_before_all_its_files_are_there(
    clients: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = paused(totals(), tmp_path / "c", executor=clients[0])
    real = DaskDriver._saved_states

    def elsewhere(self: Any) -> Any:
        states = real(self)
        for saved in states.values():
            (tmp_path / "c" / "parts" / saved.files[0].name).rename(tmp_path / saved.files[0].name)
        return states

    monkeypatch.setattr(DaskDriver, "_saved_states", elsewhere)
    run.step(1).resume()
    with pytest.raises(RunError, match=r"all parts of a checkpoint must be in .* before it counts; got no '"):
        run.wait(progress=False)
    assert [each.stem for each in (tmp_path / "c" / "checkpoints").iterdir()] == ["0" * 12]
    monkeypatch.undo()
    again = totals().run(clients[0], checkpoint=tmp_path / "c", epoch_rows=6).wait(progress=False)
    pd.testing.assert_frame_equal(again.results, totals().collect())


def test_only_what_is_new_of_a_state_is_written(clients: list[Any], tmp_path: Path) -> None:
    n = 110_000
    rows = pd.DataFrame({"t": START, "k": range(n), "v": 1.0})
    stream = fl.read.frame(rows, event_time="t", watermark=fl.BoundedDisorder("1D")).window(fl.FixedWindows("1h"))
    counts = stream.groupby("k").agg(v=("v", "sum"))
    run = paused(counts, tmp_path / "c", epoch_rows=4_000, executor=clients[0])
    written, held, before = 0, 0, set[str]()
    for _ in range(25):
        run.step(1)
        run._driver.save()
        files = {file.name: file.stat().st_size for file in (tmp_path / "c" / "parts").iterdir()}
        written += sum(size for name, size in files.items() if name not in before)
        held, before = held + run.metrics.state_bytes, set(files)
    run.stop()
    assert 0 < written < held / 2
    again = counts.run(clients[1], checkpoint=tmp_path / "c").wait(progress=False)
    assert again.results["v"].sum() == n


# -- processes


def started() -> Any:
    return distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    )


def test_a_place_that_a_worker_does_not_reach_is_refused_by_name(client: Any) -> None:
    with pytest.raises(
        RunError, match=r"'memory://far' must be within reach of every worker; it is not of tcp://.*no such"
    ):
        totals().run(client, checkpoint="memory://far")


def test_a_worker_that_is_killed_while_it_saves_loses_nothing(client: Any, tmp_path: Path) -> None:
    """And its cluster goes away after that: another one goes on."""

    def deadly(marker: str) -> None:
        from flower.io import disk

        real = disk.rename

        def rename(source: str, target: str) -> None:
            if "/parts/" in target:
                try:  # two workers may be here at once; one dies
                    with open(marker, "x"):
                        os.kill(os.getpid(), signal.SIGKILL)
                except FileExistsError:
                    pass
            real(source, target)

        disk.rename = rename

    stream = totals(600)
    with started() as cluster, distributed.Client(cluster, set_as_default=False) as own:
        run = paused(stream, tmp_path / "c", executor=own).step(2)
        own.run(deadly, str(tmp_path / "killed"))
        run.step(8)
        assert (tmp_path / "killed").exists()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cluster_module, "GONE_SECONDS", 1.0)
            cluster.close()
            run.resume()
            with pytest.raises(RunError, match="the Dask cluster must last as long as the run"):
                run.wait(timeout=60, progress=False)
    again = stream.run(client, checkpoint=tmp_path / "c", epoch_rows=6).wait(progress=False)
    assert any("goes on behind epoch" in note for note in again.metrics.notes)
    pd.testing.assert_frame_equal(again.results, stream.collect())
