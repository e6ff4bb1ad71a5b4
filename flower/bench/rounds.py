"""Interleaved rounds: every run in a fresh process, the subjects in turn, medians and ratios, equal results only."""

from __future__ import annotations

import json
import os
import re
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flower.bench.data import written
from flower.bench.environments import NotInstalled, python
from flower.bench.suite import HERE, Subject, Work

LIMIT_SECONDS = 900
"""A run may take."""

Taker = Callable[["Subject", int, Path], dict[str, Any]]
"""Takes a sample of a subject on some rows: its figures and the ``digest`` of its result."""


class Failed(Exception):
    """A subject gave no figures; says why."""


def sample(subject: Subject, rows: int, cache: Path) -> dict[str, Any]:
    """One run of a subject in a fresh process.

    Raises
    ------
    Failed
        If it gave no sample.
    """
    system = subject.system
    try:
        interpreter = python(system.environment, cache)
    except NotInstalled as error:
        raise Failed(f"not installed: {error}") from error
    file = system.file if os.path.isabs(system.file) else str(HERE / system.file)
    arguments = [file, subject.function, str(rows), str(cache.resolve()), system.variant]
    environment = dict(os.environ)
    if system.environment is None:
        # Flower as this process has it, installed or not.
        environment["PYTHONPATH"] = os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
    else:
        environment.pop("PYTHONPATH", None)
    process = subprocess.Popen(
        [str(interpreter), "-P", str(HERE / "child.py"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    try:
        out, said = process.communicate(timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"not done after {LIMIT_SECONDS} seconds") from error
    finally:
        _end(process)
    if process.returncode:
        raise Failed(f"failed: {_reason(said) or f'status {process.returncode}'}")
    taken: dict[str, Any] = json.loads(out.splitlines()[-1])
    return taken


def _reason(said: str) -> str:
    r"""The exception in what a process has said, else the last of it.

    Examples
    --------
    >>> _reason("Traceback ...\nx.ParserException: no such thing\n   ^")
    'x.ParserException: no such thing'
    """
    lines = [line.strip()[:300] for line in said.splitlines() if line.strip()]
    named = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
    return (named or lines or [""])[-1]


def _end(process: subprocess.Popen[str]) -> None:
    """End a run and what it has started."""
    try:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        pass  # all of it has ended
    process.wait()


@dataclass
class Taken:
    """What is known of a subject so far."""

    subject: Subject
    rows: int
    samples: list[dict[str, Any]] = field(default_factory=list)
    problem: str | None = None
    """Why it has no figures."""

    def median(self, figure: str) -> float | None:
        """Of its samples; None: there is none."""
        values = [sample[figure] for sample in self.samples if figure in sample]
        return statistics.median(values) if values else None


@dataclass
class Report:
    """What a work came to, whole or as far as it got."""

    work: Work
    taken: list[Taken]
    rounds: int = 0
    """That are whole."""

    def ratio(self, other: Taken) -> float | None:
        """How many times as fast as another subject the first is: the median of the rounds, in rows a second."""
        first = self.taken[0]
        pairs = zip(first.samples, other.samples, strict=False)
        scale = first.rows / other.rows if self.work.rows else 1.0
        ratios = [theirs["seconds"] / ours["seconds"] * scale for ours, theirs in pairs]
        return statistics.median(ratios) if ratios else None

    @property
    def judged_seconds(self) -> float | None:
        """What the limit is on; None: nothing was measured."""
        first = self.taken[0].median("seconds")
        if first is None:
            return None
        if self.work.minus is None:
            own = (each.median("seconds") for each in self.taken if each.subject.system.name == "flower")
            return max(median for median in own if median is not None)
        other = next(each for each in self.taken if each.subject.name == self.work.minus).median("seconds")
        return None if other is None else first - other

    @property
    def problems(self) -> list[str]:
        """What makes the command fail: a limit not kept, a subject of Flower's that fails, a result that differs."""
        found = [
            f"{each.subject.name}: {each.problem}"
            for each in self.taken
            if each.problem is not None and (each.subject.system.name == "flower" or each.problem.startswith("differs"))
        ]
        limit, judged = self.work.limit_seconds, self.judged_seconds
        if limit is not None and judged is not None and judged > limit:
            found.append(f"{judged:.3f} s is over the limit of {limit} s")
        for figure, share in self.work.equal.items():
            medians = {each.subject.name: median for each in self.taken if (median := each.median(figure)) is not None}
            low, high = min(medians.values(), default=0.0), max(medians.values(), default=0.0)
            if high - low > share * high:
                told = ", ".join(f"{name} {median:,.2f}" for name, median in medians.items())
                found.append(f"{figure} differs by more than {share:.0%}: {told}")
        return found


def measured(
    report: Report, rounds: int, cache: Path, *, take: Taker = sample, seen: Callable[[str], None] = lambda _: None
) -> None:
    """Fill a report: all subjects in turn, ``rounds`` rounds after one that warms up and compares their results."""
    work = report.work
    for rows in sorted({each.rows for each in report.taken}):
        for name in work.data:
            seen(f"{work.name}: writing {rows:,} rows")
            written(name, rows, cache)
    expected: dict[int, str] = {}
    for each in report.taken:
        # What the first subject gives of as many rows is what everybody has to give.
        if each.rows not in expected:
            first = report.taken[0]
            seen(f"{work.name}: the results of {each.rows:,} rows")
            try:
                expected[each.rows] = take(first.subject, each.rows, cache)["digest"]
            except Failed as error:
                for one in report.taken:
                    one.problem = (
                        str(error) if one is first else f"nothing to compare with: {first.subject.name} {error}"
                    )
                return
            if each is first:
                continue
        seen(f"{work.name}: {each.subject.name}, once to warm up")
        _once(each, expected[each.rows], cache, take)
    for number in range(rounds):
        # Every second round backwards, so that nobody always follows the same neighbour.
        for each in report.taken[:: -1 if number % 2 else 1]:
            if each.problem is None:
                seen(f"{work.name}: {each.subject.name}, round {number + 1} of {rounds}")
                taken = _once(each, expected[each.rows], cache, take)
                if taken is not None:
                    each.samples.append(taken)
        report.rounds = number + 1


def _once(each: Taken, expected: str, cache: Path, take: Taker) -> dict[str, Any] | None:
    """A sample, if there is one and its result is right."""
    try:
        taken = take(each.subject, each.rows, cache)
    except Failed as error:
        each.problem = str(error)
    else:
        if taken["digest"] == expected or not each.subject.alike:
            return taken
        each.problem = "differs: its results are others, so no figure counts"
    each.samples.clear()
    return None


def planned(work: Work, rows: int | None, systems: set[str] | None) -> Report:
    """The empty report of a work on some rows, by the systems named besides the first subject."""
    all_rows = (rows or work.rows) if work.rows else 0
    taken = [
        Taken(each, max(1, round(all_rows * each.system.share * each.share)) if all_rows else 0)
        for number, each in enumerate(work.subjects)
        if number == 0 or systems is None or each.name in systems or each.name == work.minus
    ]
    return Report(work, taken)


def steps(report: Report, rounds: int) -> int:
    """How often `measured` says what it is doing, about: for a bar."""
    kinds = len({each.rows for each in report.taken})
    return kinds * len(report.work.data) + kinds + len(report.taken) - 1 + rounds * len(report.taken)


def machine() -> Iterator[tuple[str, object]]:
    """Where it was measured, and with what."""
    import platform

    import numpy
    import pandas
    import pyarrow

    yield "python", platform.python_version()
    yield "system", platform.system()
    yield "cores", os.cpu_count()
    yield from ((module.__name__, module.__version__) for module in (numpy, pandas, pyarrow))
