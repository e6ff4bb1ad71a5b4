"""Nodes: what they are equal to, and what they know before any data."""

from __future__ import annotations

import pickle

import pyarrow as pa
import pytest
from strategies import SCHEMA, Rows

import flower as fl
from flower.errors import ColumnError, DtypeError, GraphError, SchemaError
from flower.graph.expressions import parse
from flower.graph.nodes import (
    Aggregate,
    Aggregation,
    Concat,
    Dropped,
    Errors,
    Filter,
    Read,
    Select,
    step_names,
    step_text,
    walk,
)
from flower.graph.protocols import ERROR_SCHEMA
from flower.model.combiners import combiner_of
from flower.model.watermarks import BoundedDisorder

HOURLY = fl.FixedWindows("1h")


def reading(source: Rows | None = None) -> Read:
    return Read(source or Rows(), "t", "UTC", None, BoundedDisorder("0s"))


# -- equality


def test_nodes_of_equal_content_are_equal_however_they_were_made():
    source = Rows()
    one, two = Filter(reading(source), parse("n>0")), Filter(reading(source), parse("n > 0"))
    assert one == two
    assert hash(one) == hash(two)
    assert one != Filter(reading(source), parse("n > 1"))


def test_reads_are_equal_only_if_they_share_the_source_object():
    assert reading(Rows()) != reading(Rows())


def test_a_name_does_not_make_a_node_another():
    source = Rows()
    assert Filter(reading(source), parse("n > 0"), name="positive") == Filter(reading(source), parse("n > 0"))


def test_nodes_of_different_kinds_differ():
    node = reading()
    assert Dropped(_keyed(node)) != Errors(_keyed(node))


def test_a_node_does_not_equal_what_is_no_node():
    assert reading() != "read"


def test_walking_nested_diamonds_gives_each_node_once():
    node = reading()
    for _ in range(60):  # 2 ** 60 paths
        node = Concat((node, node))
    assert len(list(walk(node))) == 61


def test_a_node_travels_without_its_hash_which_another_process_would_not_share():
    node = Select(reading(), (("n", "n"),))
    hash(node)
    copy = pickle.loads(pickle.dumps(node))
    assert "_hash" not in vars(copy)
    assert copy.schema == node.schema


# -- what is known before data


def _keyed(node, windows=HOURLY, *, keys=("k",), **windowing) -> Aggregate:
    from flower.graph.nodes import WindowInto
    from flower.model.windowing import Windowing

    into = WindowInto(node, Windowing.make(windows, **windowing))
    return Aggregate(into, keys, (Aggregation("total", "n", combiner_of("sum")),))


def test_the_columns_of_panes_are_keys_window_results_and_pane():
    assert _keyed(reading()).schema.names == [
        *("k", "window_start", "window_end", "total"),
        *("pane_timing", "pane_index", "pane_final", "event_time"),
    ]


def test_dropped_rows_have_the_columns_of_the_rows_and_of_their_window():
    dropped = Dropped(_keyed(reading()))
    assert dropped.schema.names == [*SCHEMA.names, "window_start", "window_end", "reason", "watermark"]


def test_dropped_panes_keep_their_own_window_under_another_name():
    daily = _keyed(_keyed(reading()), fl.FixedWindows("1D"), keys=())
    names = Dropped(_second(daily)).schema.names
    assert names[1:3] == ["input_window_start", "input_window_end"]
    assert names[-4:] == ["window_start", "window_end", "reason", "watermark"]


def _second(node: Aggregate) -> Aggregate:
    return Aggregate(node.input, node.keys, (Aggregation("rows", None, combiner_of("count")),))


def test_errors_have_their_own_columns_and_no_event_time():
    errors = Errors(_keyed(reading()))
    assert errors.schema == ERROR_SCHEMA
    assert not errors.timed


def test_the_windowing_passes_through_stateless_steps_and_ends_at_an_aggregation():
    keyed = _keyed(reading())
    assert Filter(keyed.input, parse("n > 0")).windowing.windows == HOURLY
    assert keyed.grouping.windows == HOURLY
    assert keyed.windowing is None


def test_without_a_window_all_rows_are_in_the_global_one():
    node = Aggregate(reading(), ("k",), (Aggregation("rows", None, combiner_of("count")),))
    assert node.grouping.windows == fl.GlobalWindows()


def test_a_stream_is_bounded_if_all_its_sources_are():
    bounded, unbounded = reading(), reading(Rows(bounded=False))
    assert Concat((bounded, bounded)).bounded
    assert not Concat((bounded, unbounded)).bounded


@pytest.mark.parametrize(
    "windows, combiner, timed",
    [
        (HOURLY, "end_of_window", True),
        (fl.GlobalWindows(), "end_of_window", False),
        (fl.GlobalWindows(), "latest", True),
    ],
)
def test_panes_of_the_global_window_have_an_event_time_only_from_their_rows(windows, combiner, timed):
    assert _keyed(reading(), windows, timestamp_combiner=combiner).timed is timed


def test_the_columns_read_are_in_the_order_asked_for():
    node = Read(Rows(), "t", "UTC", None, BoundedDisorder("0s"), ("n", "t"))
    assert node.schema.names == ["n", "t"]


@pytest.mark.parametrize("event_time, arrival", [("departure", None), (None, "departure")])
def test_a_read_names_a_time_column_that_is_not_there(event_time, arrival):
    node = Read(Rows(), event_time, "UTC", arrival, BoundedDisorder("0s"))
    with pytest.raises(ColumnError, match=r"step 'read-1' \(read\): there is no column 'departure'.*'k', 'n'"):
        assert node.schema


def test_an_error_in_a_schema_names_the_step():
    with pytest.raises(ColumnError, match=r"step 'small' \(select\): there is no column 'z'"):
        assert Select(reading(), (("z", "z"),), name="small").schema


def test_a_filter_must_be_of_bools():
    with pytest.raises(DtypeError, match=r"step 'filter-1' \(filter\).*`n` of int64"):
        assert Filter(reading(), parse("n")).schema


# -- concat


def test_a_concat_has_the_order_of_the_first_and_misses_what_any_part_may_miss():
    one = pa.schema([pa.field("a", pa.int64(), nullable=False), pa.field("b", pa.float64())])
    two = pa.schema([pa.field("b", pa.float64()), pa.field("a", pa.int64())])
    nodes = [Read(Rows(schema=schema), None, "UTC", None, BoundedDisorder("0s")) for schema in (one, two)]
    schema = Concat(tuple(nodes)).schema
    assert schema.names == ["a", "b"]
    assert schema.field("a").nullable


def test_parts_with_different_columns_are_refused():
    with pytest.raises(SchemaError, match=r"'concat-1' \(concat\).*the same columns; got 'n', 't' in the first, 'n'"):
        assert Concat(tuple(Select(reading(), tuple((c, c) for c in names)) for names in ("nt", "n"))).schema


def test_parts_with_different_dtypes_are_refused():
    parts = (Select(reading(), (("v", "n"),)), Select(reading(), (("v", "x"),)))
    with pytest.raises(DtypeError, match=r"column 'v' must have one dtype.*int64 in the first, float64 in number 2"):
        assert Concat(parts).schema


def test_parts_with_different_windows_are_refused():
    with pytest.raises(GraphError, match=r"the same windowing.*put them together first"):
        assert Concat((reading(), _keyed(reading()).input)).schema


# -- names


def test_steps_are_named_by_verb_and_count():
    node = Filter(Filter(reading(), parse("n > 0")), parse("n < 3"))
    assert list(step_names(node).values()) == ["read-1", "filter-1", "filter-2"]


def test_a_new_stateless_step_renames_nothing_that_holds_state():
    before, after = _keyed(reading()), _keyed(Filter(reading(), parse("n > 0")))
    assert step_names(before)[before] == step_names(after)[after] == "agg-1"


def test_naming_a_step_renames_no_other():
    def second(name):
        inner = _keyed(reading())
        return _keyed(Select(inner, (("n", "total"), ("k", "k")), name=name))

    assert [names[node] for name in (None, "x") for node in [second(name)] for names in [step_names(node)]] == [
        "agg-2"
    ] * 2


def test_a_named_step_is_counted_so_that_the_others_keep_their_names():
    first = Filter(reading(), parse("n > 0"), name="positive")
    assert list(step_names(Filter(first, parse("n < 3"))).values()) == ["read-1", "positive", "filter-2"]


def test_equal_steps_are_one_step_under_the_name_that_one_was_given():
    node = reading()
    plain, named = Filter(node, parse("n > 0")), Filter(node, parse("n > 0"), name="positive")
    assert list(step_names([plain, named]).values()) == ["read-1", "positive"]


def test_two_steps_of_one_name_are_refused():
    node = Filter(Filter(reading(), parse("n > 0"), name="a"), parse("n < 3"), name="a")
    with pytest.raises(GraphError, match="a name of its own; 'a' names two, filter and filter"):
        step_names(node)


def test_a_name_that_another_step_has_by_its_count_is_refused():
    node = Filter(Filter(reading(), parse("n > 0")), parse("n < 3"), name="filter-1")
    with pytest.raises(GraphError, match="'filter-1' names two"):
        step_names(node)


def test_a_step_is_cited_with_its_verb():
    node = _keyed(reading())
    assert step_text(node) == "'agg-1' (agg)"


def test_inputs_come_before_the_steps_that_take_them():
    node = reading()
    top = Concat((Filter(node, parse("n > 0")), Filter(node, parse("n < 0"))))
    assert [each.verb for each in walk(top)] == ["read", "filter", "filter", "concat"]
