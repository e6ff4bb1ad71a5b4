"""A keyed step's output watermark is held by what its windows still hold, epoch by epoch as the oracle says."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from scripted import aggregated, counts, examples, keys, parts, scripted, scripts, ttls, watermarks_agree, windows

import flower as fl


@examples(150)
@given(
    scripts,
    windows,
    parts,
    parts,
    st.sampled_from(["accumulating", "discarding"]),
    st.sampled_from(["0s", "2s", "unbounded"]),
    st.sampled_from(["end_of_window", "earliest", "latest"]),
    ttls,
    keys,
)
def test_output_watermarks_are_the_oracles(
    script: Any, where: Any, early: Any, late: Any, how: Any, lateness: Any, stamp: Any, ttl: Any, by: Any
) -> None:
    stream = scripted(script).window(
        where,
        trigger=fl.AfterWatermark(early=early, late=late),
        accumulation=how,
        allowed_lateness=lateness,
        timestamp_combiner=stamp,
        ttl=ttl,
    )
    watermarks_agree(aggregated(stream, by))


@examples(60)
@given(scripts, counts, st.sampled_from(["end_of_window", "earliest", "latest"]), keys)
def test_rows_that_wait_for_others_hold_the_watermark_as_in_the_oracle(
    script: Any, where: Any, stamp: Any, by: Any
) -> None:
    watermarks_agree(aggregated(scripted(script).window(where, timestamp_combiner=stamp), by))
