"""Processes that are killed at instants that nobody chose: what comes out is what an uninterrupted one gives."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.slow

JOB = """
import sys
from pathlib import Path

import pandas as pd

import flower as fl
from flower.engine import dask_driver, recovery

recovery.EPOCHS, recovery.SHARE, dask_driver.SAVE_EPOCHS = 5, 1e9, 5
here, rows, executor = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
START = pd.Timestamp("2000-01-01T12:00:00Z")


def ticks(after):
    for first in range(after, rows, 7):
        some = range(first, min(rows, first + 7))
        yield [{"t": START + pd.Timedelta(i - i * 7 % 13, unit="s"), "v": i} for i in some]


schema = {"t": "datetime64[us, UTC]", "v": "int64"}
live = fl.read.generator(ticks, event_time="t", watermark=fl.BoundedDisorder("20s"), schema=schema, bounded=True)
live = live.assign(k="v % 5")
panes = live.window(
    fl.FixedWindows("30s"), trigger=fl.AfterWatermark(early=fl.AfterCount(3)), accumulation="discarding"
).groupby("k").agg(n=("v", "count"), total=("v", "sum"))
if __name__ == "__main__":
    print("ready", flush=True)
    run = fl.run(
        live.write.parquet(here / "rows"),
        panes.write.json_lines(here / "panes"),
        executor=executor,
        checkpoint=here / "c",
        epoch_rows=20,
    )
    run.wait(progress=False)
    print("finished", flush=True)
"""
ROWS = 4_000


@pytest.mark.chaos
def test_a_job_that_is_killed_again_and_again_loses_and_doubles_nothing(tmp_path: Path, chaos_seed: int) -> None:
    chance = random.Random(chaos_seed)
    assert killed_until_finished(tmp_path, lambda number: ("embedded", chance.randrange(1, 60))) > 1
    seen_once(tmp_path)


def test_a_job_on_two_worker_processes_is_killed_with_them_and_goes_on_there_or_here(tmp_path: Path) -> None:
    executors = ["dask", "dask", "embedded", "dask"]
    assert killed_until_finished(tmp_path, lambda number: (executors[number % 4], 45 + 7 * number)) > 2
    seen_once(tmp_path)


def killed_until_finished(directory: Path, chosen: Callable[[int], tuple[str, int]]) -> int:
    """Start the job again and again, on which executor and killed after how many commits is chosen; how many kills."""
    (directory / "job.py").write_text(JOB)
    kills = 0
    for number in range(60):
        executor, commits = chosen(number)
        until = newest(directory / "c") + commits
        process = subprocess.Popen(
            [sys.executable, str(directory / "job.py"), str(directory), str(ROWS), executor],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        with process, process.stdout:
            assert process.stdout.readline() == "ready\n"
            while process.poll() is None and newest(directory / "c") < until:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.003)
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
                continue
            assert process.stdout.read() == "finished\n"
            break
    assert process.returncode == 0
    return kills


def seen_once(directory: Path) -> None:
    """Every row is in the files once, and so is every pane."""
    files = visible(directory / "rows")
    rows = [value for file in files for value in pq.read_table(file)["v"].to_pylist()]
    assert sorted(rows) == list(range(ROWS))
    texts = [file.read_text() for file in visible(directory / "panes")]
    panes = pd.DataFrame([json.loads(line) for text in texts for line in text.splitlines()])
    assert not panes.duplicated(["k", "window_start", "pane_index"]).any()
    assert panes["n"].sum() == ROWS
    pd.testing.assert_series_equal(panes.groupby("k")["total"].sum(), expected(), check_names=False)
    hidden: list[Any] = [each for each in (directory / "rows").iterdir() if each.name.startswith(".")]
    assert hidden == []


def visible(directory: Path) -> list[Path]:
    """The files that readers see; an epoch that several workers have written is a directory of them."""
    return sorted(file for file in directory.rglob("[!._]*") if file.is_file())


def newest(checkpoint: Path) -> int:
    """The last epoch that is committed."""
    names = os.listdir(checkpoint / "commits") if (checkpoint / "commits").is_dir() else []
    return max((int(name[:12]) for name in names if name[:1].isdigit()), default=-1)


def expected() -> pd.Series:
    values = pd.Series(range(ROWS))
    return values.groupby(values % 5).sum()
