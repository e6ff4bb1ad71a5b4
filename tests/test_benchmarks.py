"""The harness of the benchmarks: no figure without equal results."""

import sys
from pathlib import Path

import pytest


@pytest.fixture
def harness(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "benchmarks"))
    monkeypatch.delitem(sys.modules, "harness", raising=False)
    import harness

    return harness


def subjects(harness, monkeypatch, seconds: dict[str, list[float]], results: dict[str, str]):
    """Subjects whose runs take the given seconds, one after the other; the order in which they ran."""
    order: list[str] = []
    left = {name: iter(times) for name, times in seconds.items()}

    def sample(target: str):
        order.append(target)
        return harness.Sample(next(left[target]), 0.0, 1.0, results[target])

    monkeypatch.setattr(harness, "sample", sample)
    return order


def test_medians_leave_the_first_round_out_and_subjects_take_turns(harness, monkeypatch):
    order = subjects(harness, monkeypatch, {"a": [99, 3, 1, 2], "b": [99, 4, 4, 8]}, {"a": "same", "b": "same"})
    report = harness.run(harness.Benchmark("x", {"a": "a", "b": "b"}, rows=10, limit_seconds=2.5), 3)
    assert order == ["a", "b", "b", "a", "a", "b", "b", "a"]
    assert [(row["seconds"], row["ratio"], row["rows_per_second"]) for row in report["subjects"]] == [
        (2, 1.0, 5.0),
        (4, 0.5, 2.5),
    ]
    assert report["within"]
    assert "2.000 s: within the limit of 2.5 s" in harness.table(report)


def test_a_limit_may_be_on_the_difference_to_another_subject(harness, monkeypatch):
    subjects(harness, monkeypatch, {"a": [9, 3, 3], "b": [9, 1, 1]}, {"a": "", "b": ""})
    report = harness.run(harness.Benchmark("x", {"a": "a", "b": "b"}, limit_seconds=1.5, minus="b"), 2)
    assert report["judged_seconds"] == 2
    assert not report["within"]
    assert "OVER" in harness.table(report)


def test_results_that_differ_give_no_figures(harness, monkeypatch):
    subjects(harness, monkeypatch, {"a": [1, 1], "b": [1, 1]}, {"a": "one", "b": "other"})
    with pytest.raises(RuntimeError, match="the results differ, so no figure counts"):
        harness.run(harness.Benchmark("x", {"a": "a", "b": "b"}), 1)
