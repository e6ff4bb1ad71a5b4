"""Runs are merged, small ones at once and large ones beside the epochs: nothing is lost, nor found where it is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import flower as fl
from flower.engine import aligned, compaction
from flower.engine.compaction import compacted
from flower.engine.job import job
from flower.engine.keyed import Keyed
from flower.engine.lift import lift
from flower.engine.runs import Run, find, merge
from flower.graph.batch import Batch, constant
from flower.model.time import MAX_TIME, MIN_TIME

SECOND = 1_000_000


@pytest.fixture(scope="module")
def step() -> Keyed:
    frame = pd.DataFrame({"k": [0], "v": [0], "t": pd.to_datetime([0], utc=True)})
    stream = fl.read.frame(frame, event_time="t").window(
        fl.FixedWindows("10s"), trigger=fl.AfterWatermark(early=fl.AfterCount(1))
    )
    (step,) = job([stream.groupby("k").agg(total=("v", "sum")).node]).keyed.values()
    return step


def run_of(step: Keyed, keys: np.ndarray, seconds: np.ndarray) -> Run:
    rows, n = pa.RecordBatch.from_pydict({"k": keys, "v": np.arange(len(keys))}), len(keys)
    batch = Batch(
        rows,
        seconds.astype(np.int64) * SECOND,
        constant(MIN_TIME, n),
        constant(0, n),
        np.arange(n),
    )
    lifted = lift(batch, step, watermark=MIN_TIME, elsewhere=MAX_TIME, now=0)
    assert isinstance(lifted.groups, Run)
    return lifted.groups


def random_runs(step: Keyed, seed: int, number: int, most: int) -> list[Run]:
    random = np.random.default_rng(seed)
    made = []
    for _ in range(number):
        n = int(random.integers(1, most))
        made.append(run_of(step, random.integers(0, 4 * most, n), random.integers(0, 30, n)))
    return made


def content(made: list[Run] | tuple[Run, ...], step: Keyed, newest_wins: bool) -> list[list[int]]:
    whole = merge(made, step.law, newest_wins=newest_wins)
    columns = [whole.spread(whole.start), whole.spread(whole.end), whole.groups.hash, whole.groups.rows]
    return [column.tolist() for column in (*columns, *(part for state in whole.groups.states for part in state))]


@pytest.mark.parametrize("newest_wins", [True, False])
def test_whoever_merges_and_whenever_the_runs_are_the_same(step, monkeypatch, newest_wins):
    monkeypatch.setattr(compaction, "LARGE", 100)
    made = random_runs(step, 0, 60, 50)
    sizes: list[list[list[int]]] = []
    for begin in (compaction._begin, lambda *_: None):
        monkeypatch.setattr(compaction, "_begin", begin)
        held: tuple[Run, ...] = ()
        sizes.append([])
        for number, run in enumerate(made):
            held = compacted((*held, run), step.law, newest_wins=newest_wins)
            sizes[-1].append([len(each) for each in held])
            assert content(held, step, newest_wins) == content(made[: number + 1], step, newest_wins)
    assert max(map(len, sizes[0])) < 14, "few runs, though large merges lag behind"
    assert max(map(max, sizes[0])) > 200, "large ones have been merged"
    assert sizes[0] == sizes[1], "by a thread beside, or when they are due"


def test_a_large_merge_waits_for_as_many_records_as_its_newer_run_has(step, monkeypatch):
    monkeypatch.setattr(compaction, "LARGE", 100)
    older, newer = (run_of(step, np.arange(80) + low, np.zeros(80)) for low in (0, 1000))
    few, many = (run_of(step, np.arange(n) + 5000, np.zeros(n)) for n in (30, 90))
    assert compacted((older, newer), step.law, newest_wins=True) == (older, newer)
    assert [len(each) for each in compacted((older, newer, few), step.law, newest_wins=True)] == [80, 80, 30]
    assert [len(each) for each in compacted((older, newer, many), step.law, newest_wins=True)] == [160, 90]


def test_windows_that_were_passed_while_a_merge_was_under_way_do_not_come_back(step, monkeypatch):
    monkeypatch.setattr(compaction, "LARGE", 100)
    random = np.random.default_rng(1)
    older, newer = (run_of(step, random.integers(0, 1000, 300), random.integers(0, 30, 300)) for _ in range(2))
    compacted((older, newer), step.law, newest_wins=True)
    cut = [run.split(10 * SECOND)[1] for run in (older, newer)]
    much = run_of(step, np.arange(300) + 5000, np.full(300, 25))
    done = compacted((*cut, much), step.law, newest_wins=True)
    assert len(done) == 2
    assert done[0].end.tolist() == [20 * SECOND, 30 * SECOND]
    assert content(done[:1], step, True) == content(cut, step, True)


@pytest.mark.parametrize("dense", [True, False])
def test_groups_are_found_wherever_they_are_with_a_directory_and_without(step, monkeypatch, dense):
    monkeypatch.setattr("flower.engine.directory.LEAST", 1)
    random = np.random.default_rng(2)
    held = np.arange(-50, 250) if dense else random.integers(-(2**62), 2**62, 300)
    run = run_of(step, np.tile(held, 2), np.repeat([5, 15], len(held)))
    others = np.append(random.integers(-(2**63), 2**63 - 1, 100), [-51, 250, -(2**63), 2**63 - 1])
    keys = np.concatenate((held[::3], others))
    assert not run._sought
    for _ in range(3):
        wanted = run_of(step, keys, random.integers(0, 30, len(keys)))
        found = find(run, wanted, exact=True)
        there = dict(zip(zip(run.spread(run.end), run.groups.hash, strict=True), range(len(run)), strict=True))
        asked = zip(wanted.spread(wanted.end), wanted.groups.hash, strict=True)
        assert found.tolist() == [there.get(each, -1) for each in asked]
        assert (found >= 0).any()
    made = [each.directory is not None for each in run._sought.values()]
    assert made == ([] if dense else [True, True]), "dense ones need none"
    if not dense:
        passed, left = run.split(10 * SECOND)
        assert [each._sought for each in (passed, left)] == [{0: run._sought[0]}, {0: run._sought[1]}]
        assert find(left, run_of(step, held, np.full(300, 15)), exact=True).tolist() == list(range(300))


def test_the_least_of_all_numbers_is_a_key_like_others(step):
    keys = np.arange(-(2**63), 50 - 2**63)
    run = run_of(step, keys, np.full(50, 5))
    wanted = run_of(step, np.append(keys[::7], [0, 2**63 - 1]), np.full(10, 5))
    assert find(run, wanted, exact=True).tolist() == [*range(0, 50, 7), -1, -1]


def test_no_older_run_is_asked_for_what_newer_ones_have(step, monkeypatch):
    keys = np.random.default_rng(6).integers(-(2**62), 2**62, 50)
    older, newer = (run_of(step, keys, np.full(50, 5)) for _ in range(2))
    asked = []
    monkeypatch.setattr(aligned, "find", lambda run, *wanted: asked.append(run) or find(run, *wanted))
    newest, at = aligned._newest(newer, [older, newer], step.law)
    assert (set(newest.tolist()), at.tolist(), asked) == ({1}, list(range(50)), [newer])
