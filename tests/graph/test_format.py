"""Printed graphs and plans equal their snapshots, files beside this one; ``FLOWER_SNAPSHOTS=write`` renews them."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest
from strategies import Rows, stream_of

import flower as fl
from flower.errors import GraphError
from flower.graph.format import schema_text

SNAPSHOTS = Path(__file__).parent / "snapshots"
HOURLY = fl.SlidingWindows("1h", every="10min")
TRIGGER = fl.AfterWatermark(early=fl.AfterProcessingTime("1s"), late=fl.AfterCount(1))


def check(name: str, text: str) -> None:
    path = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("FLOWER_SNAPSHOTS") == "write":
        path.write_text(text + "\n")
    assert text + "\n" == path.read_text()


def flights(**options):
    return stream_of(Rows(label="parquet 'flights.parquet'"), watermark=fl.BoundedDisorder("12h"), **options)


def delays():
    return (
        flights()
        .rename(n="delay", k="carrier")
        .filter("delay > 15")
        .window(HOURLY, trigger=TRIGGER, allowed_lateness="1h")
        .groupby("carrier")
        .agg(flights="count", mean_delay=("delay", "mean"))
        .named("delays")
    )


def several():
    one = flights().filter("flag")
    two = stream_of(Rows(label="json lines 'more.jsonl'", bounded=False)).assign(n="n // m", quoted="k == '\"'")
    whole = fl.concat(one, two.select(*reversed(one.schema.names))).filter(lambda frame: frame["n"] > 0)
    return whole.window(fl.Sessions("30min"), accumulation="discarding", allowed_lateness="unbounded").agg(rows="count")


def test_a_stream_shows_its_steps_columns_and_windows():
    check("stream", repr(flights().rename(n="delay").filter("delay > 15").window(HOURLY)))


def test_panes_show_their_columns():
    check("panes", repr(delays()))


def test_a_graph_is_a_line_a_step():
    check("graph", str(delays().graph))


def test_a_graph_of_several_sources_names_inputs_that_are_not_the_line_before():
    check("graph_of_several", str(several().graph))


def test_a_plan_is_explained_as_written_optimised_and_run():
    check("explain", str(delays().explain()))


def test_a_plan_with_sessions_functions_and_several_sources():
    check("explain_several", str(several().explain()))


def test_what_was_dropped_and_failed_and_written_has_its_stages(tmp_path):
    dropped = delays().dropped.select("carrier", "watermark")
    check("explain_dropped", str(dropped.explain("physical")))
    check("explain_errors", str(delays().errors.explain("physical")))
    written = str(delays().write.parquet(tmp_path / "out").explain("physical"))
    check("explain_written", written.replace(str(tmp_path), "DIRECTORY"))


@pytest.mark.parametrize("stage", ["logical", "optimized", "physical"])
def test_one_form_of_a_plan_can_be_shown_alone(stage):
    alone = delays().explain(stage)
    whole = str(delays().explain())
    assert alone
    assert "\n".join(f"  {line}".rstrip() for line in alone.split("\n")) in whole


def test_an_unknown_form_is_refused():
    with pytest.raises(GraphError, match="must be 'logical', 'optimized' or 'physical'; got 'fast'"):
        delays().explain("fast")


def test_a_graph_where_no_rule_applies_says_so():
    assert flights().explain("optimized").endswith("no rule applied")


def test_text_is_shown_as_it_is():
    assert repr(delays().graph) == str(delays().graph)


def test_a_read_shows_what_is_not_default():
    from flower.api.stream import Stream
    from flower.graph.nodes import Read

    read = Read(Rows(), "t", "Europe/Berlin", "t", fl.Monotonic())
    assert (
        str(Stream(read).graph)
        == "read-1  read rows, event_time='t', watermark=Monotonic(), tz='Europe/Berlin', arrival='t'"
    )


def test_a_schema_is_told_in_pandas_dtypes():
    schema = pa.schema([pa.field("n", pa.int64()), pa.field("t", pa.timestamp("us", "UTC"))])
    assert schema_text(schema) == "n Int64, t datetime64[us, UTC]"
