"""Each rule: the graph it makes is the one expected, and where it must not apply it does not."""

from __future__ import annotations

import pandas as pd
import pytest
from strategies import SCHEMA, Rows, stream_of

import flower as fl
from flower.api.stream import Stream
from flower.errors import GraphError
from flower.graph.expressions import FrameFunction, parse
from flower.graph.nodes import Concat, Dropped, Errors, Filter, Node, Read, Select, walk
from flower.graph.optimizer.driver import RULES, optimize
from flower.graph.optimizer.merge_filters import merge_filters
from flower.graph.optimizer.merge_selects import drop_selects, merge_selects
from flower.graph.optimizer.move_filters import move_filters
from flower.graph.optimizer.prune_columns import prune_columns
from flower.graph.optimizer.rewrite import Rule, everywhere
from flower.graph.plan import plan


def by(rule: Rule, *outputs: Stream | Node) -> tuple[Node, ...]:
    """The outputs after one rule has been applied as often as it can."""
    nodes = tuple(each.node if isinstance(each, Stream) else each for each in outputs)
    return optimize(nodes, [rule])[0]


def reads(*outputs: Node) -> list[tuple[str, ...] | None]:
    """The columns that sources read."""
    return [node.columns for node in walk(outputs) if isinstance(node, Read)]


def function(frame: pd.DataFrame) -> pd.Series:
    return frame["n"] > 0


S = stream_of()


# -- merging filters


def test_neighbouring_filters_become_one():
    assert by(everywhere(merge_filters), S.filter("n > 0").filter("x < 1")) == (S.filter("n > 0 and x < 1").node,)


def test_three_filters_become_one_in_their_order():
    written = S.filter("n > 0").filter("x < 1").filter("flag")
    assert by(everywhere(merge_filters), written) == (S.filter("n > 0 and x < 1 and flag").node,)


@pytest.mark.parametrize(
    "first, second",
    [
        ("m != 0", "n // m > 0"),  # the first keeps rows away from a division by zero
        ("n // m > 0", "flag"),  # a row that fails in the first must not become one that the second leaves out
        ("n > 0", "n + 1 > m"),
        (function, "flag"),
        ("flag", function),
    ],
)
def test_filters_in_which_a_row_can_fail_and_functions_stay_apart(first, second):
    written = S.filter(first).filter(second)
    assert by(everywhere(merge_filters), written) == (written.node,)


def test_a_filter_that_somebody_else_needs_is_not_merged():
    shared = S.filter("n > 0")
    written = (shared.node, shared.filter("flag").node)
    assert by(everywhere(merge_filters), *written) == written


def test_a_filter_whose_errors_are_asked_for_is_not_merged():
    shared = S.filter("n > 0")
    written = (shared.filter("flag").node, Errors(shared.node))
    assert by(everywhere(merge_filters), *written) == written


# -- moving filters


def test_a_filter_goes_before_a_select_under_the_old_names():
    written = S.rename(n="number").filter("number > 0 and flag")
    assert by(everywhere(move_filters), written) == (S.filter("n > 0 and flag").rename(n="number").node,)


def test_a_filter_goes_before_a_window():
    hourly = fl.FixedWindows("1h")
    assert by(everywhere(move_filters), S.window(hourly).filter("flag")) == (S.filter("flag").window(hourly).node,)


def test_a_filter_goes_before_an_assign_of_other_columns():
    assert by(everywhere(move_filters), S.assign(y="x / 2").filter("flag")) == (
        S.filter("flag").assign(y="x / 2").node,
    )


@pytest.mark.parametrize(
    "assigned, condition",
    [
        ({"y": "x / 2"}, "y > 0"),  # depends on it
        ({"x": "x / 2"}, "x > 0"),
        ({"y": "n + 1"}, "flag"),  # a row could fail in it
        ({"y": "abs(n)"}, "flag"),
        ({"y": "x / 2", "z": "n // m"}, "flag"),
        ({"y": lambda frame: frame["x"]}, "flag"),
    ],
)
def test_a_filter_stays_behind_an_assign_that_it_needs_or_that_may_fail(assigned, condition):
    written = S.assign(**assigned).filter(condition)
    assert by(everywhere(move_filters), written) == (written.node,)


def test_a_value_that_can_fail_is_seen_by_the_columns_assigned_before_it():
    # x is a whole number by now, so x + 1 may overflow; were it taken for the float that it was, it could not
    written = S.assign(x="n", z="x + 1").filter("flag")
    assert by(everywhere(move_filters), written) == (written.node,)


@pytest.mark.parametrize(
    "written",
    [
        S.filter(function).filter("flag"),
        S.select("n", "flag").filter(lambda frame: frame["flag"]),
        S.map_frames(lambda frame: frame).filter("flag"),
        S.flat_map_rows(lambda row: [row]).filter("flag"),
    ],
)
def test_filters_neither_pass_functions_nor_move_as_functions(written):
    assert by(everywhere(move_filters), written) == (written.node,)


def test_a_filter_never_goes_into_the_source():
    written = S.filter("flag")
    optimized = plan([written.node]).optimized[0]
    assert optimized == written.node


def test_a_filter_does_not_move_before_what_somebody_else_needs():
    shared = S.rename(n="number")
    written = (shared.node, shared.filter("flag").node)
    assert by(everywhere(move_filters), *written) == written


# -- selects


def test_neighbouring_selects_become_one():
    written = S.rename(n="a", m="b").select("b", "a", "k").rename(a="c")
    assert by(everywhere(merge_selects), written) == (Select(S.node, (("b", "m"), ("c", "n"), ("k", "k"))),)


def test_a_select_of_everything_in_order_goes():
    assert by(everywhere(drop_selects), S.select(*SCHEMA.names)) == (S.node,)


@pytest.mark.parametrize("written", [S.select(*reversed(SCHEMA.names)), S.drop("k"), S.rename(k="key")])
def test_a_select_that_changes_something_stays(written):
    assert by(everywhere(drop_selects), written) == (written.node,)


# -- pruning columns


def aggregated(stream: Stream) -> Stream:
    return stream.window(fl.FixedWindows("1h")).groupby("k").agg(total=("n", "sum"))


def test_a_source_reads_keys_aggregated_columns_and_event_time():
    assert reads(*by(prune_columns, aggregated(S))) == [("k", "n", "t")]


def test_a_source_reads_what_filters_and_assigns_need():
    written = S.filter("flag").assign(y="x * 2").groupby("k").agg(total=("y", "sum"))
    assert reads(*by(prune_columns, written)) == [("k", "x", "flag", "t")]


def test_a_source_reads_its_arrival_time():
    stream = stream_of(event_time=None, arrival="t")
    assert reads(*by(prune_columns, stream.agg(total=("n", "sum")))) == [("n", "t")]


def test_a_source_reads_all_that_is_shown():
    assert reads(*by(prune_columns, S.filter("flag"))) == [None]


@pytest.mark.parametrize(
    "stream",
    [
        S.filter(function),
        S.assign(y=function),
        S.map_frames(lambda frame: frame),
        S.flat_map_rows(lambda row: [row]),
    ],
)
def test_a_function_gets_all_columns_that_reach_it(stream):
    assert reads(*by(prune_columns, aggregated(stream))) == [None]


def test_a_function_gets_no_more_than_reaches_it():
    assert reads(*by(prune_columns, aggregated(S.select("k", "n", "t", "x").filter(function)))) == [
        ("k", "n", "x", "t")
    ]


def test_dropped_rows_show_all_their_columns():
    keyed = aggregated(S)
    assert reads(*by(prune_columns, keyed, Dropped(keyed.node))) == [None]


def test_failed_rows_do_not_need_more_columns():
    keyed = aggregated(S)
    assert reads(*by(prune_columns, keyed, Errors(keyed.node))) == [("k", "n", "t")]


def test_a_source_of_several_outputs_reads_what_any_needs():
    assert reads(*by(prune_columns, aggregated(S), S.agg(least=("x", "min")))) == [("k", "n", "x", "t")]


def test_one_column_is_read_to_count_rows_by():
    stream = stream_of(event_time=None)
    assert reads(*by(prune_columns, stream.agg(rows="count"))) == [("k",)]


def test_a_rename_keeps_only_what_is_needed_later():
    written = S.rename(n="number").groupby("k").agg(total=("number", "sum"))
    expected = Select(by(prune_columns, aggregated(S))[0].inputs[0].inputs[0], (("k", "k"), ("number", "n")))
    assert by(prune_columns, written)[0].inputs[0] == expected


def test_a_replaced_column_is_read_although_its_values_are_not_needed_to_keep_its_place():
    assert reads(*by(prune_columns, S.select("x", "n").assign(x="n * 2"))) == [("n", "x", "t")]


def test_the_parts_of_a_concat_are_left_with_the_same_columns():
    other = stream_of()
    optimized = by(prune_columns, aggregated(fl.concat(S, other.filter("flag"))))
    parts = next(node for node in walk(optimized) if isinstance(node, Concat)).parts
    assert [part.schema.names for part in parts] == [["k", "n"], ["k", "n"]]
    assert reads(*optimized) == [("k", "n", "t"), ("k", "n", "flag", "t")]


# -- sharing


def test_equal_steps_become_one_object():
    source = Rows()
    one, two = (stream_of(source).filter("n > 0") for _ in range(2))
    assert one.node is not two.node
    optimized = plan([one.select("n").node, two.select("k").node]).optimized
    assert len(list(walk(optimized))) == 4
    assert optimized[0].inputs[0] is optimized[1].inputs[0]


def test_what_is_shared_is_computed_once():
    shared = S.filter("n > 0")
    stages = plan([shared.select("n").node, shared.select("k").node]).stages
    assert [(op.node.name, op.source) for op in stages[0].ops] == [("filter-1", 0), ("select-1", 1), ("select-2", 1)]


# -- the driver


def test_a_rule_that_changes_an_outputs_columns_is_refused_by_name():
    def lose_columns(node):
        return Select(node, (("n", "n"),)) if isinstance(node, Read) and node.columns is None else None

    with pytest.raises(GraphError, match="rule lose_columns must not change what a step gives"):
        optimize((S.node,), [everywhere(lose_columns)])


def test_a_rule_that_changes_an_outputs_windows_is_refused():
    def lose_window(node):
        return node.input if node.verb == "window" else None

    with pytest.raises(GraphError, match="rule lose_window must not change"):
        optimize((S.window(fl.FixedWindows("1h")).node,), [everywhere(lose_window)])


def test_rules_that_never_end_are_refused():
    def turn(node):
        match node:
            case Filter(input, predicate) if str(predicate) in ("n > 0", "n > 1"):
                return Filter(input, parse("n > 1" if str(predicate) == "n > 0" else "n > 0"))

    with pytest.raises(GraphError, match="the rules of the optimizer must end"):
        optimize((S.filter("n > 0").node,), [everywhere(turn)])


def test_applications_are_recorded_in_order():
    written = S.rename(n="number").filter("number > 0").filter("flag")
    made = plan([written.node])
    assert [(each.rule, each.before.name) for each in made.applications] == [
        ("move_filters", "filter-1"),
        ("move_filters", "filter-2"),
        ("merge_filters", "filter-2"),
    ]
    assert made.optimized == (S.filter("n > 0 and flag").rename(n="number").node,)


def test_rules_have_names_to_be_told_by():
    names = [rule.__name__ for rule in RULES]
    assert names == ["move_filters", "merge_filters", "merge_selects", "prune_columns", "drop_selects"]


def test_functions_are_equal_only_to_themselves():
    assert FrameFunction(function) == FrameFunction(function)
    assert Filter(S.node, FrameFunction(function)) != Filter(S.node, FrameFunction(lambda frame: frame["n"] > 0))
