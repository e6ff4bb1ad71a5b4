"""Models that learn from random disordered input: the same rows, errors and drops on the oracle, here and on Dask."""

from __future__ import annotations

from typing import Any

import cloudpickle
import learners as steps_of_models
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from learners import learners
from scripted import agree, examples, joined_sides, scripted, scripts, steps, watermarks_agree

import flower as fl

hasty = {"suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}
cloudpickle.register_pickle_by_value(steps_of_models)


@examples(150)
@given(scripts, steps, learners, st.booleans())
def test_what_models_say_drop_and_fail_on_is_the_oracles(
    script: Any, before: Any, learnt: Any, as_stream: bool
) -> None:
    stream: fl.Stream = scripted(script)
    for step in before:
        stream = step(stream)
    done = learnt(stream)
    agree(done, as_stream=as_stream)
    agree(done.errors, as_stream=as_stream)
    agree(done.dropped, as_stream=True)


@examples(40)
@given(joined_sides(), learners)
def test_aggregates_of_what_models_say_of_two_streams_are_the_oracles(sides: Any, learnt: Any) -> None:
    windowed = learnt(fl.concat(*sides)).window(fl.FixedWindows("4s"), allowed_lateness="2s")
    agree(windowed.groupby("k").agg(rows="count"), as_stream=True)


@examples(40)
@given(scripts, learners, learners)
def test_output_watermarks_of_models_are_the_oracles(script: Any, one: Any, other: Any) -> None:
    watermarks_agree(other(one(scripted(script)).select("k", "i", "n", "v", "t")))


@pytest.mark.slow
@examples(15, **hasty)
@given(scripts, learners, st.booleans())
def test_what_models_say_on_two_workers_is_what_they_say_here(
    client: Any, script: Any, learnt: Any, as_stream: bool
) -> None:
    done = learnt(scripted(script))
    agree(done, client, as_stream=as_stream)
    agree(done.errors, client, as_stream=as_stream)
    agree(done.dropped, client, as_stream=True)
