"""Views of panes: the vectorised rule against a plain one."""

import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flower.errors import GraphError
from flower.model.panes import instants, pane_schema, view_of
from flower.model.time import MAX_TIME, MIN_TIME
from flower.model.windowing import Windowing
from flower.model.windows import FixedWindows, GlobalWindows, Sessions

KEYS = [pa.field("k", pa.large_string()), pa.field("j", pa.int64())]
AGGREGATES = [pa.field("n", pa.int64()), pa.field("most", pa.float64()), pa.field("one", pa.large_string())]
COMBINE = {"n": "sum", "most": "max", "one": "last"}
OTHERWISE = {"n": "min", "most": "sum", "one": "first"}


def batch(rows: list[dict], windowing: Windowing) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, pane_schema(KEYS, AGGREGATES, windowing))


def key_and_window(row: dict) -> tuple:
    return row["k"], row["j"], row["window_start"], row["window_end"]


def plain_view(rows: list[dict], windowing: Windowing, combine: dict | None) -> list[dict]:
    """The rule, one pane after the other."""
    discarding = windowing.accumulation == "discarding"
    if discarding and combine is None:
        return in_order(rows)
    shown = {}
    for row in rows:
        parts = []
        for window in row.get("pane_absorbs", ()):
            absorbed = shown.pop((row["k"], row["j"], window["start"], window["end"]), None)
            parts += [absorbed] if absorbed else []
        known = shown.pop(key_and_window(row), None)
        parts += [known] if known else []
        shown[key_and_window(row)] = added_up([*parts, row], combine) if discarding else row
    return in_order(shown.values())


COMBINATIONS = {
    "sum": sum,
    "min": lambda values: min(values, default=None),
    "max": lambda values: max(values, default=None),
    "first": lambda values: values[0] if values else None,
    "last": lambda values: values[-1] if values else None,
}


def added_up(parts: list[dict], combine: dict) -> dict:
    total = dict(parts[-1])
    for name, how in combine.items():
        values = [part[name] for part in parts if part[name] is not None and not math.isnan(number(part[name]))]
        total[name] = COMBINATIONS[how](values)
    return total


def number(value) -> float:
    return value if isinstance(value, (int, float)) else 0.0


def in_order(rows) -> list[dict]:
    def last_if_missing(value):
        return (value is None, value)

    names = ("window_end", "window_start", "k", "j")
    return sorted(rows, key=lambda row: [last_if_missing(row[name]) for name in names])


def comparable(rows: list[dict]) -> list[dict]:
    return [{**row, "most": None if row["most"] is None or math.isnan(row["most"]) else row["most"]} for row in rows]


def values(code: int) -> dict:
    """Some values of one row; drawn as one number, which hypothesis does faster than eight."""

    def one_of(*options):
        nonlocal code
        code, i = divmod(code, len(options))
        return options[i]

    return {
        "k": one_of("a", "b", None),
        "j": one_of(1, None),
        "n": one_of(-3, 1, 2, None),
        "most": one_of(-1.5, 0.0, 2.0, math.nan),
        "one": one_of("x", "y", None),
        "pane_timing": one_of("early", "on_time", "late"),
        "pane_index": one_of(0, 1, 2),
        "pane_final": one_of(False, True),
    }


ROWS = st.lists(st.integers(0, 3 * 2 * 4 * 4 * 3 * 3 * 3 * 2 - 1).map(values), max_size=12)


@st.composite
def panes_of_fixed_windows(draw):
    rows = draw(ROWS)
    starts = [10 * draw(st.integers(-2, 1)) for _ in rows]
    return [
        {**r, "window_start": s, "window_end": s + 10, "event_time": s + 9} for r, s in zip(rows, starts, strict=True)
    ]


@st.composite
def panes_of_sessions(draw):
    """Sessions of each key that grow by rows, in epochs, and name what they absorb."""
    live: dict[tuple, list[list]] = {}
    rows = []
    for row in draw(ROWS):
        start = draw(st.integers(0, 15))
        window, absorbs = (start, start + 6), []
        of_key = live.setdefault((row["k"], row["j"]), [])
        for other in [other for other in of_key if other[0][0] < window[1] and window[0] < other[0][1]]:
            window = (min(window[0], other[0][0]), max(window[1], other[0][1]))
            of_key.remove(other)
            absorbs += [other[0]] if other[1] else []
            absorbs += other[2]
        absorbs = [each for each in absorbs if each != window]
        emitted = draw(st.booleans())
        of_key.append([window, emitted, [] if emitted else absorbs])
        if emitted:
            bounds = {"window_start": window[0], "window_end": window[1], "event_time": window[1] - 1}
            rows.append({**row, **bounds, "pane_absorbs": [{"start": s, "end": e} for s, e in absorbs]})
    return rows


@pytest.mark.parametrize("combine", [None, COMBINE, OTHERWISE])
@pytest.mark.parametrize("accumulation", ["accumulating", "discarding"])
@given(fixed=panes_of_fixed_windows(), sessions=panes_of_sessions(), cut=st.integers(0, 3))
def test_a_view_is_that_of_the_plain_rule(accumulation, combine, fixed, sessions, cut):
    for windows, rows in ((FixedWindows("10us"), fixed), (Sessions("6us"), sessions)):
        windowing = Windowing.make(windows, accumulation=accumulation, allowed_lateness="unbounded")
        panes = batch(rows, windowing)
        expected = batch(plain_view(rows[cut:], windowing, combine), windowing).to_pylist()
        view = view_of(panes.slice(cut), ("k", "j"), windowing, combine)
        assert comparable(view.to_pylist()) == comparable(expected)
        chunks = pa.Table.from_batches([panes.slice(cut, 2), panes.slice(cut + 2)])
        assert view_of(chunks, ("k", "j"), windowing, combine).to_pylist().__repr__() == view.to_pylist().__repr__()


def test_one_aggregate_without_a_combination_keeps_all_panes():
    windowing = Windowing.make(GlobalWindows(), accumulation="discarding", allowed_lateness="1s")
    row = {
        "k": "a",
        "j": 1,
        "n": 1,
        "most": 1.0,
        "one": "x",
        "pane_timing": "early",
        "pane_index": 0,
        "pane_final": False,
    }
    panes = batch([row, {**row, "pane_index": 1}], windowing)
    assert len(view_of(panes, ("k", "j"), windowing, {"n": "sum", "most": "max"})) == 2
    assert len(view_of(panes, ("k", "j"), windowing, COMBINE)) == 1


def test_combined_panes_have_the_earliest_event_time_where_panes_have_that_of_their_earliest_row():
    row = {"k": "a", "j": 1, "window_start": 0, "window_end": 9, "n": 1, "most": 1.0, "one": "x"}
    row |= {"pane_timing": "early", "pane_index": 0, "pane_final": False}
    for combiner, expected in (("earliest", 2), ("latest", 7), ("end_of_window", 5)):
        windowing = Windowing.make(
            FixedWindows("9us"), accumulation="discarding", allowed_lateness="1s", timestamp_combiner=combiner
        )
        panes = batch([{**row, "event_time": time} for time in (7, 2, 5)], windowing)
        view = view_of(panes, ("k", "j"), windowing, COMBINE)
        assert view["event_time"].cast(pa.int64()).to_pylist() == [expected]


@pytest.mark.parametrize("windows", [FixedWindows("1s"), Sessions("1s"), GlobalWindows()])
@pytest.mark.parametrize("accumulation", ["accumulating", "discarding"])
def test_no_panes_are_an_empty_view_of_the_same_columns(windows, accumulation):
    windowing = Windowing.make(windows, accumulation=accumulation, allowed_lateness="unbounded")
    view = view_of(batch([], windowing), ("k", "j"), windowing, COMBINE)
    assert (len(view), view.schema) == (0, pane_schema(KEYS, AGGREGATES, windowing))


def test_only_the_global_window_lacks_its_ends():
    for windows, nullable in ((FixedWindows("1s"), False), (Sessions("1s"), False), (GlobalWindows(), True)):
        schema = pane_schema(KEYS, AGGREGATES, Windowing.make(windows))
        assert [schema.field(name).nullable for name in ("window_start", "window_end", "event_time")] == [nullable] * 3


def test_the_ends_of_time_are_shown_as_nothing():
    times = pa.array([MIN_TIME, -1, MAX_TIME], pa.int64()).to_numpy()
    assert instants(times).cast(pa.int64()).to_pylist() == [None, -1, None]


@pytest.mark.parametrize(
    ("keys", "aggregates", "told"),
    [
        (["window_end"], ["n"], "key 'window_end'"),
        (["k"], ["event_time"], "aggregate 'event_time'"),
        (["k"], ["k"], "aggregate 'k' twice"),
        (["k"], ["n", "n"], "aggregate 'n' twice"),
    ],
)
def test_names_that_meet_are_refused(keys, aggregates, told):
    fields = [[pa.field(name, pa.int64()) for name in names] for names in (keys, aggregates)]
    with pytest.raises(GraphError, match=told):
        pane_schema(*fields, Windowing.make(FixedWindows("1s")))


def test_increments_of_sessions_that_were_absorbed_one_by_the_other_end_up_in_the_last():
    windowing = Windowing.make(Sessions("6us"), accumulation="discarding", allowed_lateness="1s")
    ends = [6, 8, 11, 15, 20]
    rows = []
    for i, end in enumerate(ends):
        row = {**values(0), "n": 10**i, "window_start": 0, "window_end": end, "event_time": end - 1}
        rows.append({**row, "pane_absorbs": [{"start": 0, "end": ends[i - 1]}] if i else []})
    view = view_of(batch(rows, windowing), ("k", "j"), windowing, COMBINE)
    assert view["n"].to_pylist() == [11111]
    assert view["window_end"].cast(pa.int64()).to_pylist() == [20]
