"""Nexmark's people, auctions and bids: what event n is, in which order events come, and how they are read."""

from __future__ import annotations

import hashlib
import pickle
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flower as fl
from flower.datasets import nexmark
from flower.datasets.nexmark.generator import SCHEMAS, arrivals, numbers, rows
from flower.errors import SourceError
from flower.graph.protocols import IdentifiedSource, Measured, Source

KINDS = tuple(SCHEMAS)
sizes = st.sampled_from([1, 3, 5, 7, 50, 64, 1000])


def arrived(config: nexmark.Config) -> list[int]:
    """The events in the order in which they come, one by one."""
    size = config.out_of_order_group_size
    groups = -(-config.events // size)
    every = [base * size + k * 953 % size for base in range(groups) for k in range(size)]
    return [number for number in every if number < config.events]


def kind_of(number: int) -> str:
    return "persons" if number % 50 < 1 else "auctions" if number % 50 < 4 else "bids"


@given(st.integers(0, 300), sizes, st.integers(0, 2**63))
def test_rows_of_a_kind_are_its_events_in_the_order_in_which_groups_come(events, size, seed):
    config = nexmark.Config(events=events, out_of_order_group_size=size, seed=seed)
    order = arrived(config)
    assert sorted(order) == list(range(events))
    for kind in KINDS:
        mine = [number for number in order if kind_of(number) == kind]
        assert config.rows_of(kind) == len(mine)
        assert numbers(config, kind, 0, len(mine)).tolist() == mine
        for at in range(0, events + 5, 7):
            expected = sum(kind_of(number) == kind for number in order[:at])
            if size == 1 or at % size == 0 or at >= events:
                assert arrivals(config, kind, at) == expected


@given(st.integers(1, 300), sizes, st.integers(1, 1_000_000))
def test_no_event_is_further_behind_than_the_bound(events, size, rate):
    config = nexmark.Config(events=events, out_of_order_group_size=size, rate=rate)
    time = config.time(np.array(arrived(config)))
    behind = np.maximum.accumulate(time) - time
    assert behind.max() <= config.disorder_us


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_any_range_of_a_partition_is_that_part_of_all_rows(kind, data):
    events = data.draw(st.integers(0, 2000))
    config = nexmark.Config(events=events, out_of_order_group_size=data.draw(sizes), seed=data.draw(st.integers(0, 9)))
    every = rows(config, kind, numbers(config, kind, 0, config.rows_of(kind)))
    partitions = data.draw(st.integers(1, 5))
    source = nexmark.NexmarkSource(config, kind, partitions=partitions)
    for p in range(partitions):
        mine = every.take(np.arange(p, len(every), partitions))
        assert source.total(p) == len(mine)
        start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(mine))] * 2)))
        names = tuple(data.draw(st.lists(st.sampled_from(source.schema.names), min_size=1, unique=True)))
        assert source.read(p, start, end, names).equals(mine.slice(start, end - start).select(names))


def test_an_event_is_the_same_in_whatever_order_and_company_it_comes():
    whole = nexmark.frames(events=3000, seed=3)
    other = nexmark.frames(events=2500, seed=3, out_of_order_group_size=100)
    for one, two in zip(whole, other, strict=True):
        pd.testing.assert_frame_equal(
            one[one["date_time"] < "2015-07-15T00:00:00.25Z"], two.sort_values("date_time", ignore_index=True)
        )
    assert not other.bids["date_time"].is_monotonic_increasing


def test_the_same_rows_as_ever_on_every_machine():
    digest = hashlib.sha256()
    for frame in nexmark.frames(events=2000, seed=1):
        times = frame.select_dtypes("datetimetz").astype("int64")  # pandas writes times in more than one way
        digest.update(frame.assign(**times).to_csv(index=False).encode())
    assert digest.hexdigest() == "b7cc4394cdee213a3355eed9f0b53ea10a85bf9459e5973d169fafbc62a3afea"


def test_another_seed_gives_other_rows_at_the_same_times():
    one, two = (nexmark.frames(events=1000, seed=seed).bids for seed in (0, 1))
    assert (one["date_time"] == two["date_time"]).all()
    assert (one["price"] != two["price"]).mean() > 0.99


def test_proportions_ids_and_ratios_are_those_of_beam():
    persons, auctions, bids = nexmark.frames(events=100_000)
    assert (len(persons), len(auctions), len(bids)) == (2000, 6000, 92_000)
    assert persons["id"].tolist() == list(range(1000, 3000)) and auctions["id"].iloc[0] == 1000
    assert set(auctions["category"]) == {10, 11, 12, 13, 14}
    # all but one in two bids are for the hot auction, all but one in four auctions by a hot seller, of bids by a hot
    # bidder; a few of the others are for it too
    assert (bids["auction"] % 100 == 0).mean() == pytest.approx(1 / 2 + 1 / 2 / 100, abs=0.02)
    assert (auctions["seller"] % 100 == 0).mean() == pytest.approx(3 / 4 + 1 / 4 / 100, abs=0.02)
    assert (bids["bidder"] % 100 == 1).mean() == pytest.approx(3 / 4 + 1 / 4 / 100, abs=0.02)
    assert bids["price"].between(100, 100_000_000).all()
    assert np.log10(bids["price"]).mean() == pytest.approx(5, abs=0.02)
    assert (auctions["reserve"] > auctions["initial_bid"]).all()
    open_us = (auctions["expires"] - auctions["date_time"]) // pd.Timedelta("1us")
    assert open_us.min() >= 1000 and open_us.max() <= nexmark.Config().longest_auction_us == 334_199
    assert open_us.mean() == pytest.approx(1000 + 166_600, rel=0.03)  # 100 auctions are opened in 1,666 events


def test_who_bids_and_what_for_is_near_what_is_newest():
    bids = nexmark.frames(events=50_000, in_flight_auctions=20, active_people=50).bids
    number = (bids["date_time"] - bids["date_time"].min()) // pd.Timedelta("100us") + 4
    cold = bids[(bids["auction"] % 100 != 0)]
    newest = number[cold.index] // 50 * 3 + 2 + 1000
    assert (cold["auction"] - newest).between(-20, 10).all() and (cold["auction"] - newest).nunique() == 31
    cold = bids[bids["bidder"] % 100 != 1]
    newest = number[cold.index] // 50 + 1000
    assert (cold["bidder"] - newest).between(-49, 10).all() and (cold["bidder"] - newest).nunique() == 60


def test_rows_have_the_size_that_was_asked_for():
    for frame, size in zip(nexmark.frames(events=100_000), (200, 500, 100), strict=True):
        text = frame.select_dtypes("str")
        bytes_ = text.apply(lambda column: column.str.len()).sum(axis=1) + 8 * (frame.shape[1] - text.shape[1])
        assert bytes_.mean() == pytest.approx(size, rel=0.05)
    assert nexmark.frames(events=100, bid_bytes=0).bids["extra"].eq("").all()


def test_text_is_letters_and_single_things_a_person_would_read():
    persons, auctions, _ = nexmark.frames(events=10_000)
    assert persons["credit_card"].str.fullmatch(r"(\d{4} ){3}\d{4}").all()
    assert persons["email_address"].str.fullmatch(r"[a-z]([a-z ]*[a-z])@[a-z]+( [a-z]+)*\.com").all()
    assert auctions["item_name"].str.fullmatch(r"[a-z][a-z ]{1,17}[a-z]").all()
    assert auctions["description"].str.contains(" ").mean() > 0.8
    assert persons["extra"].str.fullmatch("[a-z]+").all()


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_source_that_is_measured_identified_and_travels(kind):
    source = nexmark.bids(events=1000, seed=5, partitions=2).node.source
    assert isinstance(source, Source) and isinstance(source, Measured) and isinstance(source, IdentifiedSource)
    assert source.identity() == {"partitions": "2", "events": "1000", "seed": "5"}
    there = pickle.loads(pickle.dumps(source))
    assert there.read(1, 3, 20).equals(source.read(1, 3, 20))
    assert source.read(0, 5, 5).num_rows == 0 and not source.ended(0, 459) and source.ended(0, 460)


@pytest.mark.parametrize("limit", [46, 100, 1000])
@pytest.mark.parametrize("partitions", [1, 3])
def test_sources_of_the_three_kinds_go_through_the_events_side_by_side(limit, partitions):
    config = nexmark.Config(events=None)
    sources = {kind: nexmark.NexmarkSource(config, kind, partitions=partitions) for kind in KINDS}
    at = {kind: 0 for kind in KINDS}
    for _ in range(50):
        ends = {kind: sources[kind].latest(0, at[kind], limit, 0) for kind in KINDS}
        assert all(at[kind] < ends[kind] <= at[kind] + limit for kind in KINDS)
        at = ends
        reached = [int(numbers(config, kind, at[kind] * partitions, at[kind] * partitions + 1)[0]) for kind in KINDS]
        assert max(reached) - min(reached) < 50


def test_a_paced_source_has_the_events_that_are_due():
    config = nexmark.Config(events=1000, rate=100, out_of_order_group_size=10)
    order = arrived(config)
    for kind in KINDS:
        source = nexmark.NexmarkSource(config, kind, paced=True)
        for seconds in (0, 1, 2.5, 9.99, 10, 50):
            due = sum(kind_of(number) == kind for number in order[: int(seconds * 100)])
            assert source.latest(0, 0, 10_000, int(seconds * 1e6)) == min(due, source.total(0))


def test_without_an_end_rows_go_on():
    stream = nexmark.bids(events=None).node.source
    assert not stream.bounded and stream.total(0) is None and not stream.ended(0, 10**9)
    assert stream.read(0, 10**9, 10**9 + 1, ("date_time",))["date_time"][0].as_py().year == 2015


@pytest.mark.parametrize(
    "given, text",
    [
        ({"events": -1}, "`events` must be a whole number from 0"),
        ({"rate": 0}, "`rate` must be a whole number from 1"),
        ({"rate": 2.5}, "got 2.5"),
        ({"seed": True}, "`seed` must be"),
        ({"out_of_order_group_size": 1906}, "no multiple of 953"),
        ({"rat": 1}, "has no such parameter; got 'rat'; there are 'events', 'seed', 'rate'"),
        ({"partitions": 0}, "`partitions` must be"),
        ({"paced": 1}, "`paced` must be True or False"),
    ],
)
def test_a_parameter_that_cannot_be_is_named(given, text):
    with pytest.raises(SourceError, match=text):
        nexmark.streams(**given)


def test_frames_need_an_end():
    with pytest.raises(SourceError, match="frames have an end"):
        nexmark.frames(events=None)
    assert [len(frame) for frame in nexmark.frames(events=0)] == [0, 0, 0]
    for none, some in zip(nexmark.frames(events=0), nexmark.frames(events=99), strict=True):
        pd.testing.assert_series_equal(none.dtypes, some.dtypes)


def test_streams_have_the_rows_of_the_frames_and_lose_none_to_disorder():
    options = {"events": 20_000, "seed": 4, "out_of_order_group_size": 640}
    for frame, stream in zip(nexmark.frames(**options), nexmark.streams(**options), strict=True):
        pd.testing.assert_frame_equal(stream.collect(), frame)
        counts = stream.window(fl.FixedWindows("10ms")).agg(n="count")
        assert counts.collect(as_stream=True)["n"].sum() == len(frame)
        assert len(counts.dropped.collect(as_stream=True)) == 0
    tight = nexmark.bids(**options, watermark=fl.Monotonic()).window(fl.FixedWindows("10ms")).agg(n="count")
    assert len(tight.dropped.collect(as_stream=True)) > 0


def test_a_stream_is_written_into_a_script_as_the_call_that_makes_it(tmp_path):
    stream = nexmark.bids(events=1000, seed=2, partitions=2, start=pd.Timestamp("2020-01-01", tz="UTC"))
    path = tmp_path / "script.py"
    stream.filter("price > 1000").to_script(path)
    text = path.read_text()
    assert "fl.datasets.nexmark.bids(" in text and "seed=2" in text and "partitions=2" in text and "paced" not in text
    names: dict[str, object] = {"__name__": "script"}
    exec(compile(text, path, "exec"), names)
    pd.testing.assert_frame_equal(names["pipeline"]().collect(), stream.filter("price > 1000").collect())


@pytest.mark.slow
def test_workers_read_the_rows_that_this_process_reads(client):
    stream = nexmark.bids(events=20_000, partitions=3, out_of_order_group_size=100)
    counts = stream.window(fl.FixedWindows("100ms")).groupby("auction").agg(n="count", highest=("price", "max"))
    pd.testing.assert_frame_equal(counts.collect(executor=client), counts.collect())


def test_positions_name_rows_in_every_partition():
    source = nexmark.NexmarkSource(nexmark.Config(events=5000), "auctions", partitions=3)
    for p in range(3):
        ends = [0]
        while not source.ended(p, ends[-1]):
            ends.append(source.latest(p, ends[-1], 46, 0))
        parts = [source.read(p, start, end) for start, end in pairwise(ends)]
        assert pa.concat_tables(parts).equals(source.read(p, 0, source.total(p)))
