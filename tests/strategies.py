"""What several tests draw from: a source in memory over a fixed schema, and random pipelines over it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
from hypothesis import strategies as st

from flower.api.stream import Stream, concat
from flower.graph.nodes import Read
from flower.model.triggers import AfterCount, AfterWatermark
from flower.model.watermarks import BoundedDisorder, WatermarkPolicy
from flower.model.windows import FixedWindows, GlobalWindows, Sessions, SlidingWindows

SCHEMA = pa.schema(
    [
        pa.field("k", pa.large_string()),
        pa.field("n", pa.int64(), nullable=False),
        pa.field("m", pa.int64()),
        pa.field("x", pa.float64()),
        pa.field("flag", pa.bool_(), nullable=False),
        pa.field("t", pa.timestamp("us", "UTC")),
    ]
)
"""One column of each kind; ``t`` is the event time."""


class Rows:
    """A source of the given tables, one a partition."""

    def __init__(
        self, *tables: pa.Table, schema: pa.Schema = SCHEMA, bounded: bool = True, label: str = "rows"
    ) -> None:
        self.tables, self.schema, self.bounded, self.label = tables, schema, bounded, label

    def partitions(self) -> tuple[str, ...]:
        return tuple(f"part {i}" for i in range(len(self.tables)))

    def initial(self, partition: int) -> int:
        return 0

    def latest(self, partition: int, position: int, limit_rows: int, elapsed_us: int) -> int:
        return min(position + limit_rows, len(self.tables[partition]))

    def read(self, partition: int, start: int, end: int, columns: tuple[str, ...] | None = None) -> pa.Table:
        rows = self.tables[partition].slice(start, end - start)
        return rows if columns is None else rows.select(list(columns))

    def ended(self, partition: int, position: int) -> bool:
        return self.bounded and position == len(self.tables[partition])


def stream_of(
    source: Rows | None = None,
    *,
    event_time: str | None = "t",
    arrival: str | None = None,
    watermark: WatermarkPolicy | None = None,
) -> Stream:
    """A stream of a source; by default of no rows of `SCHEMA`."""
    return Stream(Read(source or Rows(), event_time, "UTC", arrival, watermark or BoundedDisorder("0s")))


@st.composite
def tables(draw: st.DrawFn, *, min_size: int = 0, max_size: int = 20) -> pa.Table:
    """Rows of `SCHEMA`, with times on a coarse grid and missing values everywhere they may be."""
    row = st.fixed_dictionaries(
        {
            "k": st.sampled_from(["a", "b", None]),
            "n": st.integers(-2, 3),
            "m": st.none() | st.integers(-2, 3),
            "x": st.sampled_from([0.0, 0.5, -1.5, 2.0, float("nan")]),
            "flag": st.booleans(),
            "t": st.integers(0, 12).map(lambda second: pd.Timestamp(second, unit="s", tz="UTC").as_unit("us")),
        }
    )
    return pa.Table.from_pylist(draw(st.lists(row, min_size=min_size, max_size=max_size)), schema=SCHEMA)


def _positive(frame: pd.DataFrame) -> pd.Series:
    return frame.select_dtypes("number").sum(axis=1) > 0


def _doubled(frame: pd.DataFrame) -> pd.DataFrame:
    for column in frame.select_dtypes("number"):
        frame[column] = frame[column] * 2
    return frame


def _twice(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [row, row]


CONDITIONS = {
    "n // m > 0": {"n", "m"},
    "n * 2 > m": {"n", "m"},
    "m != 0": {"m"},
    "x * 2 < 1": {"x"},
    "k == 'a' or x > n": {"k", "x", "n"},
    "isna(m) or k in ['a', 'b']": {"m", "k"},
}
VALUES = {
    "x / 2": {"x"},
    "n - 1": {"n"},
    "m % n": {"m", "n"},
    "n > 1 and flag": {"n", "flag"},
    "where(flag, x, n)": {"flag", "x", "n"},
    "k": {"k"},
    "7": set(),
}
"""Expressions and the columns that they need, which must have the dtypes that they have in `SCHEMA`."""


def conditions(schema: pa.Schema) -> list[str]:
    """Filters that fit a schema, one at least of each column of numbers or bools."""
    original = {field.name: field.type for field in SCHEMA}
    usable = {field.name for field in schema if original.get(field.name) == field.type}
    found = [text for text, needs in CONDITIONS.items() if needs <= usable]
    for field in schema:
        if pa.types.is_boolean(field.type):
            found += [field.name, f"not {field.name}"]
        elif pa.types.is_integer(field.type) or pa.types.is_floating(field.type):
            found += [f"{field.name} > 0", f"{field.name} < 2"]
    return found


def values(schema: pa.Schema) -> list[str]:
    """Values that fit a schema."""
    original = {field.name: field.type for field in SCHEMA}
    usable = {field.name for field in schema if original.get(field.name) == field.type}
    return [text for text, needs in VALUES.items() if needs <= usable]


@st.composite
def row_wise(draw: st.DrawFn, stream: Stream, *, max_steps: int = 5, functions: bool = True) -> Stream:
    """``stream`` and up to ``max_steps`` stateless steps; ``n`` and ``t`` are always kept."""
    for number in range(draw(st.integers(0, max_steps))):
        spare = [name for name in stream.schema.names if name not in ("n", "t")]
        verbs = ["filter", "filter", "filter", "assign", "select"]
        verbs += ["replace", "drop", "rename"] if spare else []
        verbs += ["function", "map_frames", "flat_map_rows"] if functions else []
        match draw(st.sampled_from(verbs)):
            case "filter":
                stream = stream.filter(draw(st.sampled_from(conditions(stream.schema))))
            case "function":
                stream = stream.filter(_positive)
            case "assign":
                name = f"new{number}" if f"new{number}" not in stream.schema.names else f"newer{number}"
                stream = stream.assign(**{name: draw(st.sampled_from(values(stream.schema)))})
            case "replace":
                name = draw(st.sampled_from(spare))
                stream = stream.assign(**{name: draw(st.sampled_from(values(stream.schema)))})
            case "select":
                kept = draw(st.lists(st.sampled_from(spare), unique=True)) if spare else []
                stream = stream.select(*draw(st.permutations(["n", "t", *kept])))
            case "drop":
                stream = stream.drop(draw(st.sampled_from(spare)))
            case "rename":
                stream = _renamed(stream, draw(st.sampled_from(spare)), draw(st.sampled_from([*spare, "other"])))
            case "map_frames":
                stream = stream.map_frames(_doubled)
            case "flat_map_rows":
                stream = stream.flat_map_rows(_twice)
    return stream


def _renamed(stream: Stream, old: str, new: str) -> Stream:
    """With one column renamed, or two that change their names."""
    return stream.rename(**({old: new, new: old} if new in stream.schema.names else {old: new}))


WINDOWS = (
    FixedWindows("4s"),
    FixedWindows("4s", offset="1s"),
    SlidingWindows("6s", every="2s"),
    Sessions("2s"),
    GlobalWindows(),
)
TRIGGERS = (
    AfterWatermark(),
    AfterWatermark(early=AfterCount(2)),
    AfterWatermark(early=AfterCount(1), late=AfterCount(2)),
)


@st.composite
def random_pipeline(draw: st.DrawFn, stream: Stream, *, functions: bool = True, keyed: bool | None = None) -> Stream:
    """A valid pipeline over a stream of `SCHEMA`: stateless steps, maybe put together with others, maybe aggregated.

    Parameters
    ----------
    stream : Stream
        What it starts from.
    functions : bool
        Whether functions of frames and rows are among the steps.
    keyed : bool, optional
        Whether it aggregates; None: either.
    """
    result = draw(row_wise(stream, functions=functions))
    if draw(st.booleans()):
        other = draw(row_wise(stream, max_steps=2, functions=functions))
        shared = [
            field.name
            for field in result.schema
            if field.name in other.schema.names and other.schema.field(field.name).type == field.type
        ]
        others = draw(st.permutations(shared))
        result = concat(result.select(*shared), other.select(*others))
        result = draw(row_wise(result, max_steps=2, functions=functions))
    if keyed if keyed is not None else draw(st.booleans()):
        result = result.window(
            draw(st.sampled_from(WINDOWS)),
            trigger=draw(st.sampled_from(TRIGGERS)),
            accumulation=draw(st.sampled_from(["accumulating", "discarding"])),
            allowed_lateness=draw(st.sampled_from(["0s", "2s", "unbounded"])),
        )
        result = draw(row_wise(result, max_steps=1, functions=functions))
        keys = [name for name in ("k", "flag") if name in result.schema.names]
        chosen = draw(st.lists(st.sampled_from(keys), unique=True)) if keys else []
        aggregates = {"rows": "count", "total": ("n", "sum"), "least": ("n", "min"), "newest": ("n", "last")}
        if "x" in result.schema.names and pa.types.is_floating(result.schema.field("x").type):
            aggregates["mean_x"] = ("x", "mean")
        result = result.groupby(*chosen).agg(**aggregates) if chosen else result.agg(**aggregates)
    return result
