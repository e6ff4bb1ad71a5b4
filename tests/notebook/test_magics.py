"""``%%flow`` and ``%flow`` in an IPython shell."""

import linecache
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.testing.globalipapp import start_ipython

import flower as fl
from flower.engine.run import Run, alive
from flower.notebook.preview import stream_html

IMPORTS = "import flower as fl, pandas as pd"
FLIGHTS = """
flights = fl.read.parquet(fl.datasets.flights, event_time="departure", arrival="observed",
                          watermark=fl.BoundedDisorder("12h"))
ticks = fl.read.rate(1000, start="2024-01-01T00:00:00Z", keys=2)
"""
DELAYS = """%%flow delays --from flights
filter      "delay > 15"
window      SlidingWindows("1h", every="10min"), allowed_lateness="1h"
groupby     "carrier"
agg         flights=("delay", "count"), mean_delay=("delay", "mean")
"""


@pytest.fixture(scope="session")
def shell() -> InteractiveShell:
    start_ipython()
    return InteractiveShell.instance()


@pytest.fixture
def ip(shell: InteractiveShell) -> Iterator[InteractiveShell]:
    shell.run_line_magic("load_ext", "flower")
    for cell in (IMPORTS, FLIGHTS):
        assert shell.run_cell(cell).success
    yield shell
    shell.run_line_magic("unload_ext", "flower")
    for run in alive():
        run.stop()
    shell.reset(new_session=False)


@pytest.fixture
def said(ip: InteractiveShell) -> Callable[[str], str]:
    """What a cell is refused with."""

    def error_of(cell: str) -> str:
        error = ip.run_cell(cell).error_in_exec
        assert type(error) is UsageError
        return str(error)

    return error_of


def value(ip: InteractiveShell, cell: str) -> Any:
    done = ip.run_cell(cell)
    done.raise_error()
    return done.result


def written(flights: fl.Stream) -> fl.Stream:
    return (
        flights.filter("delay > 15")
        .window(fl.SlidingWindows("1h", every="10min"), allowed_lateness="1h")
        .groupby("carrier")
        .agg(flights=("delay", "count"), mean_delay=("delay", "mean"))
    )


def test_a_cell_is_the_stream_that_the_methods_make(ip):
    shown = value(ip, DELAYS)
    assert shown.node == written(ip.user_ns["flights"]).node
    assert ip.user_ns["delays"] is shown


def test_a_last_line_that_plots_shows_the_chart_and_leaves_the_stream_before(ip):
    chart = value(ip, DELAYS + 'plot.line   x="window_end", y="mean_delay", by="carrier"')
    assert "Chart" in type(chart).__name__
    assert ip.user_ns["delays"].node == written(ip.user_ns["flights"]).node


def test_a_last_line_that_writes_gives_what_can_be_run(ip, tmp_path):
    ip.user_ns["out"] = str(tmp_path / "out")
    sink = value(ip, '%%flow late --from flights\nfilter "delay > 400"\nwrite.parquet out')
    sink.run().wait()
    assert len(pd.read_parquet(ip.user_ns["out"])) == 3
    assert len(ip.user_ns["late"].collect()) == 3


def test_arguments_see_the_variables_of_the_notebook_and_functions_made_in_them_do_later(ip):
    ip.run_cell("limit = 400")
    late = value(ip, '%%flow late --from flights\nfilter lambda frame: frame["delay"].gt(limit).fillna(False)')
    assert len(late.collect()) == 3
    ip.run_cell("limit = 100_000")
    assert len(late.collect()) == 0


def test_a_line_applies_a_function_to_the_groups_of_the_line_before(ip):
    ip.run_cell("def worst(rows):\n    return rows.nlargest(1, 'delay')[['delay']]")
    applied = value(ip, '%%flow tops --from flights\ngroupby "carrier"\napply worst')
    most = ip.user_ns["flights"].groupby("carrier").agg(most=("delay", "max"))
    assert applied.collect()["delay"].tolist() == most.collect()["most"].tolist()


def test_a_line_processes_the_rows_of_each_key_with_code_of_the_notebook(ip):
    ip.run_cell(
        """
class Silent:
    def on_rows(self, key, rows, state, timers):
        state.n += len(rows)
        timers.end.after("1D")

    def on_timer(self, name, key, time, state, timers):
        return {"flights": state.n}
"""
    )
    cell = """%%flow silent --from flights
groupby "carrier"
process Silent, state={"n": state.Value("int64", default=0)}, timers={"end": "event"}, schema={"flights": "int64"}"""
    silent = value(ip, cell)
    counts = ip.user_ns["flights"].groupby("carrier").agg(n="count").collect().set_index("carrier")["n"]
    assert silent.collect().set_index("carrier")["flights"].sort_index().tolist() == counts.sort_index().tolist()


def test_a_function_in_a_line_may_use_flowers_names_without_an_import(ip):
    ip.run_cell("del fl")
    late = value(
        ip, '%%flow late --from flights\nfilter lambda frame: frame["delay"].gt(len(repr(FixedWindows("1h"))))'
    )
    assert "delay" in late.collect().columns


def test_a_variable_of_the_notebook_counts_before_a_name_of_flowers(ip):
    ip.run_cell("def FixedWindows(size): return fl.SlidingWindows(size, every='1h')")
    cell = '%%flow hourly --from flights\nwindow FixedWindows("2h")\nagg n="count"'
    assert value(ip, cell).node.grouping.windows == fl.SlidingWindows("2h", every="1h")


def test_a_step_goes_on_in_open_brackets_and_indented_lines_and_comments_are_none(ip):
    shown = value(
        ip,
        """%%flow delays --from flights
# the late ones
filter "delay > 15"  # minutes

window SlidingWindows(
"1h", every="10min",
), allowed_lateness="1h"
groupby "carrier"
agg flights=("delay", "count"),
    mean_delay=("delay", "mean")
""",
    )
    assert shown.node == written(ip.user_ns["flights"]).node


def test_the_source_may_be_an_expression(ip):
    cell = '%%flow late --from fl.replay(flights, speed=1e9)\nfilter "delay > 400"'
    assert value(ip, cell).node.input.source.label.startswith("replay of")


def test_properties_are_steps_too(ip):
    shown = value(ip, DELAYS + "dropped")
    assert "reason" in shown.schema.names


@pytest.mark.parametrize(
    "cell, message",
    [
        ("%%flow d --from flights\nfliter 'x'", "line 2, fliter: 'fliter' is not a verb; did you mean 'filter'?"),
        ("%%flow d --from flights\nqqq", "line 2, qqq: 'qqq' is not a verb; there are "),
        ("%%flow d --from flights\nwrite.parqet 'x'", "'write.parqet' is not a verb; did you mean 'write.parquet'?"),
        ("%%flow d --from flights\n\nfilter 'delay >", "line 3, filter: unterminated string literal"),
        ("%%flow d --from flights\nwindow FixedWindows('1h'\nagg n='count'", "line 2, window: '(' was never closed"),
        ("%%flow d --from flights\nfilter 'a').drop('b'", "line 2, filter: the rest of the line must be arguments"),
        ("%%flow d --from flights\nfilter 'a') + f(2", "line 2, filter: the rest of the line must be arguments"),
        ("%%flow d --from flights\nfilter('delay > 3')", "a space and its arguments; write `filter 'delay > 3'`"),
        ("%%flow d --from flights\n3 + 4", "line 2: a step begins with its verb"),
        ("%%flow d --from flights\nfilter 'delay > > 3'", "line 2: step 'filter-1' (filter): an expression must be"),
        (
            "%%flow d --from flights\nfilter 'delay > 3'\nfilter 'dely > 3'",
            "line 3: step 'filter-2' (filter): ",
        ),
        ("%%flow d --from flights\nfilter 'dely > 3'", "no column 'dely'; did you mean 'delay'?"),
        (
            "%%flow d --from flights\nwindow FixedWindows('1h'), lateness='1h'",
            "unexpected keyword argument 'lateness'; did you mean 'allowed_lateness'?; window takes windows, trigger=",
        ),
        ("%%flow d --from flights\nwindow", "line 2, window: missing a required argument: 'windows'"),
        ("%%flow d --from flights\nerrors 3", "line 2, errors: errors takes no arguments"),
        ("%%flow d --from flights\nassign x=1/0", "line 2, assign: ZeroDivisionError: division by zero"),
        ("%%flow d --from flights\nassign x=nope", "line 2, assign: NameError: name 'nope' is not defined"),
        ("%%flow d --from flights\ngroupby 'carrier'", "line 2, groupby: a line `agg total="),
        ("%%flow d --from flights\ngroupby 'carrier'\nfilter 'delay > 3'", "'filter' is not a step after groupby"),
        (
            "%%flow d --from flights\nhead 3\nfilter 'delay > 3'",
            "gives no stream but a DataFrame, so it must",
        ),
        ("%%flow d --from flights\nwrite", "line 2, write: say which: write.parquet, write.json_lines, write.foreach"),
        ("%%flow d\nfilter 'delay > 3'", "%%flow d needs a stream to start from; write %%flow d --from flights"),
        ("%%flow --from flights\nfilter 'delay > 3'", "%%flow needs a name"),
        ("%%flow class --from flights\nfilter 'delay > 3'", "'class' cannot be the name of a variable"),
        ("%%flow a-b --from flights\nfilter 'delay > 3'", "'a-b' cannot be the name of a variable"),
        ("%%flow d --from nope\nfilter 'delay > 3'", "line 1: --from nope: NameError: name 'nope' is not defined"),
        ("%%flow d --from 1 +\nfilter 'delay > 3'", "line 1: --from takes a stream, by name or as an expression"),
        ("%%flow d --from 3\nfilter 'delay > 3'", "line 1: --from takes a stream; got an int"),
        ("%%flow flights --from flights\nfilter 'delay > 3'", "would add its steps again with every run of the cell"),
        ("%flow", "%flow needs a command: list, show, run, pause"),
        ("%flow lst", "'lst' is not a command; did you mean 'list'?"),
        ("%flow show", "%flow show needs the name of a stream; there are flights, ticks"),
        ("%flow show nope", "'nope' is not a stream; there are flights, ticks"),
        ("%flow show flights now", "%flow show takes a name and no more; got 'now'"),
        ("%flow list flights", "%flow list takes no name"),
        ("%flow pause flights", "no run of 'flights'; nothing is running"),
        ("%flow explain flights --stage nope", "`stage` must be 'logical', 'optimized' or 'physical'; got 'nope'"),
        ("%flow explain flights physical", "%flow explain takes --stage logical, optimized or physical"),
        ("%flow run flights latency=", "%flow run flights: invalid syntax"),
        ("%flow run flights lateny='1s'", "unexpected keyword argument 'lateny'; did you mean 'latency'?"),
        ("%flow run flights latency='soon'", "%flow run flights: "),
        ("%flow export flights", "%flow export needs a file to write"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(said, cell, message):
    assert message in said(cell)


def test_a_frame_as_source_is_told_how_to_be_read(said, ip):
    ip.run_cell("df = pd.DataFrame({'a': [1]})")
    assert "write --from fl.read.frame(df, event_time=" in said("%%flow d --from df\nfilter 'a > 1'")


def test_a_wrong_cell_changes_nothing(said, ip):
    before = value(ip, DELAYS)
    said("%%flow delays --from flights\nfilter 'nope > 3'")
    assert ip.user_ns["delays"] is before


def test_an_error_in_ones_own_function_shows_ones_own_lines(said, ip):
    ip.run_cell("def broken(frame):\n    return frame['nope'] > 3\n")
    message = said("%%flow d --from flights\n\nassign x=broken")
    assert "line 3: step 'assign-1'" in message
    assert "broken, line 2: return frame['nope'] > 3" in message
    assert "site-packages" not in message and len(message.splitlines()) == 2


def test_a_function_of_a_line_is_found_by_what_looks_for_its_source(ip):
    late = value(ip, "%%flow late --from flights\n\nfilter lambda frame: frame['delay'].gt(5).fillna(False)")
    code = late.node.predicate.fn.__code__
    assert code.co_firstlineno == 3
    assert linecache.getline(code.co_filename, 3).startswith(".filter(lambda frame:")


# -- runs


def test_a_run_is_started_paused_resumed_and_stopped_by_name(ip, capsys):
    run = value(ip, "%flow run ticks latency='10ms'")
    assert isinstance(run, Run) and run.name == "ticks"
    assert value(ip, "%flow pause ticks").state == "paused"
    assert value(ip, "%flow resume ticks").state == "running"
    listed = repr(value(ip, "%flow list"))
    assert "ticks unbounded" in listed and "running" in listed
    assert value(ip, "%flow stop ticks").state == "stopped"
    assert alive() == []


def test_runs_that_were_started_in_code_are_found_by_variable_and_by_name(ip):
    ip.run_cell("mine = ticks.run(name='metronome')")
    assert value(ip, "%flow pause mine").state == "paused"
    assert value(ip, "%flow resume metronome").state == "running"
    value(ip, "%flow stop --all")
    assert alive() == []


def test_running_a_stream_again_leaves_one_run(ip):
    first = value(ip, "%flow run ticks")
    second = value(ip, "%flow run ticks")
    assert first.state == "stopped" and alive() == [second]


def test_a_cell_that_runs_again_replaces_its_run(ip, capsys):
    cell = "%%flow even --from ticks\nfilter 'key == 0'"
    ip.run_cell(cell)
    first = value(ip, "%flow run even latency='20ms'")
    for _ in range(2):
        ip.run_cell(cell.replace("0", "1"))
        assert "The run of 'even' was replaced." in capsys.readouterr().out
        (second,) = alive()
        assert first.state == "stopped" and second.name == "even"
        second.stop()  # as the notebook does with what a cell made, when the cell runs again
        first = second
    value(ip, "%flow stop even")
    ip.run_cell(cell)
    assert alive() == []


def test_a_wrong_cell_lets_the_run_go_on(said, ip):
    ip.run_cell("%%flow even --from ticks\nfilter 'key == 0'")
    run = value(ip, "%flow run even")
    said("%%flow even --from ticks\nfilter 'ky == 0'")
    assert alive() == [run]


def test_a_cell_whose_last_line_runs_has_that_run(ip):
    cell = "%%flow even --from ticks\nfilter 'key == 0'\nrun latency='20ms'"
    first = value(ip, cell)
    assert value(ip, "%flow pause even") is first
    assert repr(value(ip, "%flow list")).count("paused") == 1  # by the name of the stream, not by its own as well
    second = value(ip, cell)
    assert first.state == "stopped" and alive() == [second]


def test_a_run_that_a_cell_starts_is_called_as_its_stream(ip):
    cell = "%%flow even --from ticks\nfilter 'key == 0'\nrun"
    assert value(ip, cell).name == "even"
    assert value(ip, cell + " name='mine'").name == "mine"


def test_a_formula_in_the_name_of_a_run_is_text_in_the_list(ip):
    ip.run_cell("mine = ticks.run(name='$$x$$')")
    assert "<span>$</span>x<span>$</span>" in value(ip, "%flow list")._repr_html_()


def test_show_graph_and_explain_give_what_the_methods_give(ip):
    delays = value(ip, DELAYS)
    assert value(ip, "%flow show delays") is delays
    assert value(ip, "%flow graph delays") == delays.graph
    assert value(ip, "%flow explain delays") == delays.explain()
    assert value(ip, "%flow explain delays --stage physical") == delays.explain("physical")


def test_export_writes_a_script_with_the_functions_of_the_lines_in_it(ip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ip.run_cell("limit = 400")
    value(ip, "%%flow late --from flights\nfilter lambda frame: frame['delay'].gt(limit).fillna(False)  # minutes")
    value(ip, "%flow export late 'the late.py'")
    script = (tmp_path / "the late.py").read_text()
    assert "filter(lambda frame: frame['delay'].gt(limit).fillna(False))" in script.replace('"', "'")
    assert "limit = 400" in script


def test_a_line_may_join_a_stream_of_the_notebook(ip):
    ip.run_cell("big = flights.filter('distance > 1500').select('carrier', 'distance')")
    cell = """%%flow near --from flights
    select "carrier", "delay"
    join   big, on="carrier", within=("0s", "1min")
    """
    assert value(ip, cell).schema.names == ["carrier", "delay", "distance", "event_time"]


def test_a_line_may_deduplicate(ip):
    cell = """%%flow first --from flights
    select      "carrier", "delay"
    deduplicate "carrier", within="3h"
    """
    assert value(ip, cell).schema.names == ["carrier", "delay"]


def test_a_line_may_have_a_model_learn_and_the_cell_is_exported(ip, tmp_path):
    ip.run_cell("from river import linear_model, preprocessing")
    cell = """%%flow guesses --from flights
    groupby "carrier"
    learn   preprocessing.StandardScaler() | linear_model.LinearRegression(l2=0.1), x="distance", y="delay"
    """
    assert value(ip, cell).schema.names[-2:] == ["distance", "prediction"]
    value(ip, f"%flow export guesses '{tmp_path}/guesses.py'")
    script = (tmp_path / "guesses.py").read_text()
    assert "from river import linear_model\n" in script
    assert "linear_model.LinearRegression(l2=0.1)" in script


def test_a_line_may_pivot(ip):
    cell = """%%flow wide --from flights
    window  FixedWindows("1h")
    groupby "origin"
    pivot   "carrier", "delay", categories=["AA", "UA"]
    """
    assert value(ip, cell).schema.names[:5] == ["origin", "window_start", "window_end", "AA", "UA"]


def test_unloading_takes_the_magics_away_and_stops_their_runs(ip):
    run = value(ip, "%flow run ticks")
    ip.run_line_magic("unload_ext", "flower")
    assert run.state == "stopped"
    assert ip.find_line_magic("flow") is None and ip.find_cell_magic("flow") is None
    assert not [each for each in ip.Completer.custom_matchers if "flower" in getattr(each, "matcher_identifier", "")]
    ip.run_line_magic("load_ext", "flower")
    assert ip.find_cell_magic("flow") is not None


@pytest.mark.parametrize(
    "magic, words", [("flow", ["%flow export delays", "pause", "--all"]), ("%flow", ["--from", "groupby"])]
)
def test_the_help_of_the_magics_says_what_there_is(ip, magic, words):
    found = ip.find_cell_magic("flow") if magic == "%flow" else ip.find_line_magic("flow")
    assert all(word in found.__doc__ for word in words)


def test_a_cell_of_a_live_source_shows_the_same_rows_with_every_step(ip):
    assert ip.run_cell("import itertools; numbers = itertools.count(1)").success
    assert ip.run_cell("def ticks():\n    while True:\n        yield {'n': next(numbers)}").success
    assert ip.run_cell("live = fl.read.generator(ticks, schema={'n': 'int64'})").success
    fl.recordings.clear()
    first = stream_html(value(ip, "%%flow some --from live\nfilter 'n > 0'"))
    again = stream_html(value(ip, "%%flow some --from live\nfilter 'n > 0'\nassign m='n * 2'"))
    assert "The first 5 rows on the recording" in first and ">1</td>" in first
    assert ">1</td>" in again and ">2</td>" in again
    [recording] = fl.recordings
    assert recording.name == "ticks"
    fl.recordings.clear()
