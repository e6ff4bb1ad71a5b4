"""Shards together are the step: none of its groups is lost or doubled, and the one furthest behind holds it back."""

from __future__ import annotations

import numpy as np
import pandas as pd

import flower as fl
from flower.engine.dask_tasks import mark_keyed
from flower.engine.embedded import Driver, Options
from flower.engine.epoch import Mark
from flower.engine.runs import Run
from flower.engine.shards import split


def test_the_shard_furthest_behind_holds_the_step_back() -> None:
    assert mark_keyed(Mark(5), [9, 7]) == Mark(7)
    assert mark_keyed(Mark(8), [9, 7]) == Mark(8)


def test_every_group_is_in_one_shard_whatever_its_window() -> None:
    frame = pd.DataFrame({"t": pd.date_range("2000-01-01", periods=400, freq="1s", tz="UTC"), "k": np.arange(400) % 37})
    panes = fl.read.frame(frame, event_time="t").window(fl.FixedWindows("2min")).groupby("k").agg(rows="count")
    driver = Driver([panes.node], Options.make(epoch_rows=200))
    plan = driver.next_epoch()
    assert plan is not None
    (state,) = driver.run(plan).state.keyed.values()
    driver.close()
    (run,) = state.blind
    parts = [part for part in split(run, 3) if isinstance(part, Run)]
    assert len(parts) == 3
    assert sum(map(len, parts)) == len(run)
    keys = [set(part.groups.hash.tolist()) for part in parts]
    assert set.union(*keys) == set(range(37))
    assert sum(map(len, keys)) == 37
