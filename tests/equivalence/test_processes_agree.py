"""Random code with state and timers over random disordered input: the same rows, errors and drops as the oracle's."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from scripted import agree, examples, processes, scripted, scripts, steps, watermarks_agree

import flower as fl


@examples(40)
@given(scripts, steps, processes, st.booleans())
def test_what_is_given_dropped_and_failed_is_the_oracles(script: Any, before: Any, process: Any, how: bool) -> None:
    stream: fl.Stream = scripted(script)
    for step in before:
        stream = step(stream)
    processed = process(stream)
    agree(processed, as_stream=how)
    agree(processed.dropped, as_stream=True)
    agree(processed.errors, as_stream=how)


@examples(20)
@given(scripts, scripts, processes)
def test_code_on_rows_of_two_streams_is_given_them_as_the_oracle_says(one: Any, other: Any, process: Any) -> None:
    processed = process(fl.concat(scripted(one), scripted(other)))
    agree(processed, as_stream=True)
    agree(processed.errors, as_stream=True)


@examples(20)
@given(scripts, processes, st.sampled_from(["3s", "5s"]))
def test_aggregates_of_what_is_given_are_the_oracles(script: Any, process: Any, size: str) -> None:
    windowed = process(scripted(script)).window(fl.FixedWindows(size), allowed_lateness="2s")
    counts = windowed.agg(rows="count", total=("count", "sum"))
    agree(counts, as_stream=True)
    agree(counts.dropped, as_stream=True)


@examples(60)
@given(scripts, processes)
def test_output_watermarks_of_processes_are_the_oracles(script: Any, process: Any) -> None:
    watermarks_agree(process(scripted(script)))
