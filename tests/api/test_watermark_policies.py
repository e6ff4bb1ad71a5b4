"""Watermark policies as a person gives them to ``fl.read``: checked before data flows, and told by the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import flower as fl
from flower.errors import WatermarkError
from flower.graph.nodes import Read

SECONDS = [0, 1, 2, 7, 3, 8, 12, 4]
FRAME = pd.DataFrame(
    {
        "t": pd.to_datetime(SECONDS, unit="s", utc=True),
        "v": range(8),
        "kind": ["row", "row", "row", "row", "row", "end", "row", "row"],
        "complete_to": pd.to_datetime([None, None, None, "1970-01-01T00:00:05Z", *[None] * 4], utc=True),
    }
)


def rows(policy: Any, frame: pd.DataFrame = FRAME, **options: Any) -> fl.Stream:
    stream = fl.read.frame(frame, event_time="t", watermark=policy, **options)
    return stream.window(fl.FixedWindows("5s")).agg(n="count")


def outcome(stream: fl.Stream) -> tuple[list[int], int]:
    run = stream.run().wait(progress=False)
    return run.results["n"].tolist(), run.metrics.dropped


@pytest.mark.parametrize("expr", ["complete_to", pd.col("complete_to")])
def test_a_column_of_times_tells_the_watermark_from_the_next_row_on(expr: Any) -> None:
    # The fourth row says that nothing before second 5 follows: the rows at 3 and 4 after it are dropped.
    assert outcome(rows(fl.Punctuated(expr))) == ([3, 2, 1], 2)


@pytest.mark.parametrize("expr", ["kind == 'end'", pd.col("kind") == "end"])
def test_a_bool_makes_the_event_time_of_its_row_the_watermark(expr: Any) -> None:
    # The row at second 8 ends the time before it: of the rows that follow the one at 4 is dropped.
    assert outcome(rows(fl.Punctuated(expr))) == ([4, 2, 1], 1)


def test_a_bool_that_is_missing_and_an_expression_without_a_value_are_no_punctuation() -> None:
    frame = FRAME.assign(last=pd.array([None] * 8, "boolean"), zero=[1, 1, 1, 0, 1, 1, 1, 1])
    assert outcome(rows(fl.Punctuated("last"), frame)) == ([5, 2, 1], 0)
    assert outcome(rows(fl.Punctuated("7 // zero > v and kind == 'end'"), frame)) == ([4, 2, 1], 1)


def test_punctuations_without_a_zone_are_read_in_that_of_the_source() -> None:
    frame = FRAME.assign(
        t=FRAME["t"].dt.tz_convert("Europe/Berlin").dt.tz_localize(None),
        complete_to=FRAME["complete_to"].dt.tz_convert("Europe/Berlin").dt.tz_localize(None),
    )
    assert outcome(rows(fl.Punctuated("complete_to"), frame, tz="Europe/Berlin")) == ([3, 2, 1], 2)


def test_a_combination_is_as_careful_or_as_eager_as_its_parts() -> None:
    told, free = fl.Punctuated("complete_to"), fl.Punctuated("kind == 'never'")
    assert outcome(rows(fl.EarliestOf(told, free))) == ([5, 2, 1], 0)
    assert outcome(rows(fl.LatestOf(told, free))) == ([3, 2, 1], 2)


def test_a_learnt_disorder_keeps_nearly_all_rows() -> None:
    seconds = pd.Series(range(4_000)) - pd.Series(range(4_000)) % 7 * 3
    frame = pd.DataFrame({"t": pd.to_datetime(seconds, unit="s", utc=True)})
    counts, dropped = outcome(rows(fl.Percentile(0.999), frame))
    assert (sum(counts), dropped) == (4_000, 0)
    assert outcome(rows(fl.Percentile(0.3), frame))[1] > 100


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (fl.Punctuated("missing"), "missing"),
        (fl.Punctuated("v + 1"), "must give a time, or True and False"),
        (fl.Punctuated("v +"), "the expression of Punctuated"),
        (fl.LatestOf(fl.Monotonic(), fl.Punctuated("kind")), "must give a time, or True and False"),
        ("10min", "must be a watermark policy"),
    ],
)
def test_what_cannot_tell_a_watermark_is_refused_before_data_flows(policy: Any, said: str) -> None:
    with pytest.raises(WatermarkError, match=said):
        rows(policy)


def test_a_script_says_a_policy_again(tmp_path: Path) -> None:
    FRAME.to_parquet(tmp_path / "rows.parquet")
    policy = fl.LatestOf(fl.Punctuated(pd.col("v") % 2 == 1), fl.Percentile(0.9), idle="1min")
    stream = fl.read.parquet(tmp_path / "rows.parquet", event_time="t", watermark=policy)
    stream.agg(n="count").to_script(tmp_path / "job.py")
    text = "watermark=fl.LatestOf(fl.Punctuated('v % 2 == 1'), fl.Percentile(0.9), idle='1min')"
    assert text in (tmp_path / "job.py").read_text().replace('"', "'")
    assert isinstance(stream.node, Read)
    assert repr(stream.node.watermark) == text.replace("fl.", "").removeprefix("watermark=")
