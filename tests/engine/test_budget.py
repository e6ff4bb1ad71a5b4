"""State that outgrows its budget fails the run clearly, on every executor, before memory does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import flower as fl
from flower.engine import budget
from flower.errors import GraphError, RunError

N = 20_000
MANY = pd.DataFrame({"t": pd.date_range("2000-01-01", periods=N, freq="1s", tz="UTC"), "k": range(N)})
KEYED = fl.read.frame(MANY, event_time="t").window(fl.FixedWindows("1D")).groupby("k").agg(n="count")


def test_a_run_past_its_budget_fails_and_names_the_step_its_bytes_and_the_remedies(executor: Any) -> None:
    run = KEYED.named("per key").run(executor, state_budget="200kB", epoch_rows=2_000)
    with pytest.raises(RunError) as told:
        run.wait(progress=False)
    text = str(told.value)
    assert text.startswith("step 'per key': the state must stay within 200.0 kB; got ")
    assert "(key, window) pairs" in text
    for remedy in ("ttl=", "allowed_lateness=", "smaller windows", ".run(client)", "state_budget="):
        assert remedy in text
    assert run.state == "failed"
    assert 0 < run.metrics.state_bytes <= 200_000, "the epoch that would have gone past it is not adopted"


def test_a_run_within_its_budget_finishes(executor: Any) -> None:
    assert len(KEYED.run(executor, state_budget="1GB").wait(progress=False).results) == N


def test_the_budget_is_that_of_all_steps_together() -> None:
    held = {"one": (10, 600), "two": (20, 500)}
    budget.check(held, 1_100)
    with pytest.raises(RunError, match=r"step 'one': the state must stay within 1\.1 kB; got 1\.1 kB, of which"):
        budget.check(held, 1_099)


def test_by_default_it_is_half_of_what_the_machine_or_its_container_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine = budget.memory()
    assert machine is not None
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "none").write_text("max\n")
    monkeypatch.setattr(budget, "_LIMITS", (str(tmp_path / "none"), str(tmp_path / "memory.max"), "missing"))
    assert budget.memory() == 1_000_000
    run = KEYED.run(epoch_rows=5_000)
    with pytest.raises(RunError, match=r"within 500\.0 kB"):
        run.wait(progress=False)


@pytest.mark.parametrize("size", ["2", 2_000, "2 apples", "0GB", "-1GB", ""])
def test_what_is_no_size_is_refused(size: Any) -> None:
    with pytest.raises(GraphError, match="`state_budget` must be a size above 0"):
        KEYED.run(state_budget=size)
