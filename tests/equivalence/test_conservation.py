"""No (row, window) pair is lost: on time, late and dropped are all pairs, at every keyed step."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from scripted import aggregated, alone, at, examples, keys, scripted, scripts, steps, triggers, ttls

import flower as fl
from flower.engine.embedded import Driver, Options
from flower.engine.lift import Counts
from flower.model.reference import windows_of
from flower.model.time import MAX_TIME
from flower.model.windows import by_clock
from flower.testing import TestStream


def driven(*streams: fl.Stream) -> tuple[dict[str, Counts], list[pd.DataFrame]]:
    """What became of the pairs of each keyed step, and the rows of the outputs."""
    driver = Driver([stream.node for stream in streams], Options.make())
    counts: dict[str, Counts] = defaultdict(Counts)
    while not driver.over():
        epoch = driver.next_epoch()
        assert epoch is not None
        for name, some in driver.run(epoch).report.counts.items():
            counts[name] += some
    driver.close()
    return counts, [driver.results[port].panes() for port in driver.job.plan.outputs]


def pairs(times: pd.Series, where: Any) -> int:
    us = times.dt.as_unit("us").astype("int64").where(times.notna(), MAX_TIME)
    return sum(len(windows_of(where, int(time))) for time in us)


def whole(counts: Counts) -> int:
    return counts.on_time + counts.late + counts.dropped


@examples(100)
@given(
    scripts,
    steps,
    alone.filter(lambda each: not isinstance(each, fl.GlobalWindows) and not by_clock(each)),
    triggers,
    ttls,
    st.sampled_from(["0s", "2s", "unbounded"]),
    keys,
    st.sampled_from(["end_of_window", "earliest", "latest"]),
)
def test_on_time_and_late_and_dropped_are_all_pairs_of_every_keyed_step(
    script: Any, before: Any, where: Any, when: Any, ttl: Any, lateness: Any, by: Any, stamp: Any
) -> None:
    stream: fl.Stream = scripted(script)
    for step in before:
        stream = step(stream)
    if where.merging and when.finishes:
        when = fl.Repeatedly(when)
    how: Any = {"trigger": when, "allow_finishing": when.finishes, "ttl": ttl, "allowed_lateness": lateness}
    how = {} if isinstance(where, fl.CountWindows) else {**how, "accumulation": "discarding"}
    first = stream.window(where, timestamp_combiner=stamp, **how)
    panes = aggregated(first, by).named("first")
    again = panes.window(fl.FixedWindows("3s")).agg(rows="count").named("second")
    counts, (rows, results, dropped, failed, last, gone) = driven(
        stream, panes, panes.dropped, panes.errors, again, again.dropped
    )
    assert whole(counts["first"]) + len(failed) == pairs(rows["t"], where)
    assert whole(counts["second"]) == pairs(results["event_time"], fl.FixedWindows("3s"))
    for told, out in (("first", dropped), ("second", gone)):
        assert len(out) == counts[told].dropped
        assert out["reason"].isin(["the window had expired", "the trigger had finished"]).all()
    ends = scripts_end(script)
    for told, out in (("first", results), ("second", last)):
        kept = counts[told].on_time + counts[told].late
        assert out["rows"].sum() == kept if ends else out["rows"].sum() <= kept


def scripts_end(script: Any) -> bool:
    return bool(script[2])


def test_counts_are_the_same_on_every_executor(executor: Any) -> None:
    stream = TestStream(schema={"n": "int64"}, event_time="t").add([{"n": 1, "t": at(s)} for s in (0, 1, 5)])
    stream = stream.watermark(at(6)).add([{"n": 1, "t": at(s)} for s in (5, 3, 1, 9)]).end()
    panes = stream.window(fl.SlidingWindows("4s", every="2s"), allowed_lateness="1s").agg(rows="count")
    run = panes.run(executor).wait(progress=False)
    told = run.metrics
    assert (told.on_time, told.late, told.dropped) == (9, 2, 3)
