"""Time diagrams of a notebook, without a browser."""

import base64

import pytest

import flower as fl
from flower import teach
from flower.errors import GraphError
from flower.notebook import diagram as diagram_module
from flower.notebook.diagram import LiveDiagram, LiveFigure, live_run_diagram
from flower.notebook.showing import WIDGET
from flower.notebook.view_widget import PNG
from flower.testing import ManualClock

PIXELS = base64.b64encode(PNG + b"rest").decode()


def paused():
    """A run that does an epoch, of two seconds, when it is told to."""
    clock = ManualClock()
    rows = fl.read.rate(4, keys=2, start="2000-01-01T00:00:00Z")
    run = (
        rows.window(fl.FixedWindows("2s"))
        .groupby("key")
        .agg(n="count", total=("value", "sum"))
        .run(clock=clock)
        .pause()
    )

    def step():
        clock.advance("2s")
        run.step()

    return run, step


def of(run, **options):
    return live_run_diagram(run)(**{"key": None, "value": None, "step": None, **options})


def selects(diagram):
    return {each["name"]: (each["options"], each["chosen"]) for each in diagram.snapshot()["selects"]}


def test_a_diagram_shows_itself_as_a_widget_and_a_text(paper):
    figure = LiveFigure(teach.figure("102_fig9_discarding"))
    figure.show()
    (data, _, _, _), _ = paper.shown
    assert set(data) == {WIDGET, "text/plain"} and "Early, on-time and late panes, discarding" in data["text/plain"]
    about = dict(figure.snapshot()["about"])
    assert ("Streaming 102" in about["published in"] and "Beam fires it" in about["not as in Beam"]) or about
    assert figure.view.library


def test_a_picture_of_a_diagram_is_kept_beside_it_for_where_there_is_no_kernel(paper):
    figure = LiveFigure(teach.figure("102_fig9_discarding"))
    figure.show()
    _, (data, _, name, update) = paper.shown
    assert figure.view.still in data["text/html"] and "<img" not in data["text/html"] and not update
    figure.view._handle_custom_msg({"type": "picture", "width": 8, "height": 4}, [memoryview(PNG + b"rest")])
    data, _, again, update = paper.shown[-1]
    assert again == name and update and figure.view.still in data["text/html"]
    assert (
        f'width="8" height="4" style="max-width: 100%; height: auto" src="data:image/png;base64,{PIXELS}"'
        in (data["text/html"])
    )
    # It can still be stepped through.
    assert len(paper.shown) == 3


def test_a_diagram_follows_its_run_and_is_silent_when_nothing_happens(paper, sent):
    run, step = paused()
    diagram = of(run)
    diagram.show()
    assert len(diagram.timeline.clock) == 0
    step()
    diagram.tick(100.0)
    assert len(diagram.timeline.clock) == 1
    count = len(sent(diagram.view))
    diagram.view.feed.heard(count)
    diagram.tick(1000.0)
    assert len(sent(diagram.view)) == count
    step()
    run.stop()
    assert diagram.tick(2000.0) is None
    last = sent(diagram.view)[-1]
    assert last["type"] == "snapshot" and last["ended"] and len(diagram.timeline.clock) == 2


def test_a_run_of_many_rows_is_not_followed_for_ever(paper, monkeypatch):
    monkeypatch.setattr(diagram_module, "FOLLOWED", 10)
    run, step = paused()
    diagram = of(run)
    diagram.show()
    for now in (100.0, 1000.0):
        step()
        diagram.view.feed.heard(diagram.view.feed.sequence)
        diagram.tick(now)
    assert run.metrics.rows_in > 10 and len(diagram.timeline.clock) == 1
    assert "follows it for 10 rows" in diagram.snapshot()["note"]
    run.stop()


def test_keys_and_values_are_chosen(paper, sent):
    run, step = paused()
    step()
    step()
    diagram = of(run)
    diagram.show()
    assert selects(diagram) == {"key": (["0", "1"], 0), "value": (["n", "total"], 0)}
    diagram.command("set:0:1", None)
    diagram.command("set:1:1", None)
    assert diagram.timeline.title == "total of 1"
    assert selects(diagram) == {"key": (["0", "1"], 1), "value": (["n", "total"], 1)}
    assert [each["type"] for each in sent(diagram.view)][-2:] == ["snapshot", "snapshot"]
    run.stop()


def test_a_window_that_is_clicked_is_explained(paper, sent):
    figure = LiveFigure(teach.figure("book_fig2_11_right"))
    figure.show()
    start = int(figure.timeline.filling["start"].iloc[-1])
    end = int(figure.timeline.filling["end"].iloc[-1])
    figure.command(f"why:16:{start}:{end}", None)
    said = sent(figure.view)[-1]
    assert said["type"] == "patch" and "The window that ends at 2000-01-01T12:08:00Z, key 'TeamX'" in said["said"][1]
    assert figure.snapshot()["said"] == said["said"]
    figure.command("set:0:1", None)
    assert figure.snapshot()["said"] == []


@pytest.mark.parametrize(
    "said",
    [
        "", "set", "set:9:0", "set:0:99", "set:-1:0", "set:0:\N{SUPERSCRIPT TWO}", "why:0:0", "why:999:0:1",
        "why:0:x:1", f"why:0:0:{10**30}", "why:0:--1:0", "drop", "set:0:1:2",
    ],
)  # fmt: skip
def test_what_no_page_says_changes_nothing(paper, sent, said):
    figure = LiveFigure(teach.figure("book_fig2_11_right"))
    figure.show()
    before = figure.timeline
    figure.command(said, None)
    assert sent(figure.view) == [] and figure.timeline is before


class Refused:
    """A figure whose rows can be treated in no other way."""

    def __init__(self, figure):
        self.title, self.line, self.about, self.choices = figure.title, figure.line, figure.about, figure.choices
        self.chosen, self.ordered = figure.chosen, figure.ordered
        self.pipeline = figure.pipeline

    def changed(self, **choices):
        raise GraphError("that cannot be")


def test_a_choice_that_is_refused_is_said_and_the_diagram_stays(paper):
    figure = LiveFigure(Refused(teach.figure("102_fig9_discarding")))
    figure.show()
    before = figure.timeline
    figure.command("set:0:1", None)
    assert figure.timeline is before and figure.snapshot()["note"] == "that cannot be" and figure.snapshot()["problem"]


def test_a_choice_runs_the_rows_again_and_another_one_brings_them_back(paper):
    figure = LiveFigure(teach.figure("102_fig9_discarding"))
    figure.show()
    names = list(figure.snapshot()["selects"][3]["options"])
    before = figure.timeline.panes["text"].tolist()
    figure.command(f"set:3:{names.index('accumulating')}", None)
    assert figure.timeline.panes["text"].tolist() != before
    assert selects(figure)["accumulation"][1] == names.index("accumulating")
    assert figure.title == "Early, on-time and late panes, discarding; now accumulation accumulating"
    figure.command(f"set:3:{figure.snapshot()['selects'][3]['published']}", None)
    assert figure.timeline.panes["text"].tolist() == before
    assert figure.title == "Early, on-time and late panes, discarding"


def test_a_diagram_that_is_closed_sends_nothing(paper):
    run, step = paused()
    diagram = of(run)
    diagram.show()
    diagram.close()
    step()
    assert diagram.tick(100.0) is None and diagram.view is None
    run.stop()


def test_in_a_notebook_streams_make_diagrams_that_live(paper):
    run, step = paused()
    step()
    assert isinstance(of(run, key=1, value="total"), LiveDiagram)
    run.stop()
