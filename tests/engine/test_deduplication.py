"""Deduplication beside a loop over all rows, what it remembers and forgets, and how it is cut into epochs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import flower as fl
from flower.engine import bloom, keys
from flower.engine.embedded import Driver, Options
from flower.engine.why import why
from flower.errors import GraphError, RunError
from flower.testing import ManualClock


def frame(n: int, distinct: int = 200) -> pd.DataFrame:
    random = np.random.default_rng(5)
    times = pd.to_datetime(np.arange(n) + random.integers(-4, 1, n), unit="s", utc=True).as_unit("us")
    key = random.integers(0, distinct, n)
    name = pd.Series(key).astype("str").mask(key == 0)
    real = np.where(key == 0, np.nan, key / 2)
    return pd.DataFrame({"t": times, "k": key, "name": name, "real": real, "v": np.arange(n)})


ROWS = frame(4_000)


def stream(rows: pd.DataFrame) -> fl.Stream:
    return fl.read.frame(rows, event_time="t", watermark=fl.BoundedDisorder("5s"))


def driven(stream: fl.Stream, epoch_rows: int, *, batch: bool = False) -> tuple[Driver, list[int], int]:
    """The numbers of the rows that a run gives, and how many rows were held at most."""
    driver, most = Driver([stream.node], Options.make(epoch_rows=epoch_rows, clock=ManualClock()), batch=batch), 0
    while not driver.over():
        plan = driver.next_epoch()
        assert plan is not None
        driver.run(plan)
        most = max(most, driver.metrics.groups)
    driver.close()
    (results,) = driver.results.values()
    return driver, results.panes()["v"].tolist(), most


def first_rows(rows: pd.DataFrame, key: str, within: str, epoch_rows: int) -> list[int]:
    given: list[Any] = []
    for at in range(0, len(rows), epoch_rows):
        for row in rows.iloc[at : at + epoch_rows].sort_values("t", kind="stable").itertuples():
            mine = None if pd.isna(getattr(row, key)) else getattr(row, key)
            if not any(mine == other and abs(row.t - time) <= pd.Timedelta(within) for other, time, _ in given):
                given.append((mine, row.t, row.v))
    return [v for _, _, v in given]


@pytest.mark.parametrize("key", ["k", "name", "real"])
@pytest.mark.parametrize(("within", "epoch_rows"), [("0s", 100), ("3min", 100), ("3min", 4_000), ("1h", 1_000)])
def test_the_rows_are_those_of_a_loop(key: str, within: str, epoch_rows: int) -> None:
    rows = ROWS.head(1_000)
    expected = first_rows(rows, key, within, epoch_rows)
    assert len(expected) > 0
    assert driven(stream(rows).deduplicate(key, within=within), epoch_rows)[1] == expected


def test_keys_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    first = stream(ROWS).deduplicate("name", within="3min")
    _, expected, _ = driven(first, 100)
    whole = keys._hash
    monkeypatch.setattr(keys, "_hash", lambda column: whole(column) % np.uint64(3))
    assert driven(first, 100)[1] == expected


def test_a_batch_gives_the_same_however_it_is_cut_into_epochs() -> None:
    first = stream(ROWS).deduplicate("k", within="3min")
    whole, cut, streamed = (driven(first, n, batch=batch)[1] for n, batch in ((4_000, True), (70, True), (70, False)))
    assert whole == cut == first.collect()["v"].tolist()
    assert whole != streamed


def test_what_is_remembered_does_not_grow_with_the_stream() -> None:
    driver, given, most = driven(stream(frame(20_000, 10_000)).deduplicate("name", within="1min"), 100)
    assert len(given) > 15_000
    assert 0 < most < 500
    assert driver.metrics.groups == 0


def test_a_long_chain_of_one_key_is_walked_in_few_steps() -> None:
    n = 100_000
    rows = pd.DataFrame({"t": pd.to_datetime(np.arange(n), unit="s", utc=True), "k": 1, "v": np.arange(n)})
    _, given, _ = driven(stream(rows).deduplicate("k", within="1s"), n)
    assert given == list(range(0, n, 2))


def test_a_deduplication_that_has_changed_does_not_go_on_from_its_checkpoint() -> None:
    def driver(within: str) -> Driver:
        first = stream(ROWS).deduplicate("k", within=within)
        return Driver([first.node], Options.make(checkpoint="memory://first", clock=ManualClock(), epoch_rows=100))

    one = driver("1s")
    one.open()
    plan = one.next_epoch()
    assert plan is not None
    one.run(plan)
    one.save()
    one.close()
    with pytest.raises(RunError, match="step 'deduplicate-1': within was 1s, and is 2s"):
        driver("2s")


def test_why_tells_what_is_remembered_and_until_when() -> None:
    distinct = stream(ROWS.head(100)).deduplicate("k", within="1h")
    driver = Driver([distinct.node], Options.make(epoch_rows=50, clock=ManualClock()))
    plan = driver.next_epoch()
    assert plan is not None
    driver.run(plan)
    told = str(why(driver, None, None, None))
    assert f"{driver.metrics.groups:,} rows are remembered, each until the watermark is 1h past it." in told
    assert driver.metrics.groups > 0
    assert str(why(driver, None, None, "deduplicate-1")) == told
    with pytest.raises(RunError, match=r"why\(\) of deduplicate takes no key and no window; got key=3"):
        why(driver, 3, None, None)
    driver.close()


# -- by sketch


def million(seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    return draw.permutation(2_000_000)[:1_000_000].astype(np.int64), draw.integers(0, 6, 1_000_000)


@pytest.mark.parametrize("error", [0.01, 0.001])
def test_a_sketch_of_a_million_keys_errs_no_more_often_than_it_says_and_finds_all_of_them(error: float) -> None:
    key, slices = million(1)
    sketch: tuple[bloom.Generation, ...] = ()
    for at in range(0, 1_000_000, 70_000):
        part = slice(at, at + 70_000)
        sketch = bloom.with_more(sketch, key[part], slices[part], error / 5)
    assert bloom.holding(sketch, key, slices, 2).all()
    assert bloom.holding(sketch, key, slices + 2, 2).all()
    others = key + 2_000_000
    share = bloom.holding(sketch, others, slices, 2).mean()
    assert 0 < share < error
    assert sum(each.count for each in sketch) == 1_000_000
    assert sum(each.nbytes for each in sketch) < 10_000_000


def test_a_sketch_tells_slices_apart() -> None:
    key = np.arange(1_000)
    sketch = bloom.with_more((), key, np.zeros(1_000, np.int64), 1e-9)
    assert bloom.holding(sketch, key, np.full(1_000, 2), 2).all()
    assert not bloom.holding(sketch, key, np.full(1_000, 3), 2).any()
    both = bloom.with_more(sketch, key, np.full(1_000, 9), 1e-9)
    assert not bloom.holding(both, key, np.full(1_000, 4), 2).any()
    assert bloom.living(both, 9) == both and bloom.living(both, 10) == ()


def test_a_sketch_that_more_is_put_into_stays_as_it_was() -> None:
    one = bloom.with_more((), np.arange(10), np.zeros(10, np.int64), 0.01)
    before = one[0].words.copy()
    bloom.with_more(one, np.arange(10, 5_000), np.zeros(4_990, np.int64), 0.01)
    np.testing.assert_array_equal(one[0].words, before)


def test_a_stream_through_a_sketch_gives_no_row_twice() -> None:
    n = 200_000
    draw = np.random.default_rng(3)
    rows = pd.DataFrame({"k": draw.integers(0, 50_000, n), "t": np.arange(n) * 100_000})
    rows["t"] = pd.to_datetime(rows["t"], unit="us", utc=True)
    stream = fl.read.frame(rows, event_time="t")
    exact, sketched = (
        stream.deduplicate("k", within="10min", error=error).run(epoch_rows=5_000) for error in (None, 0.001)
    )
    given = sketched.wait(progress=False).results
    again = given.merge(given, on="k")
    apart = (again["t_y"] - again["t_x"])[again["t_x"] != again["t_y"]].abs()
    assert apart.min() > pd.Timedelta("10min")
    exact.wait(progress=False)
    assert len(given) < len(exact.results)


def test_generations_go_when_the_watermark_has_passed_them() -> None:
    rows = pd.DataFrame({"k": np.arange(100_000)})
    rows["t"] = pd.Timestamp("2000-01-01", tz="UTC") + pd.to_timedelta(rows["k"], unit="s")
    stream = fl.read.frame(rows, event_time="t").deduplicate("k", within="1h", error=0.01)
    driver = Driver([stream.node], Options.make(epoch_rows=1_000))
    most = 0
    while not driver.over():
        epoch = driver.next_epoch()
        assert epoch is not None
        driver.run(epoch)
        (state,) = driver.state.keyed.values()
        most = max(most, state.groups)
    driver.close()
    # The first takes 8,192 rows, the next twice as many as there are: of 100,000 half have gone.
    assert 8_192 <= most < 50_000


@pytest.mark.parametrize("error", [0, 1, 0.9, -0.1, True, "0.01", float("nan")])
def test_an_error_that_is_no_share_is_refused(error: Any) -> None:
    rows = fl.read.frame(pd.DataFrame({"k": [1], "t": pd.to_datetime(["2000-01-01"], utc=True)}), event_time="t")
    with pytest.raises(GraphError, match=r"step 'deduplicate-1' .*`error` must be a share of rows"):
        rows.deduplicate("k", within="1h", error=error)
