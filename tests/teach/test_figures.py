"""Every published figure: the panes that the oracle and both executors give are those that were printed."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import flower as fl
from flower import teach
from flower.errors import GraphError
from flower.testing import by_epoch

NAMES = list(teach.figures().index)
CASES = [(name, None) for name in NAMES]
CASES += [(name, variant) for name in NAMES for variant in teach.figure(name).variants]


@pytest.fixture(params=["reference", "embedded", pytest.param("dask", marks=pytest.mark.slow)])
def runner(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue("client") if request.param == "dask" else request.param


def given(figure: teach.Figure, executor: Any) -> pd.DataFrame:
    """The panes of a run, with the processing time at which each came."""
    pipeline = figure.pipeline()
    clocks = [now for _, now in figure.stream().source.epochs()]
    told = []
    for now, panes in zip(clocks, by_epoch(pipeline, executor), strict=True):
        told.append(panes.assign(processing_time=pd.Timestamp(now, unit="us", tz="UTC")))
    every = pd.concat(told, ignore_index=True)
    return every.assign(pane_retraction=every.get("pane_retraction", False))


def plain(panes: pd.DataFrame, *, timings: bool) -> list[tuple[Any, ...]]:
    """Panes as comparable rows; those of one instant in an order of their own, what is taken back first."""
    rows = []
    for pane in panes.itertuples():
        timing = pane.pane_timing if timings and not pane.pane_retraction else None
        window = tuple(str(time) for time in (pane.window_start, pane.window_end))
        rows.append((pane.processing_time, not pane.pane_retraction, window, int(pane.value), timing))
    return sorted(rows)


@pytest.mark.parametrize(("name", "variant"), CASES, ids=[f"{name}-{variant or 'figure'}" for name, variant in CASES])
def test_the_panes_are_those_of_the_figure(name: str, variant: str | None, runner: Any) -> None:
    figure = teach.figure(name, variant)
    timings = bool(figure.panes.query("not pane_retraction")["pane_timing"].notna().all())
    assert plain(given(figure, runner), timings=timings) == plain(figure.panes, timings=timings)


@pytest.mark.parametrize("name", [name for name in NAMES if teach.figure(name).dropped])
def test_rows_that_the_figure_drops_are_dropped(name: str, runner: Any) -> None:
    figure = teach.figure(name)
    dropped = pd.concat(by_epoch(figure.pipeline().dropped, runner))
    assert dropped["id"].tolist() == list(figure.dropped)


def test_every_value_is_the_sum_of_the_rows_that_the_figure_names() -> None:
    for name, variant in CASES:
        figure = teach.figure(name, variant)
        values = figure.rows.set_index("id")["value"]
        for pane in figure._told["panes"]:
            assert values[pane["rows"]].sum() == pane["value"], (name, pane)


def test_beams_rule_gives_on_time_panes_that_add_nothing() -> None:
    figure = teach.figure("102_fig7left_perfect")
    assert "empty_on_time" in figure.differs_from_beam
    options = {**figure.options, "on_time_behavior": "fire_always"}
    panes = figure.stream().window(figure.windows, **options).groupby("key").agg(value=("value", "sum"))
    assert len(panes.collect(as_stream=True)) == len(figure.panes) + 3


def test_a_name_that_is_none_names_those_alike() -> None:
    with pytest.raises(GraphError, match="did you mean 102_fig9_discarding"):
        teach.figure("102_fig9_discard")
    with pytest.raises(GraphError, match="has no variant 'x'"):
        teach.figure("102_fig9_discarding", "x")


def test_errata_are_told() -> None:
    assert any("printed 51, right is 43" in note for note in teach.figure("paper_fig13_102_fig7right").notes)
    assert fl.teach is teach
