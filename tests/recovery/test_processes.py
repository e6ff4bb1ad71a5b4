"""Code with state and timers goes on after its process has died: between a timer's setting and its firing, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pausing import paused, some_epochs

import flower as fl
from flower.engine.inspection import inspect
from flower.errors import RunError
from flower.testing import ManualClock

START = pd.Timestamp("2000-01-01T12:00:00Z")
MINUTE = pd.Timedelta("1min")


def frame(n: int = 30) -> pd.DataFrame:
    return pd.DataFrame({"t": START + pd.to_timedelta(range(n), unit="s"), "k": list("abc") * (n // 3), "v": range(n)})


class Waits:
    """Gives what it has after a minute, by the event time and by the clock."""

    def on_rows(self, key: Any, rows: pd.DataFrame, state: Any, timers: Any) -> None:
        state.n += len(rows)
        state.values += rows["v"].tolist()
        if timers.quiet.time is None:
            timers.quiet.set(rows["t"].min() + MINUTE)
            timers.due.after("1min")

    def on_timer(self, name: str, key: Any, time: pd.Timestamp, state: Any, timers: Any) -> Any:
        yield {"what": name, "n": state.n, "sum": sum(state.values)}


STATE = {"n": fl.state.Value("int64", default=0), "values": fl.state.List("int64")}
TIMERS = {"quiet": "event", "due": "processing"}


def waits(state: Any = STATE, timers: Any = TIMERS, by: Any = ("k",)) -> fl.Stream:
    rows = fl.read.frame(frame(), event_time="t").named("rows")
    schema = {"what": "str", "n": "int64", "sum": "int64"}
    return rows.groupby(*by).process(Waits, state=state, timers=timers, schema=schema).named("waits")


def test_a_timer_that_was_set_before_fires_after(tmp_path: Path) -> None:
    stopped = some_epochs(waits(), tmp_path / "c")
    assert stopped.panes().empty
    assert stopped.metrics.groups == 3
    again = waits().run(checkpoint=tmp_path / "c", epoch_rows=6).wait(progress=False)
    rows = again.panes()
    assert sorted(rows["what"]) == ["due"] * 3 + ["quiet"] * 3
    assert rows["n"].tolist() == [10] * 6
    assert rows.set_index(["k", "what"])["sum"].to_dict() == {
        (k, what): sum(range(i, 30, 3)) for i, k in enumerate("abc") for what in ("due", "quiet")
    }
    quiet = rows[rows["what"] == "quiet"]
    assert quiet["event_time"].tolist() == [START + MINUTE + pd.Timedelta(i, unit="s") for i in range(3)]


def test_a_timer_of_processing_time_goes_by_the_clock_of_the_process_that_goes_on(tmp_path: Path) -> None:
    some_epochs(waits(), tmp_path / "c", 1, clock=ManualClock(START))
    clock = ManualClock(START + pd.Timedelta("59s"))
    run = paused(waits(), tmp_path / "c", clock=clock).step()
    assert run.panes().empty
    clock.advance("1s")
    run.step()
    rows = run.panes()
    assert rows["what"].tolist() == ["due"] * 3
    assert rows["n"].tolist() == [6] * 3
    run.stop()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            {"state": {**STATE, "n": fl.state.Value("float64", default=0)}},
            r"step 'waits': state 'n' was Value\('int64', default=0\), and is Value\('float64', default=0.0\)",
        ),
        (
            {"state": {**STATE, "values": fl.state.Set("int64")}},
            r"step 'waits': state 'values' was List\('int64'\), and is Set\('int64'\)",
        ),
        (
            {"state": {**STATE, "more": fl.state.Map("str", "int64")}},
            r"step 'waits': state 'more' was not there, and is Map\('str', 'int64'\)",
        ),
        ({"state": {"n": STATE["n"]}}, r"step 'waits': state 'values' was List\('int64'\), and is not there"),
        (
            {"timers": {"quiet": "processing", "due": "processing"}},
            "step 'waits': timer 'quiet' was of event time, and is of processing time",
        ),
        ({"timers": {"quiet": "event"}}, "step 'waits': timer 'due' was of processing time, and is not there"),
        ({"by": ("k", "v")}, "step 'waits': keys was k: str, and is k: str, v: int64"),
    ],
)
def test_what_is_remembered_otherwise_is_refused_by_name(tmp_path: Path, changed: Any, told: str) -> None:
    some_epochs(waits(), tmp_path / "c")
    with pytest.raises(RunError, match=told) as caught:
        waits(**changed).run(checkpoint=tmp_path / "c")
    assert "undo that, or begin anew with another directory" in str(caught.value)


def test_the_order_in_which_state_is_declared_does_not_matter(tmp_path: Path) -> None:
    some_epochs(waits(), tmp_path / "c")
    turned = waits(dict(reversed(STATE.items())), dict(reversed(TIMERS.items())))
    assert turned.run(checkpoint=tmp_path / "c").wait(progress=False).panes()["n"].tolist() == [10] * 6


def test_a_checkpoint_tells_of_how_many_keys_something_is_remembered(tmp_path: Path) -> None:
    some_epochs(waits(), tmp_path / "c")
    assert "waits: by k: str: 3 keys," in str(inspect(str(tmp_path / "c")))


def test_state_is_kept_as_columns_of_the_declared_dtypes(tmp_path: Path) -> None:
    some_epochs(waits(), tmp_path / "c")
    (step,) = paused(waits(), tmp_path / "c")._driver.state.keyed.values()
    (table,) = step.tables
    kinds = [str(kind) for kind in table.columns.schema.types]
    assert kinds == ["int64", "large_string", "int64", "large_list<item: int64>", *["int64"] * 4]
