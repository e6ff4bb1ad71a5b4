"""A run that dies at any instruction, and is started again, gives what an uninterrupted one gives."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recovery_faults import KINDS, Death, Faults
from recovery_job import outcome, prepare, run
from scripted import examples

from flower.engine import embedded
from flower.engine.recovery import Recovery
from flower.engine.results import Results
from flower.errors import FlowerError
from flower.io.epoch_files import EpochFiles
from flower.io.journal import JournalWriter

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),  # of threads that die
]

FEW = 40
"""Rows of an epoch, where every single step is tried."""


class Jobs:
    """The job's input, and what comes out if nothing goes wrong."""

    def __init__(self, directory: Path) -> None:
        self.source, self._directory, self._runs = directory / "source", directory, 0
        prepare(self.source)
        self.expected = cache(self._expected)
        self.steps = cache(self._steps)

    def _expected(self, epoch_rows: int) -> dict[str, Any]:
        out = self.fresh()
        return outcome(run(self.source, out, None, epoch_rows=epoch_rows), out)

    def _steps(self, epoch_rows: int) -> int:
        """How often the disk is asked for something if nothing goes wrong."""
        faults, out = Faults(), self.fresh()
        with faults.at_work():
            driver = run(self.source, out, out / "checkpoint", epoch_rows=epoch_rows, faults=faults)
        assert outcome(driver, out) == self.expected(epoch_rows)
        return faults.count

    def fresh(self) -> Path:
        self._runs += 1
        return self._directory / f"{self._runs}"

    def survives(self, faults: list[Faults], epoch_rows: int = 12, naive: bool = False) -> list[str]:
        """Run the job under faults, one process after another, then to its end; the naive control's rows."""
        out = self.fresh()
        for each in faults:
            with each.at_work():
                try:
                    driver = run(self.source, out, out / "c", epoch_rows=epoch_rows, faults=each, naive=naive)
                except (Death, FlowerError, OSError):
                    assert each.fired
        driver = run(self.source, out, out / "c", epoch_rows=epoch_rows, naive=naive)
        assert outcome(driver, out) == self.expected(epoch_rows), [each.fired for each in faults]
        control = (out / "naive.jsonl").read_text().splitlines() if naive else []
        shutil.rmtree(out)
        return control


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Jobs:
    return Jobs(tmp_path_factory.mktemp("jobs"))


def faults_of(seed: int, steps: int) -> list[Faults]:
    """One to three processes that go wrong; the first surely: how often a journal is written varies a little."""
    chance = random.Random(seed)
    first = Faults(chance.randrange(steps * 9 // 10), chance.choice(KINDS))
    return [first, *(Faults(chance.randrange(steps), chance.choice(KINDS)) for _ in range(chance.randrange(3)))]


@pytest.mark.chaos
@examples(50)
@given(seed=st.integers(0, 2**32))
def test_no_row_is_lost_and_no_pane_comes_twice_whatever_goes_wrong(jobs: Jobs, seed: int) -> None:
    faults = faults_of(seed, jobs.steps(12))
    jobs.survives(faults)
    assert faults[0].fired


def test_every_thing_that_is_asked_of_the_disk_may_be_the_last(jobs: Jobs) -> None:
    steps = jobs.steps(FEW)
    for at in range(steps):
        faults = Faults(at, KINDS[at % 3])
        jobs.survives([faults], FEW)
        assert faults.fired or (at >= steps * 9 // 10 and faults.count <= at)
    assert steps > 100


def test_the_same_faults_damage_a_naive_sink(jobs: Jobs) -> None:
    whole = sorted(jobs.survives([], naive=True))
    assert len(whole) == len(set(whole)) > 50
    doubled = 0
    for seed in range(12):
        faults = faults_of(seed, jobs.steps(12))
        rows = jobs.survives(faults, naive=True)
        assert faults[0].fired
        doubled += len(rows) != len(set(rows)) or sorted(rows) != whole
    assert doubled > 0


STEPS: list[tuple[type | Any, str]] = [
    (Recovery, "open"),
    (Recovery, "planned"),
    (embedded, "run_epoch"),
    (EpochFiles, "open"),
    (EpochFiles, "stage"),
    (Recovery, "commit"),
    (EpochFiles, "commit"),
    (EpochFiles, "sweep"),
    (Results, "add"),
    (Recovery, "save"),
    (Recovery, "replanned"),
    (JournalWriter, "append"),
    (JournalWriter, "finish"),
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("where, what", STEPS, ids=lambda each: getattr(each, "__name__", each))
def test_a_process_may_end_at_every_step_of_an_epoch(jobs: Jobs, where: Any, what: str, after: bool) -> None:
    died = 0
    for number in dying(where, what, after, [0, 1, 2, 5]):
        out = jobs.fresh()
        for die in (Faults(60).at_work, number, number):
            try:
                with die() as faults:
                    run(jobs.source, out, out / "c", epoch_rows=FEW, faults=faults)
            except Death:
                died += die is number
        driver = run(jobs.source, out, out / "c", epoch_rows=FEW)
        assert outcome(driver, out) == jobs.expected(FEW)
    assert died > 0


def dying(where: Any, what: str, after: bool, numbers: list[int]) -> Iterator[Callable[[], Any]]:
    """Per number, what has the process die at that call of ``where.what``."""
    from contextlib import contextmanager

    real = getattr(where, what)

    for number in numbers:

        @contextmanager
        def at_work(number: int = number) -> Iterator[Faults]:
            faults, calls = Faults(), iter(range(1_000))

            def asked(*arguments: Any, **named: Any) -> Any:
                due = next(calls) == number
                if due and not after:
                    faults.dead = True
                    raise Death(what)
                done = real(*arguments, **named)
                if due:
                    faults.dead = True
                    raise Death(what)
                return done

            with faults.at_work(), pytest.MonkeyPatch.context() as patch:
                patch.setattr(where, what, asked)
                yield faults

        yield at_work
