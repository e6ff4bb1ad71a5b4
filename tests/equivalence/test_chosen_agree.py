"""Values and rows that are chosen of a group: the engine gives the oracle's, however panes fire, or are taken back."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from scripted import canonical, examples, keys, scripted, scripts, steps, waiting, windows

import flower as fl

hasty = {"suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}
modes = st.sampled_from(["accumulating", "discarding", "retracting"])


ONLY: dict[str, Any] = {
    "only_sum": ("n", "sum"),
    "only_low": ("i", "min"),
    "only_size": ("v", "size"),
    "only_weighted": ("n", fl.WeightedMean("i")),
    "only_top": ("i", fl.Top(2, by="n")),
}


def chosen(stream: fl.Stream, by: tuple[str, ...], *, drawn: bool = True) -> fl.Stream:
    grouped = stream.groupby(*by) if by else stream
    samples = {"some": ("k", fl.Sample(2)), "lots": fl.Sample(2, seed=3)} if drawn else {}
    return grouped.agg(
        best=("n", fl.Top(2)),
        who=("k", fl.Top(2, by="v")),
        least=("n", fl.Top(3, ascending=True, by="k")),
        most=fl.Top(2, by="n"),
        middle=("n", "median"),
        **{name: (column, fl.Only(how, "k", "a")) for name, (column, how) in ONLY.items()},
        only_rows=fl.Only("count", "i", 1),
        **samples,
    )


def told(frame: pd.DataFrame) -> pd.DataFrame:
    """With lists and rows as text."""
    lists = ("only_top", "best", "who", "least", "most", "some", "lots")
    return canonical(frame.assign(**{name: frame[name].map(_text) for name in lists if name in frame}))


def _text(values: Any) -> str:
    return str([None if pd.api.types.is_scalar(each) and pd.isna(each) else _plain(each) for each in values])


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: None if pd.isna(each) else str(each) for name, each in value.items()}
    return str(value)


def agree(stream: fl.Stream, executor: Any = "reference", *, as_stream: bool) -> None:
    ours = stream.collect(as_stream=as_stream)
    theirs = stream.collect(as_stream=as_stream, executor=executor)
    pd.testing.assert_frame_equal(told(ours), told(theirs))


@examples(40)
@given(scripts, steps, windows, waiting, modes, st.sampled_from(["0s", "2s", "unbounded"]), keys)
def test_chosen_values_are_the_oracles(
    script: Any, before: Any, where: Any, when: Any, mode: str, lateness: str, by: Any
) -> None:
    stream: fl.Stream = scripted(script).select("k", "i", "n", "v", "t")
    for step in before:
        stream = step(stream)
    options = {"accumulation": mode, "allowed_lateness": lateness, "allow_finishing": when.finishes}
    panes = chosen(stream.window(where, trigger=when, **options), by)
    agree(panes, as_stream=True)
    agree(panes, as_stream=False)


@examples(25)
@given(scripts, keys)
def test_chosen_values_of_panes_that_are_taken_back_are_the_oracles(script: Any, by: Any) -> None:
    early = fl.AfterWatermark(early=fl.AfterCount(1), late=fl.AfterCount(1))
    first = scripted(script).window(
        fl.FixedWindows("2s"), trigger=early, accumulation="retracting", allowed_lateness="unbounded"
    )
    panes = first.groupby("k", "i").agg(n=("n", "sum"), v=("v", "max")).select("k", "i", "n", "v")
    again = panes.window(fl.FixedWindows("4s"), trigger=early, allowed_lateness="unbounded")
    agree(chosen(again, tuple(set(by) & {"k", "i"}), drawn=False), as_stream=True)


@pytest.mark.slow
@examples(8, **hasty)
@given(scripts, windows, keys, st.booleans())
def test_chosen_values_on_two_workers_are_those_of_the_embedded_executor(
    client: Any, script: Any, where: Any, by: Any, as_stream: bool
) -> None:
    agree(chosen(scripted(script).window(where, allowed_lateness="2s"), by), client, as_stream=as_stream)
