"""Watermarks: the vectorised estimators against a row-by-row definition, and partitions put together."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flower.errors import DurationError, WatermarkError
from flower.model.canonical import value_of
from flower.model.reference import WatermarkOracle
from flower.model.reference.estimators import estimator
from flower.model.time import MAX_TIME, MIN_TIME
from flower.model.watermarks import (
    BoundedDisorder,
    EarliestOf,
    Estimate,
    LatestOf,
    ManualWatermark,
    Monotonic,
    Percentile,
    Punctuated,
    combined,
    elsewhere,
)
from flower.model.watermarks.told import running

TIMES = st.lists(st.integers(-9, 9) | st.integers(MIN_TIME + 1, MIN_TIME + 9), max_size=9)
POLICIES = st.builds(lambda n: BoundedDisorder(f"{n}us"), st.integers(0, 5)) | st.just(Monotonic())


def row_by_row(policy, watermark: int, times: list[int]) -> tuple[list[int], int]:
    """What each row meets: the newest time before it less the bound, and never less than before."""
    bound = policy.bound_us if isinstance(policy, BoundedDisorder) else 0
    met = []
    for time in times:
        met.append(watermark)
        watermark = max(watermark, time - bound)
    return met, watermark


@given(POLICIES, st.lists(TIMES, max_size=4))
def test_a_row_meets_what_the_rows_before_it_made_however_they_fall_into_epochs(policy, epochs):
    estimate, met = Estimate(), []
    for now, times in enumerate(epochs):
        here, estimate = policy.observe(estimate, np.array(times, np.int64), now)
        met += here.tolist()
    assert (met, estimate.watermark) == row_by_row(policy, MIN_TIME, [time for times in epochs for time in times])


SAID = Punctuated("said")
LEAVES = st.sampled_from(
    [Monotonic(), BoundedDisorder("3us"), SAID, ManualWatermark(), *map(Percentile, (0.01, 0.5, 0.9, 1))]
)
ANY_POLICY = LEAVES | st.builds(
    lambda cls, first, second: cls(*first, cls(*second) if len(second) > 1 else second[0]),
    st.sampled_from([EarliestOf, LatestOf]),
    st.lists(LEAVES, min_size=1, max_size=2),
    st.lists(LEAVES, min_size=1, max_size=2),
)
EARLY = st.just(MIN_TIME)
LONG = st.integers(0, 2**20).map(
    lambda seed: [
        (int(time), int(time) - 3 if time % 7 == 0 else MIN_TIME, MIN_TIME)
        for time in np.arange(2600) + np.random.default_rng(seed).integers(-2000, 9, 2600)
    ]
)
SHORT = st.lists(st.tuples(st.integers(-9, 99), EARLY | st.integers(-9, 99), EARLY | st.integers(-9, 99)), max_size=70)


@given(ANY_POLICY, SHORT | LONG, st.lists(st.integers(0, 2600), max_size=5))
def test_every_policy_is_the_oracles_however_its_rows_fall_into_epochs(policy, rows, cuts):
    slow, expected = estimator(policy), []
    for time, carried, mark in rows:
        slow.before(mark)
        expected.append(slow.watermark)
        slow.after(time, {SAID: carried})
    cuts = sorted({0, *(min(cut, len(rows)) for cut in cuts), len(rows)})
    estimate, met = Estimate(), []
    for start, stop in itertools.pairwise(cuts):
        time, carried, marks = (np.array(column, np.int64) for column in zip(*rows[start:stop], strict=True))
        told = {SAID: running(carried), ManualWatermark(): (np.maximum.accumulate(marks), int(marks.max()))}
        here, estimate = policy.observe(estimate, time, 0, told)
        met += here.tolist()
    assert met == expected
    assert estimate.watermark == slow.watermark


@given(st.lists(st.integers(0, 2**62), min_size=16, max_size=16), st.sampled_from([0.25, 0.5, 1]))
def test_the_learnt_bound_is_at_most_an_eighth_above_the_quantile_and_never_below(lags, q):
    newest = 2**62 + 1
    times = np.array([newest, *(newest - lag for lag in lags[1:])])
    _, after = Percentile(q).observe(Estimate(), times, 0)
    quantile = sorted([0, *lags[1:]])[int(np.ceil(q * 16)) - 1]
    assert quantile <= after.bound <= quantile + quantile // 8


def test_the_learnt_bound_follows_a_stream_that_changes():
    rng = np.random.default_rng(0)
    wild = np.arange(20_480) * 10 - rng.integers(0, 10_000, 20_480)
    calm = wild[-1] + 10_000 + np.arange(40_960) * 10 - rng.integers(0, 100, 40_960)
    policy = Percentile(0.95)
    _, estimate = policy.observe(Estimate(), wild, 0)
    assert estimate.bound > 8_000
    _, estimate = policy.observe(estimate, calm, 0)
    assert estimate.bound < 120
    assert len(estimate.lags) < 200


def test_before_the_sixteenth_row_nothing_is_learnt():
    _, estimate = Percentile(1).observe(Estimate(), np.arange(15), 0)
    assert (estimate.watermark, estimate.bound) == (MIN_TIME, -1)
    met, estimate = Percentile(1).observe(estimate, np.array([15, 16]), 0)
    assert (met.tolist(), estimate.watermark) == ([MIN_TIME, 15], 16)


def test_no_row_sets_no_watermark_but_the_first_look_is_remembered():
    met, looked = BoundedDisorder("5us").observe(Estimate(), np.empty(0, np.int64), 100)
    assert (len(met), looked) == (0, Estimate(last_row=100))
    assert BoundedDisorder("5us").observe(looked, np.empty(0, np.int64), 200)[1] == looked
    assert BoundedDisorder("5us").observe(looked, np.array([7]), 300)[1] == Estimate(2, 7, 300)


def test_a_watermark_does_not_wrap_around_at_the_start_of_time():
    met, after = BoundedDisorder("10us").observe(Estimate(), np.array([MIN_TIME + 3, MIN_TIME + 12]), 0)
    assert met.tolist() == [MIN_TIME, MIN_TIME]
    assert after.watermark == MIN_TIME + 2


IDLE = Monotonic(idle="10us")


def test_the_minimum_of_the_partitions_counts():
    assert combined([Estimate(5), Estimate(3), Estimate(9)], [False] * 3, Monotonic(), 0) == 3


def test_a_partition_that_has_ended_does_not_hold_the_others_back():
    assert combined([Estimate(5), Estimate(3)], [False, True], Monotonic(), 0) == 5


def test_when_all_have_ended_the_watermark_is_at_the_end_of_time():
    assert combined([Estimate(5), Estimate(3)], [True, True], Monotonic(), 0) == MAX_TIME


def test_a_partition_is_idle_when_its_time_is_over_and_not_before():
    estimates = [Estimate(5, 5, 90), Estimate(3, 3, 80)]
    assert combined(estimates, [False, False], IDLE, 89) == 3
    assert combined(estimates, [False, False], IDLE, 90) == 5


def test_when_all_are_idle_the_furthest_counts_and_ended_ones_do_not():
    estimates = [Estimate(5, 5, 0), Estimate(7, 7, 0), Estimate(9, 9, 0)]
    assert combined(estimates, [False, False, True], IDLE, 100) == 7


def test_a_partition_never_looked_at_is_not_idle():
    assert combined([Estimate(5, 5, 100), Estimate()], [False, False], IDLE, 100) == MIN_TIME


def test_without_idle_a_silent_partition_holds_for_ever():
    assert combined([Estimate(5, 5, 0), Estimate(3, 3, 0)], [False, False], Monotonic(), MAX_TIME) == 3


def test_elsewhere_leaves_out_the_partition_itself_and_those_that_ended_or_are_idle():
    estimates = [Estimate(1, 1, 100), Estimate(4, 4, 100), Estimate(2, 2, 100), Estimate(3, 3, 0)]
    assert elsewhere(estimates, [False, False, True, False], IDLE, 100, 0) == 4
    assert elsewhere(estimates, [False, False, True, False], IDLE, 100, 1) == 1
    assert elsewhere(estimates[:1], [False], IDLE, 100, 0) == MAX_TIME


class Vectorised:
    """A source's watermarks as an engine keeps them, out of `observe`, `combined` and `elsewhere`."""

    def __init__(self, policy, partitions: int) -> None:
        self.policy, self.watermark, self.now = policy, MIN_TIME, MIN_TIME
        self.estimates = [Estimate()] * partitions
        self.ended = [False] * partitions

    def epoch(self, times: list[list[int]], now: int, ended: list[bool]) -> list[list[int]]:
        before, met = list(self.estimates), []
        for p, here in enumerate(times):
            own, self.estimates[p] = self.policy.observe(self.estimates[p], np.array(here, np.int64), now)
            others = elsewhere(before, self.ended, self.policy, self.now, p)
            met.append(np.maximum(np.minimum(own, others), self.watermark).tolist())
        self.ended, self.now = ended, now
        self.watermark = max(self.watermark, combined(self.estimates, ended, self.policy, now))
        return met


@st.composite
def runs(draw):
    """Epochs of up to three partitions: rows of those that have not ended, the clock, and who has ended now."""
    count, now = draw(st.integers(1, 3)), 0
    ended, epochs = [False] * count, []
    for _ in range(draw(st.integers(1, 6))):
        times = [[] if over else draw(st.lists(st.integers(-9, 9), max_size=4)) for over in ended]
        now += draw(st.integers(0, 4))
        ended = [over or draw(st.integers(0, 5)) == 0 for over in ended]
        epochs.append((times, now, ended))
    return count, epochs


@given(runs(), st.integers(0, 4), st.none() | st.integers(1, 6))
def test_the_vectorised_watermarks_are_the_oracles(run, bound, idle):
    count, epochs = run
    policy = BoundedDisorder(f"{bound}us", idle=None if idle is None else f"{idle}us")
    oracle, vectorised = WatermarkOracle(policy, count), Vectorised(policy, count)
    before = MIN_TIME
    for times, now, ended in epochs:
        met = oracle.epoch(times, now, ended)
        assert vectorised.epoch(times, now, ended) == met
        assert vectorised.watermark == oracle.watermark
        assert oracle.watermark >= before, "a watermark never goes back"
        assert all(before <= w for rows in met for w in rows), "a row meets at least what was promised"
        before = oracle.watermark


def test_policies_are_values_whose_repr_is_their_source():
    for text in (
        "BoundedDisorder('12h')",
        "BoundedDisorder('0s', idle='1min')",
        "Monotonic()",
        "Monotonic(idle='1min')",
        "ManualWatermark()",
        "Percentile(0.99)",
        "Percentile(1.0, idle='5s')",
        "Punctuated('complete_to', idle='5s')",
        "LatestOf(Punctuated('complete_to'), EarliestOf(Percentile(0.5), Monotonic()), idle='1min')",
    ):
        assert repr(value_of(text)) == text
        assert value_of(text) == value_of(text)


@pytest.mark.parametrize(
    "make",
    [
        lambda: BoundedDisorder(5),
        lambda: BoundedDisorder("-1s"),
        lambda: Monotonic(idle="0s"),
        lambda: BoundedDisorder("x"),
    ],
)
def test_bounds_that_are_no_durations_are_refused(make):
    with pytest.raises(DurationError):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Percentile(0),
        lambda: Percentile(1.1),
        lambda: Percentile("0.5"),
        lambda: Percentile(True),
        lambda: EarliestOf(Monotonic()),
        lambda: LatestOf(Monotonic(), "1s"),
        lambda: LatestOf(Monotonic(), Monotonic(idle="1s")),
        lambda: Punctuated(lambda frame: frame["t"]),
        lambda: Punctuated(5),
    ],
)
def test_what_is_no_policy_is_refused(make):
    with pytest.raises(WatermarkError):
        make()
