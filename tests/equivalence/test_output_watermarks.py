"""A keyed step's output watermark is held by what its windows still hold, epoch by epoch as the oracle says."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from scripted import aggregated, counts, examples, keys, parts, scripted, scripts, ttls, windows

import flower as fl
from flower.engine.embedded import Driver, Options
from flower.engine.reference import watermarks_replayed


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
    assert_alike(aggregated(stream, by))


@examples(60)
@given(scripts, counts, st.sampled_from(["end_of_window", "earliest", "latest"]), keys)
def test_rows_that_wait_for_others_hold_the_watermark_as_in_the_oracle(
    script: Any, where: Any, stamp: Any, by: Any
) -> None:
    assert_alike(aggregated(scripted(script).window(where, timestamp_combiner=stamp), by))


def assert_alike(panes: fl.Stream) -> None:
    """The watermark of each stage after each epoch."""
    driver = Driver([panes.node], Options.make())
    ours = []
    while not driver.over():
        epoch = driver.next_epoch()
        assert epoch is not None
        driver.run(epoch)
        ours.append(driver.state.watermarks)
    driver.close()
    assert ours == watermarks_replayed(driver)
