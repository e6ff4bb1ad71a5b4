"""Workers of other environments: without Flower, or with another version of it, before and during a run."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import distributed
import pandas as pd
import pytest

import flower as fl
from flower.errors import RunError
from flower.testing import ManualClock

pytestmark = pytest.mark.slow

Start = Callable[[str], "subprocess.Popen[bytes]"]


def environment_without_flower(folder: Path) -> Path:
    """An environment that has what this one has but Flower; its place for packages."""
    venv.create(folder, symlinks=True)
    place = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    for known in Path(sysconfig.get_path("purelib")).iterdir():
        if "flower" not in known.name and known.suffix != ".pth":
            (place / known.name).symlink_to(known)
    return place


@pytest.fixture
def scheduler() -> Iterator[Any]:
    """A cluster without workers."""
    with distributed.LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster:
        yield cluster


@pytest.fixture
def start(scheduler: Any, tmp_path: Path) -> Iterator[Start]:
    """Start a worker of an environment in ``tmp_path``."""
    started: list[subprocess.Popen[bytes]] = []

    def worker(name: str) -> subprocess.Popen[bytes]:
        arguments = ["--no-nanny", "--no-dashboard", "--nthreads=1", "--host=127.0.0.1", f"--name={name}"]
        command = [str(tmp_path / name / "bin/python"), "-m", "distributed.cli.dask_worker"]
        with (tmp_path / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [*command, scheduler.scheduler_address, *arguments],
                cwd=tmp_path,
                env={key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")},
                stderr=log,
            )
        started.append(process)
        return process

    yield worker
    for process in started:
        process.terminate()
        process.wait(30)


def panes() -> fl.Stream:
    times = pd.date_range("2000-01-01", periods=400, freq="1s", tz="UTC")
    frame = pd.DataFrame({"t": times, "k": ["a", "b"] * 200, "v": range(400)})
    return fl.read.frame(frame, event_time="t").window(fl.FixedWindows("1min")).groupby("k").agg(total=("v", "sum"))


def test_a_worker_without_flower_is_named(scheduler: Any, start: Start, tmp_path: Path) -> None:
    environment_without_flower(tmp_path / "bare")
    start("bare")
    with pytest.raises(
        RunError, match=r"worker tcp://\S+ must have .*: flower-streams 0\S+; got flower-streams missing"
    ):
        panes().run(scheduler.scheduler_address)


def test_a_worker_with_another_flower_is_named(scheduler: Any, start: Start, tmp_path: Path) -> None:
    place = environment_without_flower(tmp_path / "old")
    (place / "flower").symlink_to(Path(fl.__file__).parent)
    (place / "flower_streams-0.0.1.dist-info").mkdir()
    (place / "flower_streams-0.0.1.dist-info/METADATA").write_text("Name: flower-streams\nVersion: 0.0.1\n")
    start("old")
    with pytest.raises(
        RunError, match=r"worker tcp://\S+ must have .*: flower-streams 0\S+; got flower-streams 0.0.1;"
    ):
        panes().run(scheduler.scheduler_address)


def test_a_worker_without_flower_that_comes_later_takes_no_work(scheduler: Any, start: Start, tmp_path: Path) -> None:
    environment_without_flower(tmp_path / "late")
    scheduler.scale(1)
    clock = ManualClock()
    rows = fl.read.rate(10, start="2000-01-01T00:00:00Z", keys=2)
    stream = rows.window(fl.FixedWindows("1s")).groupby("key").agg(rows="count")
    run = stream.run(scheduler.scheduler_address, clock=clock).pause()
    clock.advance("5s")
    run.step()
    start("late").wait(30)  # it leaves, as it cannot take the job
    assert "No module named 'flower'" in (tmp_path / "late.log").read_text()
    clock.advance("5s")
    run.step().drain()
    assert run.results["rows"].tolist() == [5] * 20
