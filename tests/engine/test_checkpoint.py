"""A saved state is read back as it was; a file that is not what was written is refused."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, make_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import flower as fl
from flower.engine.checkpoint import STORED, packed, unpacked
from flower.engine.embedded import Driver, Options
from flower.engine.parts import Found, Parts, Writing
from flower.engine.runs import Run
from flower.engine.state import KeyedState
from flower.errors import RunError
from flower.io.storage import storage

AGGREGATES = {
    "rows": "count",
    "some": ("x", "count"),
    "total": ("n", "sum"),
    "mean": ("x", "mean"),
    "low": ("x", "min"),
    "high": ("t", "max"),
    "least": ("k", "min"),
    "spread": ("x", "std"),
    "first": ("k", "first"),
    "last": ("x", "last"),
    "kinds": ("k", "nunique"),
    "numbers": ("x", "nunique"),
    "ever": ("flag", "max"),
}


def states(windows: Any, keys: tuple[str, ...], **how: Any) -> list[KeyedState]:
    """The state after every epoch of a run in which windows open, fire, merge and expire."""
    n = 200
    frame = pd.DataFrame(
        {
            "t": pd.Timestamp("2000-01-01", tz="UTC") + pd.to_timedelta(np.arange(n) * 700 % 60_000, unit="ms"),
            "k": ["a", None, "b", "cc"] * (n // 4),
            "n": np.arange(n) % 7,
            "x": np.where(np.arange(n) % 5 == 0, np.nan, np.arange(n) / 4),
            "flag": np.arange(n) % 3 == 0,
        }
    ).sort_values("t")
    stream = fl.read.frame(frame, event_time="t", watermark=fl.BoundedDisorder("5s")).window(windows, **how)
    node = (stream.groupby(*keys) if keys else stream).agg(**AGGREGATES).node
    driver = Driver([node], Options.make(epoch_rows=9))
    found = []
    while not driver.over():
        plan = driver.next_epoch()
        assert plan is not None
        found += driver.run(plan).state.keyed.values()
    driver.close()
    return found


def same(a: Any, b: Any) -> bool:
    """Whether two states are equal, column by column and dtype by dtype."""
    if isinstance(a, np.ndarray):
        return (
            isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind in "fmM")
        )
    if isinstance(a, pa.Array):
        return isinstance(b, pa.Array) and a.type == b.type and str(a.to_pylist()) == str(b.to_pylist())
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if hasattr(a, "__dataclass_fields__"):
        names = [each.name for each in fields(a) if each.init]
        return type(a) is type(b) and all(same(getattr(a, name), getattr(b, name)) for name in names)
    return bool(a == b)


EVERY = [
    (fl.FixedWindows("5s"), {}),
    (fl.SlidingWindows("6s", every="2s"), {"trigger": fl.AfterWatermark(early=fl.AfterProcessingTime("1h"))}),
    (
        fl.FixedWindows("5s"),
        {
            "trigger": fl.AfterWatermark(early=fl.AfterCount(3), late=fl.AfterCount(2)),
            "accumulation": "discarding",
            "allowed_lateness": "10s",
            "timestamp_combiner": "earliest",
        },
    ),
    (fl.Sessions("1s"), {"trigger": fl.AfterWatermark(early=fl.AfterCount(1)), "allowed_lateness": "10s"}),
    (fl.CountWindows(7), {"timestamp_combiner": "earliest"}),
    (fl.GlobalWindows(), {"trigger": fl.AfterWatermark(early=fl.AfterCount(5)), "timestamp_combiner": "latest"}),
    (fl.SlidingWindows("6s", every="2s"), {"ttl": "2s", "allowed_lateness": "10s"}),
]


@pytest.mark.parametrize("keys", [(), ("k",), ("n",), ("k", "flag"), ("x",)], ids=str)
@pytest.mark.parametrize("windows, how", EVERY, ids=lambda each: repr(each)[:30])
def test_every_state_is_read_back_as_it_was(tmp_path: Path, windows: Any, how: Any, keys: tuple[str, ...]) -> None:
    writing = Writing(Parts(storage(tmp_path)), "1")
    held = 0
    for state in states(windows, keys, **how):
        stored = writing.state(state)
        there, told = Parts(storage(tmp_path)).state(stored.name)
        assert same(there, state)
        assert told == stored
        held += state.groups
    assert held > 0


def test_states_that_differ_are_told_apart_by_this_test() -> None:
    early, *_, late = states(fl.FixedWindows("5s"), ("k",))
    assert not same(early, late)


LEAVES = {
    "numbers": np.array([2**62, -(2**63), 2**63 - 1]),
    "bytes": np.array([0, 255], np.uint8),
    "bools": np.array([True, False, True]),
    "floats": np.array([np.nan, np.inf, -0.0]),
    "halves": np.array([0.5, np.nan], np.float32),
    "times": np.array(["2000-01-01T12", "NaT"], "M8[us]"),
    "spans": np.array([5, -1], "m8[ns]"),
    "square": np.arange(6).reshape(2, 3),
    "none": np.zeros(0),
    "texts": pa.array(["a", None, ""], pa.large_string()),
    "lists": pa.array([[1], None, []]),
    "nulls": pa.nulls(4),
    "codes": pa.array(["a", "b", "a"]).dictionary_encode(),
    "slice": pa.array([1, None, 3])[1:],
    "batch": pa.record_batch({"a": [1, 2], "b": ["x", None]}),
    "empty batch": pa.RecordBatch.from_pylist([], schema=pa.schema({"a": pa.int64()})),
    "large": 2**70,
    "small": 0.1,
    "odd": (float("inf"), float("-inf")),
    "flags": (True, False, None, 1, 1.0, "1"),
    "maps": {1: (), "1": {"deep": (np.array([1]),)}},
}


@pytest.mark.parametrize("name", LEAVES)
def test_every_kind_of_leaf_is_read_back_as_it_was(name: str) -> None:
    found = unpacked(packed((LEAVES[name], 1)), name)[0]
    assert type(found) is type(LEAVES[name])
    assert same(found, LEAVES[name])


def test_what_is_no_column_is_refused_by_its_place() -> None:
    with pytest.raises(RunError, match=r"got a ndarray at tuple\[1\]\['a'\] \(dtype object\)"):
        packed((1, {"a": np.array(["x"], object)}))
    with pytest.raises(RunError, match=r"got a set at tuple\[0\]"):
        packed(({1},))
    with pytest.raises(RunError, match="got a Foreign at Foreign"):
        packed(Foreign(1))


@dataclass(frozen=True)
class Foreign:
    number: int


def test_a_class_with_a_new_field_reads_what_was_stored_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STORED, "Foreign", Foreign)
    stored = packed(Foreign(1))
    later = make_dataclass("Foreign", [("number", int), ("added", str, field(default="as before"))], frozen=True)
    monkeypatch.setitem(STORED, "Foreign", later)
    assert unpacked(stored, "old") == later(1, "as before")
    needs = make_dataclass("Foreign", [("number", int), ("added", str)], frozen=True)
    monkeypatch.setitem(STORED, "Foreign", needs)
    with pytest.raises(RunError, match=r"'old' must be of this version of Flower; got a Foreign without \['added'\]"):
        unpacked(stored, "old")


def test_parts_that_are_stored_elsewhere_are_asked_for() -> None:
    state = states(fl.FixedWindows("5s"), ("k",))[3]
    elsewhere: list[Any] = []

    def apart(value: Any) -> Any:
        if not isinstance(value, Run):
            return None
        elsewhere.append(value)
        return len(elsewhere) - 1

    data = packed(state, apart)
    assert elsewhere
    assert len(data) < len(packed(state))
    assert same(unpacked(data, "state", elsewhere.__getitem__), state)


@pytest.mark.parametrize("at", range(0, 3000, 97))
def test_every_flipped_bit_is_noticed(at: int) -> None:
    data = bytearray(packed(states(fl.FixedWindows("5s"), ("k",))[3]))
    at %= len(data)
    data[at] ^= 16
    with pytest.raises(RunError, match="must be as it was written"):
        unpacked(bytes(data), "flipped")


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:60] + bytes([b[60] ^ 1]) + b[61:], lambda b: b""])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, damage: Any) -> None:
    parts = Parts(storage(tmp_path))
    stored = Writing(parts, "1").state(states(fl.FixedWindows("5s"), ("k",))[3])
    path = tmp_path / "parts" / stored.name
    path.write_bytes(damage(path.read_bytes()))
    for whole in (True, False):
        with pytest.raises(RunError, match=rf"{stored.name}' must be as it was written"):
            Found(parts, whole=whole)({"state": stored.name})


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"parts/gone' of a checkpoint must be there; got no such file; .*workers share"):
        Parts(storage(tmp_path)).state("gone")
