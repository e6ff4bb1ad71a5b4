"""What a cell made goes when the cell runs again."""

from types import SimpleNamespace

import pandas as pd
import pytest

import flower as fl
from flower.charts.plot import Plot
from flower.engine.run import Run
from flower.notebook import live, showing
from flower.notebook.chart import LiveChart, LivePlot
from flower.notebook.showing import WIDGET
from flower.notebook.table import LiveTable


class Events:
    def __init__(self):
        self.callbacks = {"pre_run_cell": [], "post_run_cell": []}

    def register(self, name, callback):
        self.callbacks[name].append(callback)

    def unregister(self, name, callback):
        self.callbacks[name].remove(callback)


class Formatter(dict):
    def for_type(self, kind, function):
        self[kind] = function


class Shell:
    """As much of a kernel's shell as the live views use."""

    def __init__(self, kernel=True):
        self.kernel = object() if kernel else None
        self.events = Events()
        self.html = Formatter()
        self.display_formatter = SimpleNamespace(
            ipython_display_formatter=Formatter(), formatters={"text/html": self.html}
        )
        self.shown = []
        self.display_pub = SimpleNamespace(publish=lambda data, metadata, **more: self.shown.append((data, more)))

    def cell(self, cell_id, source, text="text"):
        """Run a function as a cell; displays what it gives."""
        for callback in self.events.callbacks["pre_run_cell"]:
            callback(SimpleNamespace(cell_id=cell_id, raw_cell=text))
        made = source()
        if type(made) in self.display_formatter.ipython_display_formatter:
            self.display_formatter.ipython_display_formatter[type(made)](made)
        for callback in self.events.callbacks["post_run_cell"]:
            callback(None)
        return made


@pytest.fixture
def shell(comms, monkeypatch):
    monkeypatch.setattr(showing.ticker, "add", lambda item: None)
    made = Shell()
    live.install(made)
    yield made
    live.uninstall(made)


def chart():
    return fl.read.rate(1000).plot.line(x="time", y="value")


def test_a_cell_that_runs_again_replaces_its_run_and_its_comms(shell, comms):
    first = shell.cell("one", chart)
    second = shell.cell("one", chart)
    assert (first.run.state, second.run.state) == ("stopped", "running")
    assert live.views() == [second]
    closed = [comm for comm in comms if comm.messages[-1][0] == "comm_close"]
    assert len(closed) == 2  # view and layout of the first chart; BokehJS stays
    assert len(comms) == 6


def test_runs_and_recordings_are_tables_of_texts(shell):
    run = fl.read.rate(10, rows=1).run(name="<b> $x$").wait()
    table = shell.html[type(fl.runs())](fl.runs())
    assert "<td>&lt;b&gt; <span>$</span>x<span>$</span></td>" in table and run in fl.runs()
    fl.record(fl.read.rate(1000), "1min", rows=5, name="<i>").wait()
    assert "<td>&lt;i&gt;</td>" in shell.html[type(fl.recordings)](fl.recordings)
    fl.recordings.clear("<i>")
    live.uninstall(shell)
    assert shell.html == {}


def test_another_cell_replaces_nothing(shell):
    first, second = shell.cell("one", chart), shell.cell("two", chart)
    assert (first.run.state, second.run.state) == ("running", "running")
    assert live.views() == [first, second]


def test_a_front_end_without_cell_ids_is_told_by_the_text(shell):
    first = shell.cell(None, chart, "chart()")
    shell.cell(None, lambda: None, "other()")
    assert first.run.state == "running"
    shell.cell(None, chart, "chart()")
    assert first.run.state == "stopped"


def test_a_run_that_a_cell_started_goes_with_it(shell):
    run = shell.cell("one", lambda: fl.read.rate(1000).run())
    shell.cell("two", lambda: fl.read.rate(1000).plot.line(x="time", y="value", run=run))
    assert run.state == "running"
    shell.cell("one", lambda: None)
    assert run.state == "stopped"


def test_a_chart_of_a_run_of_another_cell_leaves_it_alone(shell):
    run = shell.cell("one", lambda: fl.read.rate(1000).run())
    shell.cell("two", lambda: fl.read.rate(1000).plot.line(x="time", y="value", run=run))
    shell.cell("two", lambda: None)
    assert run.state == "running"
    assert live.views() == [] or all(view.run is run for view in live.views())


def test_a_run_chart_or_table_as_the_last_line_is_displayed(shell):
    for source in (chart, lambda: fl.read.rate(10).run(), lambda: fl.read.rate(10).table()):
        before = len(shell.shown)
        shell.cell("one", source)
        # Itself, and how it looks, for where it cannot live.
        assert len(shell.shown) == before + 2
        assert WIDGET in shell.shown[-2][0] and "flower-still" in shell.shown[-1][0]["text/html"]


def test_installing_twice_is_once(shell):
    live.install(shell)
    assert len(shell.events.callbacks["pre_run_cell"]) == 1


def test_uninstalling_leaves_nothing(shell, comms):
    made = shell.cell("one", chart)
    live.uninstall(shell)
    assert made.run.state == "stopped"
    assert shell.events.callbacks == {"pre_run_cell": [], "post_run_cell": []}
    assert shell.display_formatter.ipython_display_formatter == {}
    frame = pd.DataFrame({"v": [1, 2]})
    assert type(fl.read.frame(frame).plot) is Plot
    assert fl.read.frame(frame).table(1)["v"].tolist() == [2]


def test_a_shell_without_a_kernel_stays_as_it_is(comms):
    live.install(Shell(kernel=False))
    assert type(fl.read.frame(pd.DataFrame({"v": [1]})).plot) is Plot


def test_loaded_plots_and_tables_are_live(shell):
    stream = fl.read.frame(pd.DataFrame({"v": [1.0, 2.0]}))
    assert isinstance(stream.plot, LivePlot)
    made = shell.cell("one", lambda: stream.plot.bar(x="v", y="v"))
    assert isinstance(made, LiveChart) and isinstance(made.run, Run)
    assert isinstance(shell.cell("two", stream.table), LiveTable)


def frame_of(**columns):
    return fl.read.frame(pd.DataFrame({"k": ["a", "b"], **columns}))


def shown_table(comms):
    """The newest table that was opened."""
    opened = [data["state"] for comm in comms for kind, data, _ in comm.messages if kind == "comm_open"]
    return [state["snapshot"] for state in opened if state.get("kind") == "preview"][-1]


def test_a_stream_is_shown_as_a_table_that_is_kept_as_html_and_goes_with_its_cell(shell, comms):
    hostile = "<img src=x onerror=alert(1)>"
    shell.cell("one", lambda: fl.read.frame(pd.DataFrame({"k": [hostile], "n": [1]})))
    (widget, _), (beside, _) = shell.shown
    assert WIDGET in widget and "read-1" in widget["text/plain"]
    assert "flower-still" in beside["text/html"] and "<img" not in beside["text/html"]
    table = shown_table(comms)
    assert table["columns"] == ["k", "n"] and table["types"] == ["str", "int64"]
    assert [row["cells"] for row in table["rows"]] == [[hostile, "1"]]
    assert table["about"] == "bounded \u00b7 1 step" and table["note"] == "The first row."
    shell.cell("one", lambda: None)
    closed = [comm for comm in comms if comm.messages[-1][0] == "comm_close"]
    assert len(closed) == len(comms) == 2


def test_what_is_otherwise_than_when_the_cell_last_ran_is_marked(shell, comms):
    shell.cell("one", lambda: frame_of(n=[1, 2]))
    assert not any("changed" in row for row in shown_table(comms)["rows"])
    shell.cell("two", lambda: frame_of(n=[7, 8]))
    assert not any("changed" in row for row in shown_table(comms)["rows"])
    shell.cell("one", lambda: frame_of(n=[1, 3]).assign(m="n * 2"))
    table = shown_table(comms)
    assert [row["changed"] for row in table["rows"]] == [[False, False, True], [False, True, True]]
    assert "Marked" in table["note"]
    shell.cell("one", lambda: frame_of(n=[1, 3]).assign(m="n * 2"))
    table = shown_table(comms)
    assert not any(any(row["changed"]) for row in table["rows"]) and "Marked" not in table["note"]


def test_a_stream_that_cannot_be_shown_says_why(shell, comms, monkeypatch):
    def fails(*_):
        raise RuntimeError("<b>broken</b>")

    monkeypatch.setattr(live, "preview_of", fails)
    shell.cell("one", lambda: frame_of(n=[1, 2]))
    [(data, _)] = shell.shown
    assert "RuntimeError: &lt;b&gt;broken&lt;/b&gt;" in data["text/html"] and comms == []
