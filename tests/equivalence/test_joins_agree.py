"""Random joins over random disordered input: the embedded executor and the oracle give the same rows and drops."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from hypothesis import given, reject
from hypothesis import strategies as st
from scripted import (
    agree,
    asofs,
    at,
    cogroups,
    enrichments,
    examples,
    increments,
    interval_joins,
    joined_sides,
    retracting_joins,
    taken_back,
    watermarks_agree,
    window_joins,
)

import flower as fl
from flower.errors import GraphError
from flower.testing import TestStream


@examples(100)
@given(joined_sides(), st.one_of(window_joins, interval_joins, asofs, enrichments), st.booleans())
def test_joined_and_dropped_rows_are_the_oracles(sides: Any, join: Any, as_stream: bool) -> None:
    joined = join(*sides)
    agree(joined, as_stream=as_stream)
    agree(joined.dropped, as_stream=True)


@examples(40)
@given(joined_sides(), st.one_of(increments, interval_joins, asofs), st.sampled_from(["3s", "5s"]))
def test_aggregates_of_joined_rows_are_the_oracles(sides: Any, join: Any, size: str) -> None:
    left, right = (side.assign(m="n", j="i") for side in sides)
    windowed = join(left, right).filter("m_x != -1").window(fl.FixedWindows(size), allowed_lateness="2s")
    counts = windowed.groupby("j_y").agg(rows="count", total=("m_y", "sum"))
    agree(counts, as_stream=True)
    agree(counts.dropped, as_stream=True)


@examples(100)
@given(joined_sides(), cogroups, st.booleans())
def test_streams_that_are_grouped_together_give_what_the_oracle_does(sides: Any, group: Any, as_stream: bool) -> None:
    grouped = group(*sides)
    agree(grouped, as_stream=as_stream)
    agree(grouped.dropped, as_stream=True)


@examples(40)
@given(joined_sides(), cogroups)
def test_what_is_taken_back_is_taken_out_of_streams_that_are_grouped_together(sides: Any, group: Any) -> None:
    where = {
        "accumulation": "retracting",
        "trigger": fl.AfterWatermark(early=fl.AfterCount(1)),
        "allowed_lateness": "4s",
    }
    panes = [
        side.window(fl.FixedWindows("2s"), **where).groupby("k", "i").agg(v=("v", "sum"), n=("n", "max"))
        for side in sides
    ]
    how = {"trigger": fl.AfterWatermark(early=fl.AfterCount(2)), "allowed_lateness": "2s"}
    one, other = (each.window(fl.FixedWindows("4s"), **how) for each in panes)
    grouped = fl.cogroup({"one": one, "other": other}, "k").agg(
        one={"rows": "count", "total": ("v", "sum")}, other={"most": ("n", "max"), "some": "size"}
    )
    agree(grouped, as_stream=True)


def test_of_the_rows_of_a_side_that_one_is_taken_back_which_is_equal_in_all_that_is_aggregated() -> None:
    def rows(*values: tuple[int, float]) -> list[dict[str, Any]]:
        return [{"t": at(1), "k": "a", "i": i, "v": v} for i, v in values]

    stream = TestStream({"k": "str", "i": "int64", "v": "float64"}, event_time="t")
    stream = stream.add(rows((0, 0.0), (1, 0.5))).add(rows((1, 1.0))).end()
    early = fl.AfterWatermark(early=fl.AfterCount(1))
    panes = (
        stream.window(fl.FixedWindows("2s"), trigger=early, accumulation="retracting")
        .groupby("k", "i")
        .agg(v=("v", "sum"))
        .window(fl.FixedWindows("4s"), trigger=early)
    )
    grouped = fl.cogroup({"one": panes, "other": panes}, "k").agg(
        one={"total": ("v", "sum")}, other={"most": ("v", "max")}
    )
    agree(grouped, as_stream=True)
    assert grouped.collect()[["total", "most"]].to_numpy().tolist() == [[1.5, 1.5]]


@examples(40)
@given(joined_sides(), enrichments, st.sampled_from(["3s", "5s"]))
def test_aggregates_of_enriched_rows_are_the_oracles(sides: Any, enrich: Any, size: str) -> None:
    rows, table = sides
    named = enrich(rows.assign(m="n", j="i"), table).window(fl.FixedWindows(size), allowed_lateness="2s")
    counts = named.groupby("j").agg(rows="count", total=("m", "sum"))
    agree(counts, as_stream=True)
    agree(counts.dropped, as_stream=True)


@examples(40)
@given(joined_sides(), st.sampled_from(["left", "inner"]), st.booleans())
def test_the_newest_pane_of_a_window_is_looked_up_as_the_oracle_does(sides: Any, how: Any, as_stream: bool) -> None:
    rows, other = sides
    early = fl.AfterWatermark(early=fl.AfterCount(2))
    panes = (
        other.window(fl.FixedWindows("4s"), trigger=early, allowed_lateness="2s").groupby("k").agg(total=("n", "sum"))
    )
    named = rows.enrich(panes.window(fl.FixedWindows("4s"), allowed_lateness="2s"), "k", how)
    agree(named, as_stream=as_stream)
    agree(named.dropped, as_stream=True)


@examples(30)
@given(joined_sides(), st.one_of(interval_joins, asofs))
def test_panes_are_joined_with_rows_as_the_oracle_does(sides: Any, join: Any) -> None:
    left, right = sides
    panes = left.window(fl.FixedWindows("2s")).groupby("k", "n", "i").agg(v=("v", "max"))
    joined = join(panes, right)
    agree(joined, as_stream=True)
    agree(joined.dropped, as_stream=True)


@examples(100)
@given(joined_sides(), st.one_of(window_joins, interval_joins, asofs, enrichments))
def test_output_watermarks_of_joins_are_the_oracles(sides: Any, join: Any) -> None:
    watermarks_agree(join(*sides))


@examples(60)
@given(joined_sides(), retracting_joins)
def test_joined_panes_are_taken_back_as_by_the_oracle(sides: Any, join: Any) -> None:
    joined = join(*sides)
    agree(joined, as_stream=True)
    left, right = (side.assign(m="n", j="i") for side in sides)
    counts = join(left, right).window(fl.FixedWindows("5s"), allowed_lateness="2s").groupby("j_y")
    agree(counts.agg(rows="count", total=("m_x", "sum"), most=("m_y", "max")), as_stream=True)


def possible(make: Callable[[], fl.Stream]) -> fl.Stream:
    """The stream, unless it is refused: as discarding, or as it looks into windows."""
    with contextlib.suppress(GraphError):
        return make()
    reject()


settled = st.one_of(window_joins, retracting_joins, interval_joins, asofs, enrichments)


@examples(150)
@given(joined_sides(), st.tuples(taken_back, taken_back), settled, st.booleans(), st.booleans())
def test_rows_that_are_taken_back_are_joined_no_more_as_by_the_oracle(
    sides: Any, back: Any, join: Any, both: bool, as_stream: bool
) -> None:
    left = back[0](sides[0])
    right = back[1](sides[1]) if both else sides[1].assign(m="n").drop("t")
    joined = possible(lambda: join(left, right))
    agree(joined, as_stream=as_stream)
    agree(joined.dropped, as_stream=True)


@examples(60)
@given(joined_sides(), taken_back, st.one_of(window_joins, interval_joins))
def test_what_is_taken_back_is_taken_out_of_aggregates_of_joined_rows(sides: Any, back: Any, join: Any) -> None:
    joined = possible(lambda: join(back(sides[0]), sides[1].assign(j="i", w="n").drop("t")))
    counts = joined.window(fl.FixedWindows("5s"), allowed_lateness="2s").groupby("j")
    agree(counts.agg(rows="count", total=("m", "sum"), most=("w", "max")), as_stream=True)


def unlike(row: Any) -> Any:
    """Of some rows only what takes them back, of others only the row; most are left alone."""
    which = (row["m"] or 0) % 4
    if which == 0 or (which == 1) != row["pane_retraction"]:
        yield row


@examples(80)
@given(joined_sides(), taken_back, settled, st.booleans())
def test_what_takes_back_rows_that_never_came_is_an_error_as_by_the_oracle(
    sides: Any, back: Any, join: Any, first: bool
) -> None:
    some = [back(sides[0]).flat_map_rows(unlike), sides[1].assign(m="n").drop("t")]
    joined = possible(lambda: join(*(some if first else reversed(some))))
    agree(joined, as_stream=True)
    agree(joined.errors, as_stream=True)
