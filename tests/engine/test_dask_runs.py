"""Runs on Dask: what they are given, what they refuse, what they leave behind, and what they survive."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import distributed
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flower as fl
from flower.errors import GraphError, RunError
from flower.testing import ManualClock

pytestmark = pytest.mark.slow


def started(**options: Any) -> Any:
    return distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        **options,
    )


def rows(n: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "t": pd.date_range("2000-01-01", periods=n, freq="1s", tz="UTC"),
            "k": ["a", "b", "c", "d"] * (n // 4),
            "v": range(n),
        }
    )


def boom(frame: pd.DataFrame) -> pd.DataFrame:
    if (frame["v"] == 666).any():
        raise ValueError("the beast")
    return frame


def until(true: Callable[[], object]) -> None:
    """Wait for what follows by messages; nobody tells when."""
    tick, end = threading.Event(), time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, "it did not come about"
        tick.wait(0.02)


def totals(stream: fl.Stream) -> fl.Stream:
    return stream.window(fl.FixedWindows("1min")).groupby("k").agg(total=("v", "sum"), rows="count")


def test_a_cluster_of_its_own_ends_with_the_run() -> None:
    stream = totals(fl.read.frame(rows(400), event_time="t"))
    run = stream.run("dask")
    assert run._driver._cluster.client.dashboard_link.startswith("http://127.0.0.1")
    pids = run._driver._cluster.client.run(os.getpid).values()
    pd.testing.assert_frame_equal(run.wait(progress=False).results, stream.collect())
    assert len(pids) >= 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_an_address_is_a_cluster(cluster: Any) -> None:
    stream = totals(fl.read.frame(rows(40), event_time="t"))
    pd.testing.assert_frame_equal(stream.collect(executor=cluster.scheduler_address), stream.collect())


def test_nothing_is_left_on_a_cluster_after_a_run(cluster: Any, client: Any) -> None:
    totals(fl.read.frame(rows(40), event_time="t")).run(client).wait(progress=False)
    failed = totals(fl.read.frame(rows(1000), event_time="t").map_frames(boom))
    with pytest.raises(RunError) as held:  # an error that somebody keeps must not keep what the cluster holds
        failed.run(client, on_error="fail", epoch_rows=100).wait(progress=False)
    known = client.run(lambda: len(__import__("flower.engine.dask_tasks").engine.dask_tasks.jobs))
    assert list(known.values()) == [0, 0]
    until(lambda: not cluster.scheduler.tasks)
    assert held.value.__traceback__ is not None


def test_a_paused_run_steps_and_drains(client: Any) -> None:
    clock = ManualClock()
    stream = fl.read.rate(10, start="2000-01-01T00:00:00Z").window(fl.FixedWindows("1s")).agg(rows="count")
    run = stream.run(client, clock=clock).pause()
    clock.advance("2500ms")
    run.step()
    assert run.results["rows"].tolist() == [10, 10]
    assert "its watermark is 2000-01-01T00:00:02.4Z" in str(run.why())
    assert run.metrics.groups == 1
    run.drain()
    assert run.results["rows"].tolist() == [10, 10, 5]


def test_files_are_staged_by_the_workers_and_committed_once(client: Any, tmp_path: Path) -> None:
    stream = totals(fl.read.frame(rows(1000), event_time="t"))
    seen: list[int] = []
    sinks = (
        stream.write.parquet(tmp_path / "out"),
        stream.filter("rows > 0").write.foreach(lambda f: seen.append(len(f))),
    )
    fl.run(*sinks, executor=client, epoch_rows=50).wait(progress=False)
    written = pd.read_parquet(tmp_path / "out").sort_values(["window_end", "k"], ignore_index=True)
    assert written["total"].tolist() == stream.collect()["total"].tolist()
    assert sum(seen) == len(written)


def test_relative_paths_are_those_of_the_driver_on_workers_too(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the workers stay where they are
    rows(400).to_parquet("rows.parquet")
    rows(400).to_csv("rows.csv", index=False)
    expected = totals(fl.read.frame(rows(400), event_time="t")).collect()
    parquet, csv = fl.read.parquet("rows.parquet", event_time="t"), fl.read.csv("*.csv", event_time="t")
    for out, source in ("from-parquet", parquet), ("from-csv", csv):
        run = fl.run(totals(source).write.parquet(out), executor=client, scratch="scratch", epoch_rows=4)
        run.wait(progress=False)
        written = pd.read_parquet(tmp_path / out).sort_values(["window_end", "k"], ignore_index=True)
        assert written["total"].tolist() == expected["total"].tolist()
    assert (tmp_path / "scratch").is_dir()


def test_a_bad_row_is_told_of_and_the_others_go_on(client: Any) -> None:
    stream = fl.read.frame(rows(1000), event_time="t").map_frames(boom)
    run = fl.run(stream.named("good"), stream.errors.named("bad"), executor=client).wait(progress=False)
    assert len(run.results["good"]) == 999
    assert "the beast" in run.metrics.first_error
    assert run.results["bad"]["source"].tolist() == ["frame of 1,000 rows"]
    with pytest.raises(RunError, match="the beast"):
        stream.run(client, on_error="fail").wait(progress=False)


def test_a_function_that_cannot_travel_is_refused_by_name(client: Any) -> None:
    lock = threading.Lock()

    def guarded(frame: pd.DataFrame) -> pd.DataFrame:
        with lock:
            return frame

    stream = fl.read.frame(rows(4), event_time="t").map_frames(guarded).named("guard")
    with pytest.raises(
        GraphError, match=r"step 'guard': the function '.*guarded' must be able .* 'lock', a _thread.lock"
    ):
        stream.run(client)


@pytest.mark.parametrize("executor", ["dusk", 3, None])
def test_an_executor_that_is_none_is_refused(executor: Any) -> None:
    with pytest.raises(GraphError, match="`executor` must be 'embedded', 'dask', a distributed"):
        fl.read.frame(rows(4), event_time="t").run(executor)


def test_a_scheduler_that_is_not_there_is_named() -> None:
    with pytest.raises(RunError, match="a Dask scheduler must answer at 'tcp://127"):
        fl.read.frame(rows(4), event_time="t").run("tcp://127.0.0.1:1")


def test_a_worker_with_another_version_is_named(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    true = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "0.0.1" if name == "pandas" else true(name))
    with pytest.raises(RunError, match=r"worker tcp://\S+ must have what this process has: pandas 0.0.1; got pandas 3"):
        fl.read.frame(rows(4), event_time="t").run(client)


# -- faults


@pytest.mark.parametrize("forgiving", [True, False], ids=["the scheduler recovers", "the driver begins a new attempt"])
def test_a_killed_worker_loses_nothing_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgiving: bool
) -> None:
    from flower.engine import dask_driver

    monkeypatch.setattr(dask_driver, "SAVE_EPOCHS", 8)
    path, killed, log = tmp_path / "rows.parquet", tmp_path / "killed", tmp_path / "log"
    pq.write_table(pa.Table.from_pandas(rows(4000), preserve_index=False), path)

    def deadly(frame: pd.DataFrame) -> pd.DataFrame:
        with open(log, "a") as file:
            file.write(f"{len(frame)}\n")
        if (frame["v"] == 2222).any() and not killed.exists():
            killed.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return frame

    clean = totals(fl.read.parquet(path, event_time="t"))
    stream = totals(fl.read.parquet(path, event_time="t").map_frames(deadly))
    import dask

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 3 if forgiving else 0}),
        started() as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        before = set(client.run(os.getpid).values())
        run = fl.run(stream.named("panes"), stream.write.parquet(tmp_path / "out"), executor=client, epoch_rows=100)
        run.wait(progress=False)
        attempts = run._driver._attempt
    assert int(killed.read_text()) in before
    # What a sink would have had that writes whenever a task runs: some rows twice.
    assert sum(map(int, log.read_text().split())) > 4000
    assert (attempts > 0) is not forgiving
    expected = clean.collect()
    pd.testing.assert_frame_equal(run.results, expected)
    assert len(run.panes()) == len(expected)
    written = pd.read_parquet(tmp_path / "out").sort_values(["window_end", "k"], ignore_index=True)
    assert written["total"].tolist() == expected["total"].tolist()
    assert run.metrics.rows_in == 4000


def test_a_cluster_that_goes_away_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from flower.engine import cluster as module

    monkeypatch.setattr(module, "GONE_SECONDS", 2.0)
    with started() as cluster:
        client = distributed.Client(cluster, set_as_default=False)
        run = fl.read.rate(100).window(fl.FixedWindows("1s")).agg(rows="count").run(client)
        with run._driver.changed:
            run._driver.changed.wait_for(lambda: run.metrics.epochs > 2, timeout=30)
        cluster.scale(0)
        cluster.close()
    with pytest.raises(RunError, match="the Dask cluster must last as long as the run"):
        run.wait(60, progress=False)
    assert run.state == "failed"
    client.close(timeout=1)


def test_the_scheduler_remembers_no_more_after_thousands_of_epochs(cluster: Any, client: Any) -> None:
    clean = totals(fl.read.frame(rows(4000), event_time="t"))
    run = clean.run(client, epoch_rows=2)
    most = 0
    while run.state == "running":
        most = max(most, len(cluster.scheduler.tasks))
        with run._driver.changed:
            run._driver.changed.wait(0.5)
    run.wait(progress=False)
    assert run.metrics.epochs == 2000
    pd.testing.assert_frame_equal(run.results, clean.collect())
    # A chain of at most 64 epochs of a dozen tasks; 2,000 would be some 20,000.
    assert 0 < most < 1500
