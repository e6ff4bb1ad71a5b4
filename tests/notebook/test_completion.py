"""What Tab offers in ``%%flow`` cells and ``%flow`` lines."""

import pandas as pd
import pytest
from IPython.core.completer import CompletionContext

import flower as fl
from flower.notebook.completion import FlowMatcher
from flower.notebook.verbs import verbs

FRAME = pd.DataFrame(
    {"at": pd.to_datetime(["2024-01-01"], utc=True), "carrier": ["AA"], "delay": [3], 'we"ird': [1], "two words": [2]}
)
HEAD = "%%flow delays --from flights\n"


def offered(text: str, namespace: dict[str, object] | None = None) -> list[str]:
    """What is offered at the bar in ``text``."""
    if namespace is None:
        namespace = {"flights": fl.read.frame(FRAME, event_time="at")}
    before, after = text.split("|")
    line = before.count("\n")
    position = len(before.rpartition("\n")[2])
    token = before[max((before.rfind(each) for each in " \t\n`!@#$^&*()=+[{]}\\|;:'\",<>?"), default=-1) + 1 :]
    context = CompletionContext(
        token=token, full_text=before + after, cursor_position=position, cursor_line=line, limit=None
    )
    return [each.text for each in FlowMatcher(namespace)(context)["completions"]]


def test_a_line_begins_with_any_verb_of_the_class():
    assert offered(HEAD + "|") == verbs(fl.Stream)
    assert offered(HEAD + "fil|") == ["filter"]
    assert "node" not in offered(HEAD + "|")


def test_a_verb_that_a_method_is_added_for_is_offered(monkeypatch):
    monkeypatch.setattr(fl.Stream, "shuffle", lambda self: self, raising=False)
    assert offered(HEAD + "shuf|") == ["shuffle"]


def test_after_groupby_comes_what_groups_can():
    assert offered(HEAD + 'groupby "carrier"\n|') == ["agg", "pivot", "apply", "process", "learn", "score"]


def test_behind_a_dot_come_the_sinks_and_charts():
    assert offered(HEAD + "write.|") == ["write.parquet", "write.json_lines", "write.foreach"]
    assert "plot.line" in offered(HEAD + "plot.l|")


def test_columns_are_those_at_the_line():
    assert offered(HEAD + 'filter "del|') == ["delay"]
    assert offered(HEAD + 'rename delay="minutes"\nfilter "|')[:3] == ["at", "carrier", "minutes"]
    assert offered(HEAD + 'filter "delay > 3 and car|') == ["carrier"]
    windowed = 'window FixedWindows("1h")\ngroupby "carrier"\nagg n="count"\nplot.line x="'
    assert offered(HEAD + windowed + "win|") == ["window_start", "window_end"]
    assert offered(HEAD + 'agg\n    total=("del|') == ["delay"]


def test_columns_that_no_text_can_hold_are_left_out():
    assert offered(HEAD + "select 'we|") == []
    assert offered(HEAD + "select 'two|") == ["two words"]


def test_the_columns_before_a_function_of_ones_own_are_known_and_it_is_not_called():
    called = []
    namespace = {"flights": fl.read.frame(FRAME, event_time="at"), "mine": called.append}
    text = HEAD + "map_frames mine\nassign x=mine(3)\nfilter 'del|"
    assert offered(text, namespace) == ["delay"]
    assert called == []


def test_no_builtin_is_called_either(capsys):
    assert offered(HEAD + "assign x=print(3)\nfilter 'del|") == ["delay"]
    assert offered(HEAD + "filter (lambda: print(3))()\nfilter 'del|") == ["delay"]
    assert capsys.readouterr().out == ""


def test_nothing_is_collected_or_written_to_find_out():
    assert "delay" in offered(HEAD + "collect\nfilter 'del|")
    assert offered(HEAD + "write.parquet 'out'\nfilter 'del|") == ["delay"]


def test_names_of_arguments_and_flowers_are_offered():
    found = offered(HEAD + 'window SlidingWindows("1h", every="10min"), a|')
    assert found == ["accumulation=", "allowed_lateness=", "allow_finishing="]
    assert offered(HEAD + "window Sl|") == ["SlidingWindows"]
    assert "accumulation=" not in offered(HEAD + 'window FixedWindows("1h"), accumulation="discarding", |')


def test_texts_that_an_argument_can_be_are_offered():
    assert offered(HEAD + 'window FixedWindows("1h"), accumulation="|') == ["accumulating", "discarding", "retracting"]
    assert "mean" in offered(HEAD + 'agg x=("delay", "m|')


def test_the_magics_own_line_is_completed():
    assert offered("%%flow delays |") == ["--from"]
    assert offered("%%flow delays --from fl|") == ["flights"]


@pytest.mark.parametrize(
    "text, found",
    [
        ("%flow pa|", ["pause"]),
        ("x = %flow gr|", ["graph"]),
        ("%flow show f|", ["flights"]),
        ("%flow stop --|", ["--all"]),
        ("%flow explain flights --|", ["--stage"]),
        ("%flow explain flights --stage ph|", ["physical"]),
        ("%flow run flights late|", ["latency="]),
    ],
)
def test_commands_are_completed(text, found):
    assert offered(text) == found


def test_a_front_end_that_shows_the_line_of_the_cursor_only_is_served():
    assert offered('filter "del|') == ["delay"]
    assert offered('agg x=("del|') == ["delay"]
    assert offered('window FixedWindows("1h"), allowed|') == ["allowed_lateness="]


@pytest.mark.parametrize("text", ["filter = de|", "print(de|", "x\nfilter 'del|", "flights.filter('del|", "fil|"])
def test_ordinary_cells_are_left_alone(text):
    assert offered(text) == []


@pytest.mark.parametrize(
    "text", ["%%flow|", "%%flow \n|", "%%flow x --from nope\nfilter '|", HEAD + "3+|", HEAD + "filter (((|"]
)
def test_whatever_is_typed_is_survived(text):
    offered(text)
