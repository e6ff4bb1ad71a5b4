"""The verbs: the nodes they build, and what they refuse, word for word."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest
from strategies import SCHEMA, Rows, stream_of

import flower as fl
from flower.api.stream import Stream
from flower.errors import (
    ColumnError,
    DtypeError,
    DurationError,
    EventTimeError,
    ExpressionError,
    FlowerError,
    GraphError,
    SchemaError,
    TriggerError,
    UserFunctionError,
    WindowError,
)
from flower.graph.expressions import parse
from flower.graph.nodes import Assign, Dropped, Errors, Filter, Select

S = stream_of()
LIVE = stream_of(Rows(bounded=False))
HOUR = fl.FixedWindows("1h")
COLUMNS = "The columns are 'k', 'n', 'm', 'x', 'flag', 't'"


def refused(error: type[FlowerError], message: str):
    """Expect an error whose text is exactly ``message``."""

    class Refusal:
        def __enter__(self):
            self.raises = pytest.raises(error)
            self.info = self.raises.__enter__()

        def __exit__(self, *exception):
            swallowed = self.raises.__exit__(*exception)
            assert str(self.info.value) == message
            return swallowed

    return Refusal()


def counted(stream: Stream) -> Stream:
    return stream.groupby("k").agg(rows="count")


# -- what verbs build


def test_every_verb_adds_one_node_and_leaves_the_stream_as_it_was():
    before = S.node
    after = S.filter("n > 0")
    assert S.node is before
    assert after.node == Filter(before, parse("n > 0"))
    assert after.node.input is before


def test_a_stream_cannot_be_changed():
    with pytest.raises(AttributeError):
        S.node = S.filter("n > 0").node
    with pytest.raises(AttributeError):
        S.other = 1


def test_a_stream_is_no_frame():
    with pytest.raises(GraphError, match=r"got \['n'\]; write \.select\('a', 'b'\) for columns, \.filter"):
        S["n"]
    with pytest.raises(TypeError, match="not iterable"):
        iter(S)


def test_text_and_pandas_expressions_are_the_same_step():
    assert S.filter("n > 0").node == S.filter(pd.col("n") > 0).node


def test_selecting_dropping_and_renaming_are_selects():
    assert S.select("x", "n").node == Select(S.node, (("x", "x"), ("n", "n")))
    assert S.drop("k", "n", "m", "x").node == Select(S.node, (("flag", "flag"), ("t", "t")))
    assert S.select("x", "n").rename(x="n", n="x").schema.names == ["n", "x"]


def test_an_assign_may_use_what_it_has_assigned_before():
    stream = S.assign(y="n / 2", z="y > 1")
    assert stream.node == Assign(S.node, (("y", parse("n / 2")), ("z", parse("y > 1"))))
    assert stream.schema.names[-2:] == ["y", "z"]


def test_a_replaced_column_keeps_its_place():
    assert S.assign(n="x * 2").schema.names == SCHEMA.names
    assert S.assign(n="x * 2").schema.field("n").type == pa.float64()


def test_the_column_of_the_event_time_may_be_replaced_dropped_or_renamed_and_windows_still_work():
    for stream in (S.assign(t="n"), S.drop("t"), S.rename(t="departure")):
        assert counted(stream.window(HOUR)).schema.names[0] == "k"


def test_the_columns_of_functions_are_known_before_data():
    doubled = S.map_frames(lambda frame: frame[["n"]].assign(half=frame["n"] / 2))
    assert doubled.schema == pa.schema([pa.field("n", pa.int64(), nullable=False), pa.field("half", pa.float64())])
    words = S.flat_map_rows(lambda row: [], {"word": "str"})
    assert words.schema == pa.schema([pa.field("word", pa.large_string())])
    assert S.flat_map_rows(lambda row: [row]).schema == SCHEMA


def test_a_declared_schema_is_taken_without_calling_the_function():
    def fails(frame):
        raise AssertionError("called")

    assert S.map_frames(fails, schema={"v": "int64"}).schema.names == ["v"]


def test_dropped_rows_are_those_of_the_last_aggregation():
    keyed = counted(S.window(HOUR))
    assert keyed.filter("rows > 1").dropped.node == Dropped(keyed.node)
    assert keyed.errors.node == Errors(keyed.node)


def test_concat_of_one_stream_is_that_stream():
    assert fl.concat(S) is S


def test_a_name_is_given_to_the_last_step():
    assert S.filter("flag").named("flagged").node.name == "flagged"


def test_a_named_aggregate_of_pandas_is_an_aggregate():
    total = S.groupby("k").agg(total=pd.NamedAgg("n", "sum"))
    assert total.node == S.groupby("k").agg(total=("n", "sum")).node


# -- refusals of stateless verbs


def test_refusals_of_filter():
    with refused(ColumnError, f"step 'filter-1' (filter): there is no column 'delay'; {COLUMNS}"):
        S.filter("delay > 1")
    with pytest.raises(
        DtypeError, match=r"^step 'filter-2' \(filter\): a filter must say True or False of each row; got `n` of int64"
    ):
        S.filter("flag").filter("n")
    with pytest.raises(ExpressionError, match=r"^step 'filter-1' \(filter\): "):
        S.filter("n >")
    with pytest.raises(ExpressionError, match=r"must be text, pd\.col"):
        S.filter(pd.Series([True]))


def test_refusals_of_select():
    with refused(
        GraphError,
        "step 'select-1' (select): select() takes the names of columns, at least one; got none; "
        "write .select('carrier', 'delay')",
    ):
        S.select()
    with refused(
        GraphError,
        "step 'select-1' (select): select() takes the names of columns, at least one; got ['n', 'x']; "
        "write .select('carrier', 'delay')",
    ):
        S.select(["n", "x"])
    with refused(
        GraphError, "step 'select-1' (select): select() takes each column once; got 'n' more than once; name it once"
    ):
        S.select("n", "x", "n")
    with refused(ColumnError, f"step 'select-1' (select): there are no columns 'a', 'b'; {COLUMNS}"):
        S.select("a", "n", "b")


def test_refusals_of_drop():
    with refused(ColumnError, "step 'drop-1' (drop): there is no column 'flags'; did you mean 'flag'? " + COLUMNS):
        S.drop("flags")
    with refused(GraphError, "step 'drop-1' (drop): drop() must leave a column; got all of 'n', 'x'; keep one of them"):
        S.select("n", "x").drop("n", "x")
    with refused(
        GraphError,
        "step 'drop-1' (drop): drop() takes the names of columns, at least one; got none; write .drop('distance')",
    ):
        S.drop()


def test_refusals_of_rename():
    with refused(ColumnError, f"step 'rename-1' (rename): there is no column 'delay'; {COLUMNS}"):
        S.rename(delay="late")
    with refused(
        GraphError, "step 'rename-1' (rename): rename() needs at least one column; got none; write .rename(old='new')"
    ):
        S.rename()
    with refused(
        SchemaError,
        "step 'rename-1' (rename): every column must have a name of its own; got 'x' more than once; rename both",
    ):
        S.rename(n="x")
    with refused(
        GraphError, "step 'rename-1' (rename): rename() takes each column once; got 'y' more than once; name it once"
    ):
        S.rename(n="y", m="y")
    with refused(
        GraphError,
        "step 'rename-1' (rename): rename() takes the names of columns, at least one; got 5; write .rename(old='new')",
    ):
        S.rename(n=5)
    with pytest.raises(GraphError, match=r"got \{'n': 'v'\}; write \.rename\(old='new'\)"):
        S.rename(columns={"n": "v"})
    with pytest.raises(GraphError, match="takes the names of columns, at least one; got ''; write"):
        S.rename(n="")


def test_refusals_of_assign():
    with refused(
        GraphError,
        "step 'assign-1' (assign): assign() needs at least one column; got none; write .assign(late='delay > 15')",
    ):
        S.assign()
    with refused(ColumnError, f"step 'assign-1' (assign): there is no column 'z'; {COLUMNS}"):
        S.assign(y="z", z="n")
    with pytest.raises(DtypeError, match=r"^step 'assign-1' \(assign\): "):
        S.assign(y="k + n")
    with pytest.raises(UserFunctionError, match=r"^step 'assign-1' \(assign\): .*KeyError"):
        S.assign(y=lambda frame: frame["nothing"])


def test_refusals_of_functions():
    with refused(
        GraphError,
        "step 'map_frames-1' (map_frames): `fn` must be a function; got 'n'; "
        "write map_frames(lambda frame: frame.round(1))",
    ):
        S.map_frames("n")
    with refused(
        GraphError,
        "step 'flat_map_rows-1' (flat_map_rows): `fn` must be a function; got None; "
        "write flat_map_rows(lambda row: [row, row])",
    ):
        S.flat_map_rows(None)
    with pytest.raises(
        UserFunctionError, match=r"^step 'map_frames-1' \(map_frames\): .*ZeroDivisionError.*schema="
    ) as info:
        S.map_frames(lambda frame: 1 / 0)
    assert isinstance(info.value.__cause__, ZeroDivisionError)
    with pytest.raises(DtypeError, match=r"must give back a DataFrame; got Series"):
        S.map_frames(lambda frame: frame["n"])
    with pytest.raises(DtypeError, match=r"^step 'map_frames-1' \(map_frames\): column 'v' must have a dtype"):
        S.map_frames(lambda frame: frame, schema={"v": "intt"})


# -- refusals about time


def test_windows_of_rows_without_event_time_are_refused_unless_global():
    untimed = stream_of(event_time=None)
    with refused(
        EventTimeError,
        "step 'window-1' (window): windows need rows with an event time; got rows without one; "
        "name its column where it is read: event_time='column'; or use GlobalWindows()",
    ):
        untimed.window(HOUR)
    assert counted(untimed.window(fl.GlobalWindows())).schema
    with pytest.raises(EventTimeError, match="windows need rows with an event time"):
        untimed.window(fl.GlobalWindows(), timestamp_combiner="latest")


def test_windows_of_a_concat_with_a_part_without_event_time_are_refused():
    part = stream_of(Rows(label="csv 'old.csv'"), event_time=None)
    with pytest.raises(EventTimeError, match=r"got csv 'old.csv' without one"):
        fl.concat(S, part).window(HOUR)


def test_windows_of_panes_of_the_global_window_are_refused():
    with pytest.raises(EventTimeError, match=r"panes of GlobalWindows\(\).*timestamp_combiner='latest'"):
        counted(S.window(fl.GlobalWindows())).window(HOUR)
    assert counted(counted(S.window(fl.GlobalWindows(), timestamp_combiner="latest")).window(HOUR)).schema


def test_windows_of_failed_rows_are_refused():
    with pytest.raises(EventTimeError, match="rows that could not be processed"):
        S.errors.window(HOUR)


@pytest.mark.parametrize(
    "error, arguments",
    [
        (WindowError, {"windows": "1h"}),
        (TriggerError, {"windows": HOUR, "trigger": fl.AfterCount(3)}),
        (GraphError, {"windows": HOUR, "accumulation": "replacing"}),
        (GraphError, {"windows": HOUR, "closing_behavior": "never"}),
        (DurationError, {"windows": HOUR, "allowed_lateness": 3600}),
    ],
)
def test_other_refusals_of_window_name_the_step(error, arguments):
    with pytest.raises(error, match=r"^step 'window-1' \(window\): "):
        S.window(**arguments)


# -- refusals of aggregations


def test_refusals_of_groupby():
    with refused(ColumnError, f"step 'agg-1' (agg): there is no column 'carrier'; {COLUMNS}"):
        S.groupby("carrier")
    with refused(
        GraphError,
        "step 'agg-1' (agg): groupby() takes the names of columns, at least one; got none; "
        "write .groupby('carrier').agg(...), or .agg(...) for all rows together",
    ):
        S.groupby()
    with refused(
        GraphError, "step 'agg-1' (agg): groupby() takes each column once; got 'k' more than once; name it once"
    ):
        S.groupby("k", "k")


def test_refusals_of_agg():
    with refused(
        GraphError,
        "step 'agg-1' (agg): agg() needs at least one aggregate; got none; write .agg(total=('delay', 'sum'))",
    ):
        S.agg()
    with refused(ColumnError, f"step 'agg-1' (agg): there is no column 'delay'; {COLUMNS}"):
        S.groupby("k").agg(total=("delay", "sum"))
    with pytest.raises(
        GraphError, match=r"^step 'agg-1' \(agg\): unknown aggregate; got 'summ'; did you mean 'sum'\? known: "
    ):
        S.agg(total=("n", "summ"))
    with refused(
        GraphError, "step 'agg-1' (agg): aggregate 'total' must have a column; got 'sum'; write total=('column', 'sum')"
    ):
        S.agg(total="sum")
    with pytest.raises(
        GraphError,
        match=r"^step 'agg-1' \(agg\): aggregate 'total' must be a column and how .* got \('n', "
        r"'sum', 1\); write total=",
    ):
        S.agg(total=("n", "sum", 1))
    with pytest.raises(GraphError, match="got <built-in function sum>"):
        S.agg(total=sum)
    with pytest.raises(GraphError, match=r"got \(5, 'sum'\)"):
        S.agg(total=(5, "sum"))
    with pytest.raises(DtypeError, match=r"^step 'agg-1' \(agg\): 'sum' takes .* got column 'k'"):
        S.agg(total=("k", "sum"))


@pytest.mark.parametrize("name", ["window_start", "pane_index", "event_time"])
def test_results_and_keys_may_not_be_called_as_the_columns_of_panes(name):
    with pytest.raises(GraphError, match=rf"^step 'agg-1' \(agg\): .*got aggregate '{name}'; .*window_end.* are taken"):
        S.agg(**{name: "count"})
    with pytest.raises(GraphError, match=rf"got key '{name}'"):
        S.rename(k=name).groupby(name).agg(rows="count")


def test_a_result_may_not_be_called_as_a_key():
    with pytest.raises(GraphError, match="aggregate 'k' twice"):
        S.groupby("k").agg(k="count")


def test_lists_cannot_be_keys():
    sessions = counted(S.window(fl.Sessions("1h")))
    with pytest.raises(DtypeError, match=r"^step 'agg-2' \(agg\): a key must be .* got column 'merged'"):
        sessions.rename(pane_absorbs="merged").groupby("merged").agg(n="count")


WHEN = "step 'agg-1' (agg): an aggregation must be told when to give results; got "
HOW = (
    "; call .window(fl.FixedWindows('1h')) before; or, for results on the way, .window(fl.GlobalWindows(), "
    "trigger=fl.AfterWatermark(early=fl.AfterProcessingTime('1s'))), or with ttl='1h', for keys that fall silent; "
    "or read a source that ends"
)


def test_an_unbounded_stream_without_windows_is_refused():
    with refused(GraphError, WHEN + "an unbounded stream without a window" + HOW):
        counted(LIVE)
    with refused(GraphError, WHEN + "an unbounded stream without a window" + HOW):
        LIVE.agg(rows="count")


def test_an_unbounded_stream_in_the_global_window_needs_an_early_trigger():
    with refused(GraphError, WHEN + "an unbounded stream in GlobalWindows() with the default trigger" + HOW):
        counted(LIVE.window(fl.GlobalWindows()))
    late = fl.AfterWatermark(late=fl.AfterCount(1))
    with pytest.raises(GraphError, match=r"in GlobalWindows\(\) with AfterWatermark\(late=AfterCount\(1\)\)"):
        counted(LIVE.window(fl.GlobalWindows(), trigger=late))
    early = fl.AfterWatermark(early=fl.AfterProcessingTime("1s"))
    assert counted(LIVE.window(fl.GlobalWindows(), trigger=early)).schema


def test_unbounded_streams_in_windows_and_bounded_ones_without_are_fine():
    assert counted(LIVE.window(HOUR)).schema
    assert counted(S).schema


def test_a_second_aggregation_of_an_unbounded_stream_needs_a_window_of_its_own():
    with pytest.raises(GraphError, match=r"^step 'agg-2' \(agg\): an aggregation must be told when"):
        counted(LIVE.window(HOUR)).agg(rows="count")


TWICE = (
    "step 'agg-2' (agg): panes that replace one another cannot be aggregated, "
    "for their rows would count more than once; got "
)


def test_panes_that_replace_one_another_are_not_aggregated():
    early = fl.AfterWatermark(early=fl.AfterCount(1))
    with refused(
        GraphError,
        TWICE + "accumulating panes of FixedWindows('1h'), trigger=AfterWatermark(early=AfterCount(1)); use "
        "accumulation='retracting' or 'discarding' there; "
        "or take the final pane of each window only, with .filter('pane_final') before "
        "this step",
    ):
        counted(S.window(HOUR, trigger=early)).window(HOUR).agg(rows="count")
    with refused(
        GraphError,
        TWICE + "accumulating panes of FixedWindows('1h'), allowed_lateness='1h'; "
        "use accumulation='retracting' or 'discarding' there; "
        "or take the final pane of each window only, with closing_behavior='fire_always' there and "
        ".filter('pane_final') before this step",
    ):
        counted(S.window(HOUR, allowed_lateness="1h")).window(HOUR).agg(rows="count")


@pytest.mark.parametrize(
    "panes",
    [
        S.window(HOUR),
        S.window(HOUR, allowed_lateness="1h", accumulation="discarding"),
        S.window(HOUR, trigger=fl.AfterWatermark(late=fl.AfterCount(1))),  # no lateness: nothing is late
    ],
)
def test_panes_that_do_not_replace_one_another_are_aggregated(panes):
    assert counted(panes).window(HOUR).agg(total=("rows", "sum")).schema


@pytest.mark.parametrize("condition", ["pane_final", "rows > 1 and pane_final"])
def test_final_panes_are_aggregated(condition):
    panes = counted(S.window(HOUR, allowed_lateness="1h", closing_behavior="fire_always"))
    assert panes.filter(condition).filter("rows > 0").window(HOUR).agg(rows="count").schema


@pytest.mark.parametrize("condition", ["not pane_final", "rows > 1 or pane_final", lambda frame: frame["pane_final"]])
def test_filters_that_do_not_surely_leave_final_panes_do_not_help(condition):
    panes = counted(S.window(HOUR, allowed_lateness="1h", closing_behavior="fire_always"))
    with pytest.raises(GraphError, match="panes that replace one another"):
        panes.filter(condition).window(HOUR).agg(rows="count")


def test_panes_behind_a_concat_are_seen():
    panes = counted(S.window(HOUR, allowed_lateness="1h"))
    with pytest.raises(GraphError, match="panes that replace one another"):
        fl.concat(panes, panes).window(HOUR).agg(rows="count")


def test_dropped_pairs_of_a_refined_step_may_be_counted():
    assert counted(S.window(HOUR, allowed_lateness="1h")).dropped.window(HOUR).agg(rows="count").schema


# -- other refusals


def test_refusals_of_concat():
    with refused(GraphError, "concat() needs at least one stream; got none; write fl.concat(one, two)"):
        fl.concat()
    with refused(GraphError, "concat() takes streams; got list; write fl.concat(one, two)"):
        fl.concat([S, S])
    with pytest.raises(SchemaError, match=r"^step 'concat-1' \(concat\): .*the same columns"):
        fl.concat(S, S.drop("x"))


def test_refusals_of_named():
    for name in ("", " ", None, 5):
        with pytest.raises(GraphError, match="the name of a step must be text; got"):
            S.named(name)
    with pytest.raises(GraphError, match="'a' names two, filter and filter"):
        S.filter("flag").named("a").filter("n > 0").named("a")


def test_refusals_of_dropped():
    with refused(
        GraphError,
        "rows are dropped by an aggregation, a join or a deduplication; got a stream without any of them; "
        "write delays.dropped, for delays = ....agg(...)",
    ):
        S.filter("flag").dropped  # noqa: B018
    panes = counted(S.window(HOUR))
    with pytest.raises(GraphError, match="got several streams put together"):
        fl.concat(panes, panes).dropped  # noqa: B018


def test_refusals_of_collect_and_of_a_number_of_rows():
    with pytest.raises(GraphError, match=r"collect\(\) needs a stream that ends; got an unbounded source"):
        LIVE.collect()
    for n in (-1, 2.5, "3", True):
        with pytest.raises(GraphError, match=r"`n` of head\(\) must be a number of rows; got"):
            S.head(n)
    with pytest.raises(GraphError, match=r"`n` of preview\(\)"):
        LIVE.preview(-1)
    with pytest.raises(DurationError, match="`within` must be a duration"):
        LIVE.preview(1, within=2)


def test_refusals_of_run():
    with refused(GraphError, "run() needs at least one stream or sink; got none; write fl.run(stream, other)"):
        fl.run()
    with refused(GraphError, "run() takes streams and sinks; got str; write fl.run(stream, other, latency='1s')"):
        fl.run(S, "dask")
    what = "`executor` must be 'embedded', 'dask', a distributed.Client or a scheduler's address; got 'spark'"
    with refused(
        GraphError, f"{what}; write executor='dask' for workers on this machine, or executor='tcp://host:8786'"
    ):
        S.run("spark")


def test_a_refusal_leaves_the_users_cause_and_is_the_fitting_builtin():
    with pytest.raises(KeyError):
        S.select("nothing")
    with pytest.raises(ValueError, match="at least one"):
        S.select()
