"""A ttl keeps the state of an endless stream as small as what was touched lately, and costs no look at the rest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import flower as fl
from flower.engine import touched
from flower.engine.embedded import Driver, Options
from flower.errors import EventTimeError, GraphError

N = 30_000


def many(keys: int) -> fl.Stream:
    rows = {"t": pd.to_datetime(np.arange(N), unit="ms", utc=True), "k": np.arange(N) % keys}
    return fl.read.frame(pd.DataFrame(rows), event_time="t")


def driven(stream: fl.Stream) -> Driver:
    """A driver that has run all epochs but the last."""
    driver = Driver([stream.node], Options.make(epoch_rows=500))
    while driver.metrics.rows_in < N - 500:
        epoch = driver.next_epoch()
        assert epoch is not None
        driver.run(epoch)
    driver.close()
    return driver


def test_state_holds_what_was_touched_within_the_ttl_and_no_more() -> None:
    counts = many(N).window(fl.GlobalWindows(), ttl="2s").groupby("k").agg(n="count")
    driver = driven(counts)
    assert 2_000 <= driver.metrics.groups <= 3 * 2_000
    assert driver.metrics.rows_out >= N - 3_000


def test_a_key_that_is_touched_again_and_again_has_few_entries() -> None:
    counts = many(10).window(fl.GlobalWindows(), ttl="1h").groupby("k").agg(n="count")
    driver = driven(counts)
    (state,) = driver.state.keyed.values()
    assert sum(len(each) for each in state.touched) <= 60
    assert driver.metrics.groups <= 30


def test_an_epoch_looks_only_at_groups_that_are_touched_or_due(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    whole = touched.lapsed

    def counted(groups: object, which: object, law: object) -> object:
        looked.append(len(groups))  # type: ignore[arg-type]
        return whole(groups, which, law)  # type: ignore[arg-type]

    monkeypatch.setattr("flower.engine.aligned.lapsed", counted)
    driven(many(N).window(fl.GlobalWindows(), ttl="2s").groupby("k").agg(n="count"))
    assert N <= sum(looked) <= 2 * N
    assert max(looked) <= 1_000


def test_with_a_ttl_an_endless_stream_may_be_grouped_in_the_global_window() -> None:
    endless = fl.read.rate(10)
    with pytest.raises(GraphError, match=r"an unbounded stream without a window; .* with ttl='1h'"):
        endless.groupby("value").agg(n="count")
    with pytest.raises(GraphError, match=r"an unbounded stream in GlobalWindows\(\) with the default trigger"):
        endless.window(fl.GlobalWindows()).agg(n="count")
    assert endless.window(fl.GlobalWindows(), ttl="1h").groupby("value").agg(n="count").schema.names[0] == "value"


def test_a_ttl_needs_event_times() -> None:
    with pytest.raises(EventTimeError, match="windows need rows with an event time"):
        fl.read.frame(pd.DataFrame({"v": [1]})).window(fl.GlobalWindows(), ttl="1h")


def test_a_plan_tells_of_it() -> None:
    counts = many(10).window(fl.GlobalWindows(), ttl="90s").groupby("k").agg(n="count")
    assert "or the newest row of the key in it by 1min 30s" in str(counts.explain("physical"))
    assert "window GlobalWindows(), ttl='1min 30s'" in str(counts.explain("logical"))


def test_a_batch_lets_nothing_go() -> None:
    counts = many(10).window(fl.FixedWindows("1h"), ttl="1ms").groupby("k").agg(n="count")
    assert counts.collect()["n"].tolist() == [N // 10] * 10
