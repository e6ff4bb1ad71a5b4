"""Approximate aggregates: within their error, of bounded state, whatever the parts; refused where they do not fit."""

from __future__ import annotations

import itertools
import sys
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import canonical, examples, keys, scripted, scripts, windows

import flower as fl
from flower.engine.embedded import Driver, Options
from flower.errors import DtypeError, GraphError
from flower.model.combiners import ApproxDistinct, ApproxQuantile, Combiner, Order, State
from flower.model.combiners.sketches import PARTS
from flower.testing import ManualClock

KINDS = {
    "int": (pa.int64(), lambda n: n - 5),
    "small": (pa.int8(), lambda n: n % 200 - 100),
    "float": (pa.float64(), lambda n: n / 4),
    "bool": (pa.bool_(), lambda n: n % 2 == 0),
    "str": (pa.large_string(), str),
    "time": (pa.timestamp("us", "UTC"), lambda n: pd.Timestamp(n, unit="s", tz="UTC")),
}


def in_parts(law: Combiner, column: pa.Array, codes: Any, parts: int) -> State:
    field = pa.field("v", column.type)
    state = law.create(3, field)
    for part in range(parts):
        rows = np.arange(part, len(column), parts)
        nothing = np.zeros(len(rows), np.int64)
        made = law.add(law.create(3, field), codes[rows], column.take(pa.array(rows)), Order(nothing, nothing, nothing))
        state = law.merge(state, made, np.arange(3))
    return state


@pytest.mark.parametrize("kind", list(KINDS))
@given(st.lists(st.none() | st.integers(0, 30), max_size=30), st.integers(1, 4))
def test_few_distinct_values_are_counted_exactly(kind: str, numbers: Any, parts: int) -> None:
    type_, value = KINDS[kind]
    values = [None if n is None else value(n) for n in numbers]
    codes = np.arange(len(values)) % 3
    law, column = ApproxDistinct(5), pa.array(values, type_)
    got = law.extract(in_parts(law, column, codes, parts), pa.field("v", type_)).to_pylist()
    assert got == [len({each for each in values[group::3] if each is not None}) for group in range(3)]


def test_zero_has_no_sign() -> None:
    law, column = ApproxDistinct(), pa.array([0.0, -0.0, float("nan"), None])
    assert law.extract(in_parts(law, column, np.zeros(4, np.int64), 1), pa.field("v", pa.float64()))[0].as_py() == 1


@pytest.mark.parametrize("lg_k", [8, 12])
def test_many_distinct_values_are_counted_within_the_error_and_alike_in_all_parts(lg_k: int) -> None:
    values = np.random.default_rng(3).permutation(np.repeat(np.arange(30_000), 2))
    law, column = ApproxDistinct(lg_k), pa.array(values)
    codes = (values % 3).astype(np.int64)
    told = []
    for parts in (1, 2, 40):
        state = in_parts(law, column, codes, parts)
        assert max(len(one) for each in state[0].to_pylist() for one in each) < 8 * 2**lg_k + 100
        assert max(map(len, state[0].to_pylist())) <= PARTS
        told.append(law.extract(state, pa.field("v", pa.int64())).to_pylist())
    assert told[0] == told[1] == told[2]
    assert all(abs(each - 10_000) < 10_000 * 4 * 2 ** (-lg_k / 2) for each in told[0])


@pytest.mark.parametrize("q", [0.0, 0.01, 0.5, 0.9, 1.0])
def test_quantiles_are_near_in_rank_and_small(q: float) -> None:
    values = np.random.default_rng(4).normal(size=30_000)
    law, field = ApproxQuantile(q), pa.field("v", pa.float64())
    ordered = np.sort(values)
    for parts in (1, 40):
        state = in_parts(law, pa.array(values), np.zeros(len(values), np.int64), parts)
        assert sum(map(len, state[0][0].as_py())) < 10_000 * PARTS
        rank = np.searchsorted(ordered, law.extract(state, field)[0].as_py()) / len(values)
        assert abs(rank - q) < (0.02 if 0.1 < q < 0.9 else 0.01)
    assert np.isnan(law.extract(state, field)[1].as_py())


def test_quantiles_of_one_column_share_their_state() -> None:
    assert ApproxQuantile(0.5).basis == ApproxQuantile(0.9).basis != ApproxQuantile(0.5, k=50).basis


def approximate(stream: fl.Stream, by: Any) -> fl.Stream:
    grouped = stream.groupby(*by) if by else stream
    return grouped.agg(
        kinds=("k", fl.ApproxDistinct()),
        numbers=("n", fl.ApproxDistinct()),
        middle=("v", fl.ApproxQuantile(0.5)),
        high=("n", fl.ApproxQuantile(0.9)),
    )


@examples(40)
@given(scripts, windows, st.sampled_from(["accumulating", "discarding"]), keys, st.booleans())
def test_panes_are_the_oracles(script: Any, where: Any, how: str, by: Any, as_stream: bool) -> None:
    early = fl.AfterWatermark(early=fl.AfterCount(2))
    windowed = scripted(script).window(where, trigger=early, accumulation=how, allowed_lateness="2s")
    ours, oracle = (
        approximate(windowed, by).collect(as_stream=as_stream, executor=executor)
        for executor in ("embedded", "reference")
    )
    pd.testing.assert_frame_equal(canonical(ours), canonical(oracle))


@pytest.mark.slow
def test_workers_give_what_this_process_gives(client: Any) -> None:
    rows = pd.DataFrame({"k": np.arange(5000) % 7, "n": np.arange(5000) % 900, "v": np.arange(5000) / 8})
    panes = fl.read.frame(rows).groupby("k").agg(some=("n", fl.ApproxDistinct(8)), low=("v", fl.ApproxQuantile(0.0)))
    ours, theirs = (panes.collect(executor=executor) for executor in ("embedded", client))
    pd.testing.assert_frame_equal(canonical(ours), canonical(theirs))


numbers = itertools.count()


def test_a_sketch_goes_on_from_a_checkpoint() -> None:
    path = f"memory://sketches-{next(numbers)}"
    times = pd.to_datetime(np.arange(400), unit="s", utc=True)
    rows = fl.read.frame(pd.DataFrame({"t": times, "n": np.arange(400) % 150}), event_time="t")
    panes = rows.window(fl.FixedWindows("1h")).agg(some=("n", fl.ApproxDistinct(5)), all=("n", fl.ApproxQuantile(1.0)))
    try:
        while True:
            driver = Driver([panes.node], Options.make(checkpoint=path, clock=ManualClock(), epoch_rows=100))
            driver.open()
            over = driver.over()
            if not over:
                plan = driver.next_epoch()
                assert plan is not None
                driver.run(plan)
                driver.save()
            (results,) = driver.results.values()
            driver.close()
            if over:
                break
    finally:
        fsspec.filesystem("memory").rm(path, recursive=True)
    whole = panes.collect()
    assert results.panes()[["some", "all"]].values.tolist() == whole[["some", "all"]].values.tolist()


ROWS = fl.read.frame(pd.DataFrame({"k": ["a"], "v": [1.0]}))


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: ROWS.agg(x=("v", fl.ApproxDistinct(3))), GraphError, "an integer from 5 to 26; got 3"),
        (lambda: ROWS.agg(x=("v", fl.ApproxQuantile(2))), GraphError, "between 0 and 1; got 2"),
        (lambda: ROWS.agg(x=("v", fl.ApproxQuantile(0.5, k=1))), GraphError, "from 10 to 65535; got 1"),
        (lambda: ROWS.agg(x=("k", fl.ApproxQuantile(0.5))), DtypeError, "takes a column of numbers"),
        (
            lambda: ROWS.agg(x=("v", "list")).agg(y=("x", fl.ApproxDistinct())),
            DtypeError,
            "bools, times or text",
        ),
        (
            lambda: (
                ROWS.window(fl.GlobalWindows(), accumulation="retracting")
                .groupby("k")
                .agg(v=("v", "sum"))
                .agg(x=("v", fl.ApproxDistinct()))
            ),
            GraphError,
            "aggregate 'x' must be able to take back rows",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(make: Any, error: Any, said: str) -> None:
    with pytest.raises(error) as refused:
        make()
    assert said in str(refused.value)


def test_without_the_library_it_is_refused_when_the_step_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasketches", None)
    for combiner in (fl.ApproxDistinct(), fl.ApproxQuantile(0.5)):
        with pytest.raises(GraphError, match=r"needs datasketches; .*pip install 'flower-streams\[sketches\]'"):
            ROWS.agg(x=("v", combiner))
