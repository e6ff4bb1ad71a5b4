"""The steps without state: what fails becomes an error row, the others go on, and event time follows each row."""

import json
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flower.engine.isolate import MAX_CALLS, PROBES, isolate
from flower.engine.rowwise import NO_VALUE, RAISED, WRONG, apply_step
from flower.errors import SchemaError
from flower.graph.batch import Batch, constant
from flower.graph.expressions import FrameFunction, expression
from flower.graph.nodes import Assign, Filter, FlatMapRows, MapFrames, Node, Read, Select
from flower.graph.protocols import ERROR_SCHEMA
from flower.graph.schema import columns_of, frame_of, schema_of
from flower.model.watermarks import BoundedDisorder


class Rows:
    """A source that is only asked for its columns."""

    label, bounded = "rows", True

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema


def batch_of(**columns) -> Batch:
    rows = columns_of(pd.DataFrame(columns))
    n = rows.num_rows
    return Batch(rows, np.arange(n) * 10, np.arange(n) * 10 - 1, constant(3, n), np.arange(n) + 100)


def reading(batch: Batch) -> Read:
    return Read(Rows(batch.rows.schema), None, "UTC", None, BoundedDisorder("0s"))


def run(node: Node, batch: Batch) -> tuple[Batch, pd.DataFrame]:
    result, errors = apply_step(node, batch, "step-1")
    assert errors.schema == ERROR_SCHEMA
    assert result.rows.schema == node.schema
    assert len(result) == result.rows.num_rows == len(result.met) == len(result.partition) == len(result.position)
    assert (result.met == result.time - 1).all()
    assert (result.position == result.time // 10 + 100).all()
    assert (result.partition == 3).all()
    return result, frame_of(errors)


def kept(batch: Batch) -> list[int]:
    return (batch.time // 10).tolist()


def mapped(fn, batch: Batch, **schema: str) -> MapFrames:
    return MapFrames(reading(batch), FrameFunction(fn), schema_of(schema))


def flat(fn, batch: Batch, **schema: str) -> FlatMapRows:
    return FlatMapRows(reading(batch), FrameFunction(fn), schema_of(schema))


def test_a_filter_keeps_the_rows_where_it_holds():
    batch = batch_of(a=[1, 2, 3], s=["x", None, "y"])
    result, errors = run(Filter(reading(batch), expression("a > 1 and s != 'z'", batch.rows.schema)), batch)
    assert kept(result) == [1, 2]
    assert errors.empty


def test_a_row_without_a_value_is_an_error_and_the_others_go_on():
    batch = batch_of(a=[1, 0, 3], s=["x", "ü", None])
    result, errors = run(Filter(reading(batch), expression("6 // a > 1", batch.rows.schema)), batch)
    assert kept(result) == [0, 2]
    assert errors.to_dict("records") == [
        {
            "step": "step-1",
            "reason": NO_VALUE,
            "error": "an integer was divided by zero, in `6 // a > 1`",
            "source": errors["source"][0],
            "partition": 3,
            "position": 101,
            "row": '{"a": 0, "s": "ü"}',
        }
    ]
    assert errors["source"].isna().all()


def test_columns_are_selected_renamed_and_repeated():
    batch = batch_of(a=[1], b=["x"])
    result, _ = run(Select(reading(batch), (("c", "b"), ("a", "a"), ("d", "a"))), batch)
    assert result.rows.to_pydict() == {"c": ["x"], "a": [1], "d": [1]}


def test_assigned_columns_see_those_before_them_and_lose_their_failing_rows():
    batch = batch_of(a=[1, 0, 3, 5])
    schema = batch.rows.schema
    node = Assign(
        reading(batch),
        (
            ("b", expression("60 // a", schema)),
            ("c", FrameFunction(lambda f: f["b"] * 2)),
            ("a", expression("c - 40", schema.append(pa.field("c", pa.int64(), nullable=False)))),
            ("d", FrameFunction(lambda f: 1 / f["a"].where(f["a"] != 0).astype("float64"))),
        ),
    )
    result, errors = run(node, batch)
    assert result.rows.to_pydict() == {
        "a": [80, 0, -16],
        "b": [60, 20, 12],
        "c": [120, 40, 24],
        "d": pytest.approx([1 / 80, np.nan, -1 / 16], nan_ok=True),
    }
    assert kept(result) == [0, 2, 3]
    assert errors["position"].tolist() == [101]


def test_one_row_in_a_million_that_raises_is_one_error():
    n = 1_000_000
    batch = batch_of(a=np.arange(n))
    calls = []

    def strict(frame):
        calls.append(len(frame))
        if (frame["a"] == 777_777).any():
            raise ValueError("not this one")
        return frame["a"] >= 0

    result, errors = run(Filter(reading(batch), FrameFunction(strict)), batch)
    assert len(result) == 999_999
    assert 777_777 not in kept(result)
    assert errors[["reason", "error", "position", "row"]].to_dict("records") == [
        {"reason": RAISED, "error": "ValueError: not this one", "position": 777_877, "row": '{"a": 777777}'}
    ]
    assert len(calls) <= 2 * 20 + 2
    assert sum(calls) <= 3 * n + 1


def test_a_function_that_always_raises_costs_a_bounded_number_of_calls():
    batch = batch_of(a=np.arange(10_000))
    calls = []

    def broken(frame):
        calls.append(len(frame))
        raise KeyError("nope")

    for node in (
        Filter(reading(batch), FrameFunction(broken)),
        mapped(broken, batch, a="int64"),
    ):
        calls.clear()
        result, errors = run(node, batch)
        assert len(result) == 0
        assert len(errors) == 10_000
        assert len(calls) == 1 + PROBES
        assert errors["error"].str.startswith("KeyError: 'nope'").all()


def test_a_function_that_raises_on_every_second_row_stops_being_cut_up_in_the_end():
    calls = 0

    def call(start, stop):
        nonlocal calls
        calls += 1
        if stop - start > 1 or start % 2:
            raise ValueError
        return start

    done = isolate(call, 3 * MAX_CALLS)
    assert calls <= MAX_CALLS + PROBES + 40
    assert any(stop - start > 1 for start, stop, _ in done.failures)
    ranges = sorted([(a, b) for a, b, _ in done.results] + [(a, b) for a, b, _ in done.failures])
    assert ranges[0][0] == 0
    assert ranges[-1][1] == 3 * MAX_CALLS
    assert all(before[1] == after[0] for before, after in pairwise(ranges))


@given(st.lists(st.booleans(), max_size=200))
def test_exactly_the_rows_that_fail_are_found(bad):
    def call(start, stop):
        if any(bad[start:stop]):
            raise ValueError
        return list(range(start, stop))

    done = isolate(call, len(bad))
    if all(bad):
        assert sum(stop - start for start, stop, _ in done.failures) == len(bad)
    elif len(bad) <= PROBES or not all(bad[i * len(bad) // PROBES] for i in range(PROBES)):
        assert [row for _, _, rows in done.results for row in rows] == [i for i, b in enumerate(bad) if not b]
        assert [start for start, _, _ in done.failures] == [i for i, b in enumerate(bad) if b]


def test_a_function_may_change_its_frame():
    batch = batch_of(a=[1, 2], s=["x", "y"], t=pd.to_datetime(["2020", "2021"], utc=True))
    before = batch.rows.to_pydict()

    def careless(frame):
        frame["a"] *= 100
        frame.loc[frame.index[0], "s"] = "changed"
        frame.loc[frame.index[0], "t"] = pd.NaT
        del frame["a"]
        return pd.Series([True, True])

    result, errors = run(Filter(reading(batch), FrameFunction(careless)), batch)
    assert errors.empty
    assert result.rows.to_pydict() == batch.rows.to_pydict() == before


@pytest.mark.parametrize(
    ("fn", "message"),
    [
        (lambda f: True, "a Series, a value for each row; got one bool"),
        (lambda f: None, "got NoneType"),
        (lambda f: f, "got DataFrame"),
        (lambda f: f["a"][:1], "a value for each row; got 1 for 2 rows"),
        (lambda f: f["a"], "True or False of each row; got"),
        (lambda f: (f["a"] > 0).set_axis(["x", "y"]), "keep the frame's index"),
    ],
)
def test_a_filter_that_gives_no_bool_a_row_makes_all_rows_errors(fn, message):
    batch = batch_of(a=[1, 2])
    result, errors = run(Filter(reading(batch), FrameFunction(fn)), batch)
    assert len(result) == 0
    assert len(errors) == 2
    assert set(errors["reason"]) == {WRONG}
    assert errors["error"].str.contains(message, regex=False).all()


def test_values_are_given_to_the_rows_that_their_index_names():
    batch = batch_of(a=[1, 2, 3])
    node = Assign(reading(batch), (("b", FrameFunction(lambda f: f["a"].sort_values(ascending=False) * 10)),))
    assert run(node, batch)[0].rows["b"].to_pylist() == [10, 20, 30]


def test_an_assigned_value_that_does_not_fit_the_promised_dtype_is_an_error():
    batch = batch_of(a=[1, 2, 3])
    node = Assign(reading(batch), (("b", FrameFunction(lambda f: f["a"] if f.empty else f["a"] / 2)),))
    result, errors = run(node, batch)
    assert result.rows["b"].to_pylist() == [1]
    assert errors["position"].tolist() == [100, 102]
    assert errors["error"].str.contains("the value for column 'b' is no int64").all()


def test_mapped_frames_give_the_declared_columns():
    batch = batch_of(a=[1, 2, 3], s=["x", "y", "z"])
    result, errors = run(mapped(lambda f: f.assign(b=f["a"] / 2)[["b", "s"]], batch, s="str", b="float64"), batch)
    assert result.rows.to_pydict() == {"s": ["x", "y", "z"], "b": [0.5, 1.0, 1.5]}
    assert errors.empty


@pytest.mark.parametrize(
    ("fn", "rows"),
    [
        (lambda f: f[f["a"] % 2 == 0], [0, 2, 4]),
        (lambda f: f.sort_values("a", ascending=False), [0, 1, 2, 3, 4]),
        (lambda f: f.nlargest(2, "a"), [3, 4]),
        (lambda f: f.iloc[:0], []),
        (lambda f: pd.DataFrame({"a": f["a"].to_numpy()}), [0, 1, 2, 3, 4]),
        (lambda f: f.drop(f.index[1]), [0, 2, 3, 4]),
    ],
)
def test_event_time_follows_the_rows_that_a_function_keeps(fn, rows):
    batch = batch_of(a=[0, 1, 2, 3, 4])
    result, errors = run(mapped(fn, batch, a="int64"), batch)
    assert kept(result) == result.rows["a"].to_pylist() == rows
    assert errors.empty


@pytest.mark.parametrize(
    "fn",
    [
        lambda f: f[f["a"] > 1].reset_index(drop=True),
        lambda f: f.set_index(f["a"].astype("str")),
        lambda f: pd.concat([f, f]),
        lambda f: f.groupby("a", as_index=False).sum().iloc[1:],
    ],
)
def test_a_function_that_loses_the_index_is_refused_with_the_remedy(fn):
    batch = batch_of(a=[0, 1, 2])
    result, errors = run(mapped(fn, batch, a="int64"), batch)
    assert len(result) == 0
    assert errors["error"].str.contains("leave out reset_index and set_index; to make new rows use flat_map_rows").all()


@pytest.mark.parametrize(
    ("fn", "message"),
    [
        (lambda f: f["a"], "must give back a DataFrame; got Series"),
        (lambda f: f.rename(columns={"a": "b"}), "there is no column 'a'"),
        (lambda f: f.assign(b=1), "only declared columns may come back; got 'b'"),
        (lambda f: f.assign(a="x"), "column 'a' must be int64; got str"),
    ],
)
def test_a_frame_of_other_columns_makes_its_rows_errors(fn, message):
    batch = batch_of(a=[1, 2])
    result, errors = run(mapped(fn, batch, a="int64"), batch)
    assert len(result) == 0
    assert len(errors) == 2
    assert errors["error"].str.contains(message, regex=False).all()


def test_values_that_would_lose_something_are_errors_and_the_rest_is_cast():
    batch = batch_of(a=[1.0, 2.5, np.nan, 4.0])
    result, errors = run(mapped(lambda f: f, batch, a="int64"), batch)
    assert result.rows["a"].to_pylist() == [1, 4]
    assert errors["position"].tolist() == [101, 102]
    assert errors["row"].tolist() == ['{"a": 2.5}', '{"a": null}']


def test_a_row_of_mixed_objects_is_found():
    batch = batch_of(a=range(10))
    result, errors = run(mapped(lambda f: f.assign(a=[{} if v == 7 else v for v in f["a"]]), batch, a="int64"), batch)
    assert kept(result) == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    assert errors["position"].tolist() == [107]


def test_rows_are_flat_mapped():
    batch = batch_of(a=[0, 1, 2], s=["x", None, "z"])

    def repeated(row):
        assert list(row) == ["a", "s"]
        return ({"v": row["a"] * 10 + i, "s": row["s"]} for i in range(row["a"]))

    result, errors = run(flat(repeated, batch, v="int64", s="str"), batch)
    assert result.rows.to_pydict() == {"v": [10, 20, 21], "s": [None, "z", "z"]}
    assert kept(result) == [1, 2, 2]
    assert errors.empty


@pytest.mark.parametrize(
    ("bad", "reason", "message"),
    [
        (lambda: 1 / 0, RAISED, "ZeroDivisionError: division by zero"),
        (lambda: None, WRONG, "an iterable of dicts; got NoneType"),
        (lambda: {"v": 1}, WRONG, "an iterable of dicts; got dict"),
        (lambda: [1], WRONG, "must be a dict of the columns 'v'; got int"),
        (lambda: [{"v": 1}, {"w": 1}], WRONG, "got the keys 'w'"),
        (lambda: [{"v": 1, "w": 1}], WRONG, "got the keys 'v', 'w'"),
        (lambda: [{"v": 1}, {"v": "x"}], WRONG, "is no int64"),
        (lambda: [{"v": 1}, {"v": 0.5}], WRONG, "is no int64"),
        (lambda: [{"v": None}], WRONG, "is no int64"),
        (lambda: [{"v": {}}], WRONG, "is no int64"),
        (lambda: [{"v": 2**70}], WRONG, "is no int64"),
    ],
)
def test_a_row_whose_new_rows_do_not_fit_is_an_error_as_a_whole(bad, reason, message):
    batch = batch_of(a=[0, 1, 2])
    result, errors = run(flat(lambda row: bad() if row["a"] == 1 else [{"v": row["a"]}], batch, v="int64"), batch)
    assert kept(result) == result.rows["v"].to_pylist() == [0, 2]
    assert errors["position"].tolist() == [101]
    assert errors["reason"].tolist() == [reason]
    assert message in errors["error"][0]


def test_no_rows_give_no_rows_and_call_no_function():
    def never(rows):
        raise AssertionError

    batch = batch_of(a=[1])
    empty = Batch.empty(batch.rows.schema)
    for node in (
        Filter(reading(batch), FrameFunction(never)),
        mapped(never, batch, b="str"),
        flat(never, batch, b="str"),
        Filter(reading(batch), expression("1 // a > 0", batch.rows.schema)),
        Assign(reading(batch), (("b", expression("a + 1", batch.rows.schema)),)),
    ):
        result, errors = apply_step(node, empty, "s")
        assert len(result) == errors.num_rows == 0
        assert result.rows.schema == node.schema


def test_an_error_row_is_json_whatever_is_in_it():
    batch = batch_of(
        a=[2**60],
        x=[np.inf],
        y=[np.nan],
        s=['"\n'],
        t=pd.to_datetime(["2020-01-01T00:00:00.000001"], utc=True),
        b=pd.array([None], "boolean"),
    )
    _, errors = run(mapped(lambda f: 1 / 0, batch, a="int64"), batch)
    assert json.loads(errors["row"][0]) == {
        "a": 2**60,
        "x": None,
        "y": None,
        "s": '"\n',
        "t": "2020-01-01 00:00:00.000001+00:00",
        "b": None,
    }


def test_an_exception_that_cannot_be_written_down_is_an_error_all_the_same():
    class Mute(Exception):
        def __str__(self):
            raise ValueError

    def raises(error):
        def fn(frame):
            raise error

        return fn

    batch = batch_of(a=[1])
    texts = [
        run(mapped(raises(error), batch, a="int64"), batch)[1]["error"][0]
        for error in (Mute(), ValueError("half \ud800"), ValueError("x" * 10**6))
    ]
    assert texts[:2] == ["Mute", "ValueError: half ?"]
    assert len(texts[2]) < 3000


def test_an_interrupt_is_no_error_row():
    def interrupted(frame):
        raise KeyboardInterrupt

    batch = batch_of(a=[1])
    with pytest.raises(KeyboardInterrupt):
        run(mapped(interrupted, batch, a="int64"), batch)


def test_a_range_of_which_the_function_is_of_another_kind_is_not_cut_up():
    calls = []

    def call(start, stop):
        calls.append((start, stop))
        raise SchemaError("not a frame")

    assert len(isolate(call, 100).failures) == len(calls) == 1
