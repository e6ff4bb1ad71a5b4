"""Measurements side by side: every run in a fresh process, the subjects in turn, medians and ratios.

A subject is a function of no arguments in a module of this directory. It prepares what does not count, calls `measure`
around what does, and returns its result; only subjects whose results are equal get figures.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache" / "benchmarks"


@dataclass(frozen=True)
class Benchmark:
    """Subjects that do the same, by name: ``module:function``. Ratios are to the first."""

    name: str
    subjects: dict[str, str]
    rows: int = 0
    repeat: int = 5
    limit_seconds: float | None = None
    """The first subject's median, or its difference to the last with ``minus``, may not exceed this."""
    minus: str | None = None


@dataclass(frozen=True)
class Sample:
    """One run of one subject."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    digest: str


_measured: dict[str, float] = {}


@contextmanager
def measure() -> Iterator[None]:
    """Count the time inside; the CPU's of all threads."""
    before, cpu = time.perf_counter(), time.process_time()
    yield
    _measured["seconds"] = time.perf_counter() - before
    _measured["cpu_seconds"] = time.process_time() - cpu


def record(seconds: float, cpu_seconds: float) -> None:
    """Count what a subject has timed itself, such as a median of its parts."""
    _measured.update(seconds=seconds, cpu_seconds=cpu_seconds)


def digest(result: bytes) -> str:
    """What stands for a result, so that processes can compare theirs."""
    return hashlib.sha256(result).hexdigest()[:16]


def child(target: str) -> None:
    """Run one subject in this process and print its sample."""
    module, function = target.split(":")
    subject: Callable[[], str] = getattr(__import__(module), function)
    result = subject()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    print(json.dumps({**_measured, "peak_mb": peak, "digest": result}))


def sample(target: str) -> Sample:
    """Run one subject in a fresh process."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), str(HERE)])}
    command = [sys.executable, str(HERE), "--child", target]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(f"{target} failed:\n{done.stderr[-4000:]}")
    return Sample(**json.loads(done.stdout.splitlines()[-1]))


def run(benchmark: Benchmark, repeat: int) -> dict[str, object]:
    """All subjects in turn, ``repeat`` rounds after one that does not count; refuses results that differ."""
    samples: dict[str, list[Sample]] = {name: [] for name in benchmark.subjects}
    for number in range(repeat + 1):
        # Every second round backwards, so that nobody always follows the same neighbour.
        names = list(benchmark.subjects)[:: -1 if number % 2 else 1]
        for name in names:
            taken = sample(benchmark.subjects[name])
            if number:
                samples[name].append(taken)
    digests = {name: {each.digest for each in taken} for name, taken in samples.items()}
    if len(set.union(*digests.values())) != 1:
        raise RuntimeError(f"{benchmark.name}: the results differ, so no figure counts: {digests}")
    rows = []
    medians = {name: statistics.median(each.seconds for each in taken) for name, taken in samples.items()}
    first = next(iter(medians.values()))
    for name, taken in samples.items():
        seconds = [each.seconds for each in taken]
        rows.append(
            {
                "subject": name,
                "seconds": medians[name],
                "lowest": min(seconds),
                "highest": max(seconds),
                "ratio": first / medians[name],
                "rows_per_second": benchmark.rows / medians[name] if benchmark.rows else None,
                "cpu_seconds": statistics.median(each.cpu_seconds for each in taken),
                "peak_mb": statistics.median(each.peak_mb for each in taken),
                "samples": [asdict(each) for each in taken],
            }
        )
    judged = first - (medians[benchmark.minus] if benchmark.minus else 0.0)
    return {
        "benchmark": benchmark.name,
        "repeat": repeat,
        "judged_seconds": judged,
        "limit_seconds": benchmark.limit_seconds,
        "within": benchmark.limit_seconds is None or judged <= benchmark.limit_seconds,
        "subjects": rows,
    }


def machine() -> dict[str, object]:
    """Where it was measured."""
    import numpy
    import pandas
    import polars
    import pyarrow

    versions = {module.__name__: module.__version__ for module in (numpy, pandas, polars, pyarrow)}
    return {"python": platform.python_version(), "system": platform.system(), "cores": os.cpu_count(), **versions}


def table(report: dict) -> str:
    """A report as a person reads it."""
    lines = [f"{report['benchmark']} (median of {report['repeat']}, fresh processes in turn)"]
    heading = ("", "seconds", "lowest", "highest", "times", "rows/s", "CPU s", "peak MB")
    lines.append("  {:<28}{:>9}{:>9}{:>9}{:>8}{:>14}{:>9}{:>9}".format(*heading))
    for row in report["subjects"]:
        times = f"{row['seconds']:>9.3f}{row['lowest']:>9.3f}{row['highest']:>9.3f}{row['ratio']:>8.2f}"
        rate = f"{row['rows_per_second']:,.0f}" if row["rows_per_second"] else ""
        lines.append(f"  {row['subject']:<28}{times}{rate:>14}{row['cpu_seconds']:>9.2f}{row['peak_mb']:>9.0f}")
    if report["limit_seconds"] is not None:
        word = "within" if report["within"] else "OVER"
        lines.append(f"  {report['judged_seconds']:.3f} s: {word} the limit of {report['limit_seconds']} s")
    return "\n".join(lines)
