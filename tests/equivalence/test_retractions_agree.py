"""Two keyed steps of which the first takes its panes back: the engine against the oracle, and a run against a batch."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flower as fl
from flower.errors import GraphError
from flower.testing import TestStream
from tests.scripted import at, canonical, examples, scripted, scripts, windows

triggers = st.sampled_from(
    [
        fl.AfterWatermark(early=fl.AfterCount(1), late=fl.AfterCount(1)),
        fl.AfterWatermark(early=fl.AfterCount(2)),
        fl.AfterWatermark(late=fl.AfterCount(2)),
        fl.AfterWatermark(),
        fl.Repeatedly(fl.AfterCount(2)),
    ]
)
lateness = st.sampled_from(["0s", "3s", "unbounded"])
firsts = st.fixed_dictionaries(
    {
        "windows": windows,
        "trigger": triggers,
        "allowed_lateness": lateness,
        "timestamp_combiner": st.sampled_from(["end_of_window", "earliest", "latest"]),
    }
)
seconds = st.fixed_dictionaries(
    {
        "windows": st.sampled_from([fl.FixedWindows("4s"), fl.SlidingWindows("6s", every="2s"), fl.GlobalWindows()]),
        "trigger": triggers,
        "allowed_lateness": lateness,
        "accumulation": st.sampled_from(["accumulating", "retracting"]),
    }
)
between = st.sampled_from(
    [
        lambda s: s,
        lambda s: s.filter("total > 0"),
        lambda s: s.assign(total="total * 2"),
        lambda s: s.select("total", "mean", "rows"),
        lambda s: s.rename(pane_retraction="back"),
        lambda s: fl.concat(s.filter("total > 0"), s.filter("total <= 0")),
    ]
)


def chain(script: Any, first: Any, step: Any, second: Any) -> fl.Stream:
    panes = (
        scripted(script)
        .window(**first, accumulation="retracting")
        .groupby("k")
        .agg(total=("n", "sum"), mean=("v", "mean"), rows="count")
    )
    return (
        step(panes)
        .window(**second)
        .groupby("rows")
        .agg(
            grand=("total", "sum"), mean_total=("mean", "mean"), n="count", low=("total", "min"), last=("total", "max")
        )
    )


@examples(12)
@given(scripts, firsts, between, seconds)
def test_a_chain_with_retractions_agrees_with_the_oracle(script: Any, first: Any, step: Any, second: Any) -> None:
    if isinstance(first["windows"], fl.GlobalWindows) and first["timestamp_combiner"] == "end_of_window":
        return
    result = chain(script, first, step, second)
    for stream in (result, result.dropped):
        here, there = (stream.collect(as_stream=True, executor=e) for e in ("embedded", "reference"))
        pd.testing.assert_frame_equal(canonical(here), canonical(there), check_dtype=False)


@examples(12)
@given(scripts, firsts, between, seconds)
def test_the_view_of_a_run_that_dropped_nothing_is_what_a_batch_collects(
    script: Any, first: Any, step: Any, second: Any
) -> None:
    if isinstance(first["windows"], fl.GlobalWindows) and first["timestamp_combiner"] == "end_of_window":
        return
    partitions, epochs, _ = script
    result = chain((partitions, epochs, True), first, step, second | {"allowed_lateness": "unbounded"})
    run = result.run()
    run.wait(progress=False)
    if run.metrics.dropped:
        return
    columns = ["rows", "window_start", "window_end", "grand", "mean_total", "n", "low", "last"]
    view, batch = canonical(run.results[columns]), canonical(result.collect()[columns])
    pd.testing.assert_frame_equal(view, batch, check_dtype=False)


def retracting() -> fl.Stream:
    stream = TestStream(schema={"k": "str", "n": "int64"}, event_time="t").add([{"t": at(1), "k": "a", "n": 1}]).end()
    early = fl.AfterWatermark(early=fl.AfterCount(1))
    return (
        stream.window(fl.FixedWindows("4s"), trigger=early, accumulation="retracting")
        .groupby("k")
        .agg(total=("n", "sum"))
    )


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (lambda s: s.map_frames(lambda frame: frame), r"map_frames\(\), which may look at several rows"),
        (lambda s: s.filter(lambda frame: frame["total"] > 0), "a function of the frame"),
        (lambda s: s.assign(x=lambda frame: frame["total"]), "a function of the frame"),
        (lambda s: s.filter("not pane_retraction"), "which tells them apart"),
        (lambda s: s.rename(pane_retraction="back").filter("not back"), "which tells them apart"),
    ],
)
def test_a_step_that_may_treat_a_retraction_unlike_its_row_is_refused(step: Any, said: str) -> None:
    with pytest.raises(GraphError, match=said):
        step(retracting()).window(fl.FixedWindows("8s")).groupby("k").agg(n="count")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"windows": fl.FixedWindows("8s"), "accumulation": "discarding"}, "an increment cannot take back"),
        ({"windows": fl.Sessions("8s")}, "cannot be taken apart"),
        ({"windows": fl.FixedWindows("8s"), "timestamp_combiner": "latest"}, "depend on rows that are taken back"),
    ],
)
def test_windows_that_cannot_take_rows_back_are_refused(how: Any, said: str) -> None:
    with pytest.raises(GraphError, match=said):
        retracting().window(**how).groupby("k").agg(n="count")


def test_grouping_by_what_tells_retractions_apart_is_refused() -> None:
    with pytest.raises(GraphError, match="which tells them apart"):
        retracting().window(fl.FixedWindows("8s")).groupby("pane_retraction").agg(n="count")


def test_final_panes_are_never_taken_back_and_go_into_any_aggregation() -> None:
    final = retracting().filter("pane_final")
    assert not final.node.retracting
    result = final.window(fl.Sessions("8s")).groupby("k").agg(n="count")
    assert "pane_retraction" not in result.node.schema.names
    assert result.collect(as_stream=True)["n"].tolist() == [1]


def test_a_column_of_that_name_alone_makes_no_retraction() -> None:
    stream = TestStream(schema={"pane_retraction": "bool", "n": "int64"}, event_time="t")
    stream = stream.add([{"t": at(1), "pane_retraction": True, "n": 1}]).end()
    result = stream.window(fl.FixedWindows("4s")).agg(n=("n", "sum"))
    assert result.collect(as_stream=True)["n"].tolist() == [1]


def row(seconds: int, n: int) -> dict[str, Any]:
    return {"t": at(seconds), "k": "a", "n": n}


def totals(stream: TestStream, trigger: Any, *, allowed_lateness: str) -> fl.Stream:
    """Totals in windows of 4 s of the panes of windows of 8 s, each at the time of its latest row."""
    panes = (
        stream.window(
            fl.FixedWindows("8s"),
            trigger=trigger,
            accumulation="retracting",
            timestamp_combiner="latest",
            allowed_lateness="unbounded",
        )
        .groupby("k")
        .agg(total=("n", "sum"))
    )
    return panes.window(fl.FixedWindows("4s"), allowed_lateness=allowed_lateness).groupby("k").agg(n=("total", "sum"))


@pytest.mark.parametrize("executor", ["embedded", "reference"])
def test_a_pane_is_not_admitted_where_what_it_replaces_can_no_longer_be_taken_back(executor: str) -> None:
    # When the late panes come, the window of the first one, [0, 4), has expired, while theirs, [4, 8), lives.
    stream = TestStream(schema={"k": "str", "n": "int64"}, event_time="t")
    stream = stream.epoch(lambda s: s.add([row(1, 1)]).watermark(at(8)))
    for late in (row(6, 10), row(7, 100)):
        stream = stream.epoch(lambda s, late=late: s.add([late]))
    result = totals(stream.end(), fl.AfterWatermark(late=fl.AfterCount(1)), allowed_lateness="2s")
    assert result.collect(as_stream=True, executor=executor)["n"].tolist() == [1]
    gone = result.dropped.collect(as_stream=True, executor=executor)
    assert sorted(zip(gone["total"], gone["pane_retraction"], strict=True)) == [
        (1, True),
        (11, False),
        (11, True),
        (111, False),
    ]


@pytest.mark.parametrize("executor", ["embedded", "reference"])
def test_the_output_watermark_waits_for_panes_of_an_open_window_that_may_be_taken_back(executor: str) -> None:
    stream = TestStream(schema={"k": "str", "n": "int64"}, event_time="t")
    stream = stream.epoch(lambda s: s.add([row(1, 1)]))
    stream = stream.epoch(lambda s: s.add([row(6, 10)]).watermark(at(5)))
    stream = stream.epoch(lambda s: s.add([row(7, 100)])).end()
    result = totals(stream, fl.AfterWatermark(early=fl.AfterCount(1)), allowed_lateness="0s")
    assert len(result.dropped.collect(as_stream=True, executor=executor)) == 0
    assert result.collect(as_stream=True, executor=executor)["n"].tolist() == result.collect()["n"].tolist() == [111]
