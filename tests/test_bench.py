"""The suite of `flower bench`: no figure without equal results, and what was measured is told."""

import json

import numpy as np
import pytest

from flower.bench import rounds
from flower.bench.child import Given, digest
from flower.bench.data import written
from flower.bench.peers import bytewax, duckdb, flink, numpy, pandas, pathway, polars, spark, streamz
from flower.bench.peers import latency as bytewax_latency
from flower.bench.report import row, table
from flower.bench.rounds import Failed, measured, planned
from flower.bench.suite import SYSTEMS, WORKS, Subject, System, Work
from flower.cli import main


def work(names: str, **options) -> Work:
    subjects = tuple(Subject(name, System(name if number else "flower", ""), name) for number, name in enumerate(names))
    return Work("x", "what is done", subjects, **options)


def taker(seconds: dict[str, list[float]], results: dict[str, str]):
    """Runs that take the given seconds, one after the other, and the order in which they ran."""
    order: list[str] = []
    left = {name: iter(times) for name, times in seconds.items()}

    def take(subject, rows, cache):
        order.append(subject.name)
        try:
            return {"seconds": next(left[subject.name]), "digest": results[subject.name]}
        except StopIteration:
            raise Failed("failed: no more") from None

    return take, order


def printed(report, capsys) -> str:
    from rich.console import Console

    Console(width=150).print(table(report))
    return capsys.readouterr().out


def test_medians_leave_the_first_round_out_and_subjects_take_turns(tmp_path, capsys):
    take, order = taker({"a": [99, 3, 1, 2], "b": [99, 4, 4, 8]}, {"a": "same", "b": "same"})
    report = planned(work("ab", rows=10, limit_seconds=2.5), None, None)
    measured(report, 3, tmp_path, take=take)
    assert order == ["a", "b", "a", "b", "b", "a", "a", "b"]
    rows = [row(report, taken) for taken in report.taken]
    assert [(each["seconds"], each["ratio"], each["rows_per_second"]) for each in rows] == [
        (2, 1.0, 5.0),
        (4, 4.0, 2.5),
    ]
    assert report.problems == []
    assert "2.000 s: within the limit of 2.5 s" in printed(report, capsys)


def test_a_limit_is_kept_by_all_of_flowers_subjects(tmp_path):
    take, _ = taker({"a": [9, 1], "b": [9, 3]}, {"a": "same", "b": "same"})
    subjects = tuple(Subject(name, System("flower", ""), name) for name in "ab")
    report = planned(Work("x", "what is done", subjects, limit_seconds=2.0), None, None)
    measured(report, 1, tmp_path, take=take)
    assert report.problems == ["3.000 s is over the limit of 2.0 s"]


@pytest.mark.parametrize("share, problems", [(0.1, ["seconds differs by more than 10%: a 3.00, b 4.00"]), (0.25, [])])
def test_figures_that_must_be_equal_are_compared(tmp_path, share, problems):
    take, _ = taker({"a": [9, 3], "b": [9, 4]}, {"a": "same", "b": "same"})
    report = planned(work("ab", equal={"seconds": share}), None, None)
    measured(report, 1, tmp_path, take=take)
    assert report.problems == problems


def test_a_limit_may_be_on_the_difference_to_another_subject(tmp_path, capsys):
    take, _ = taker({"a": [9, 3, 3], "b": [9, 1, 1]}, {"a": "", "b": ""})
    report = planned(work("ab", limit_seconds=1.5, minus="b"), None, set())
    measured(report, 2, tmp_path, take=take)
    assert report.judged_seconds == 2
    assert report.problems == ["2.000 s is over the limit of 1.5 s"]
    assert "OVER" in printed(report, capsys)


def test_a_result_that_differs_gives_no_figure_and_is_told(tmp_path, capsys):
    take, order = taker({"a": [1, 1], "b": [1, 1]}, {"a": "one", "b": "other"})
    report = planned(work("ab"), None, None)
    measured(report, 1, tmp_path, take=take)
    assert order == ["a", "b", "a"]
    assert row(report, report.taken[1])["seconds"] is None
    assert report.problems == ["b: differs: its results are others, so no figure counts"]
    assert "differs" in printed(report, capsys)


def test_a_peer_that_fails_is_told_and_the_others_are_measured(tmp_path, capsys):
    take, _ = taker({"a": [1, 1], "b": [], "c": [2, 2]}, dict.fromkeys("abc", ""))
    report = planned(work("abc"), None, None)
    measured(report, 1, tmp_path, take=take)
    assert [row(report, taken)["ratio"] for taken in report.taken] == [1.0, None, 2.0]
    assert report.problems == []
    assert "b: failed: no more" in printed(report, capsys)


def test_a_peer_with_fewer_rows_is_compared_with_the_first_subject_on_as_many(tmp_path):
    seen = []

    def take(subject, rows, cache):
        seen.append((subject.name, rows))
        return {"seconds": 1.0, "digest": str(rows)}

    slow = Subject("slow", System("slow", "", share=0.1), "")
    report = planned(Work("x", "", (Subject("first", System("flower", ""), ""), slow), rows=1000), None, None)
    measured(report, 1, tmp_path, take=take)
    assert seen[:3] == [("first", 1000), ("first", 100), ("slow", 100)]
    assert row(report, report.taken[1])["ratio"] == 10.0


@pytest.mark.slow
def test_a_peer_that_does_not_install_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("flower.bench.environments.pinned", lambda: {"none": ["/no/such/package"]})
    with pytest.raises(Failed, match=r"not installed: .*/no/such/package"):
        rounds.sample(Subject("none", System("none", "peers/none.py", "none"), "w1"), 10, tmp_path)


def test_ctrl_c_keeps_what_was_measured(tmp_path, monkeypatch, capsys):
    def measured(report, rounds, cache, **_):
        report.taken[0].samples.append({"seconds": 1.0, "digest": ""})
        report.rounds = 1
        raise KeyboardInterrupt

    monkeypatch.setattr("flower.bench.command.measured", measured)
    path = tmp_path / "figures.json"
    assert main(["bench", "w1", "--rows", "1000", "--json", str(path), "--cache", str(tmp_path)]) == 130
    assert "these are the figures so far" in capsys.readouterr().out
    (told,) = json.loads(path.read_text())["works"]
    assert [each["rows_per_second"] for each in told["subjects"] if each["seconds"]] == [1000]


@pytest.mark.slow
def test_bench_measures_prints_and_writes(tmp_path, capsys):
    page, figures = tmp_path / "b.html", tmp_path / "b.json"
    options = ["--rows", "20_000", "--rounds", "1", "--systems", "numpy loop", "--cache", str(tmp_path / "cache")]
    assert main(["bench", "w1", *options, "--html", str(page), "--json", str(figures)]) == 0
    shown = capsys.readouterr().out
    assert "numpy loop" in shown and "20,000" in shown
    (told,) = json.loads(figures.read_text())["works"]
    assert [each["subject"] for each in told["subjects"]] == ["flower", "numpy loop"]
    assert all(each["seconds"] > 0 and each["peak_mb"] > 10 for each in told["subjects"])
    assert "sums and counts" in page.read_text()


@pytest.mark.parametrize("options, told", [(["w9"], "no work w9"), (["--systems", "x"], "no system x")])
def test_bench_refuses_what_it_does_not_know(options, told, capsys):
    assert main(["bench", *options]) == 2
    assert told in capsys.readouterr().out


def test_the_order_of_rows_and_the_width_of_text_do_not_count():
    assert digest({"k": np.array(["a", "bb"]), "v": [1, 2]}) == digest(
        {"k": np.array(["bb", "a"], object), "v": [2, 1]}
    )
    assert digest({"k": ["a"], "v": [1]}) != digest({"k": ["b"], "v": [1]})


IN_PROCESS = {"peers/polars.py": polars, "peers/numpy.py": numpy, "peers/pandas.py": pandas}
"""Peers whose packages are here; the others are compared whenever they are measured."""


@pytest.mark.slow
@pytest.mark.parametrize("each", [each for each in WORKS if each.data], ids=lambda each: each.name)
def test_subjects_agree(each, tmp_path):
    import importlib

    for name in each.data:
        written(name, 300_000, tmp_path)
    digests = {}
    for subject in each.subjects:
        system = subject.system
        if "dask" in subject.name or not subject.alike:
            continue
        if system.name == "flower":
            module = importlib.import_module(f"flower.bench.{system.file[:-3].replace('/', '.')}")
        elif system.file in IN_PROCESS:
            module = IN_PROCESS[system.file]
        else:
            continue
        given = Given(300_000, tmp_path, system.variant)
        digests[subject.name] = digest(getattr(module, subject.function)(given))
        assert given.figures["seconds"] > 0
    assert len(set(digests.values())) == 1, digests
    assert len(digests) > 1


@pytest.mark.slow
def test_memory_of_a_short_soak_is_told(tmp_path):
    from flower.bench.soak import soak

    said = []
    soak(0.05, tmp_path, said.append)
    assert "rows/s" in said[0]


@pytest.mark.slow
@pytest.mark.parametrize("grown, flat", [(0.0, True), (100.0, False)])
def test_a_soak_fails_when_memory_grows(tmp_path, monkeypatch, grown, flat):
    from flower.bench import soak

    held = iter(np.arange(100_000) * grown + 100)
    monkeypatch.setattr(soak, "resident_mb", lambda: float(next(held)))
    assert soak.soak(0.02, tmp_path, lambda said: None) is flat


def test_systems_are_told_apart_by_commas():
    assert not [subject.name for each in WORKS for subject in each.subjects if "," in subject.name]


def test_every_subject_is_a_function_of_its_file():
    others = (bytewax, bytewax_latency, duckdb, flink, pathway, spark, streamz)
    files = {**IN_PROCESS, **{f"peers/{each.__name__.rsplit('.', 1)[1]}.py": each for each in others}}
    for each in WORKS:
        for subject in each.subjects:
            if subject.system.file in files:
                assert callable(getattr(files[subject.system.file], subject.function))
    assert {system.file for system in SYSTEMS.values()} <= set(files)
