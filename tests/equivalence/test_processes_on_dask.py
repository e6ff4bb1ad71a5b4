"""Random code with state and timers on two worker processes gives what the embedded executor gives."""

from __future__ import annotations

from typing import Any

import cloudpickle
import pytest
import scripted
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from scripted import agree, examples, processes, scripts
from scripted import scripted as stream_of

import flower as fl

hasty = {"suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}

pytestmark = pytest.mark.slow
cloudpickle.register_pickle_by_value(scripted)


@examples(20, **hasty)
@given(scripts, processes, st.booleans())
def test_what_is_given_dropped_and_failed_is_that_of_the_embedded_executor(
    client: Any, script: Any, process: Any, as_stream: bool
) -> None:
    processed = process(stream_of(script))
    agree(processed, client, as_stream=as_stream)
    agree(processed.dropped, client, as_stream=True)
    agree(processed.errors, client, as_stream=as_stream)


@examples(10, **hasty)
@given(scripts, processes)
def test_aggregates_of_what_is_given_are_those_of_the_embedded_executor(client: Any, script: Any, process: Any) -> None:
    windowed = process(stream_of(script)).window(fl.FixedWindows("3s"), allowed_lateness="2s")
    agree(windowed.agg(rows="count", total=("count", "sum")), client, as_stream=True)
