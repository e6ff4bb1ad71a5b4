"""The events of one kind as a source whose rows can be read at any place, and as frames and streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from flower.api.sourced import stream_of
from flower.api.stream import Stream
from flower.datasets.nexmark.generator import (
    CYCLE,
    PLACES,
    SCHEMAS,
    Config,
    Kind,
    arrivals,
    before,
    in_order,
    numbers,
    rows,
)
from flower.errors import SourceError
from flower.graph.calls import Call
from flower.graph.nodes import Read
from flower.graph.schema import frame_of, names_text
from flower.model.time import duration_text
from flower.model.watermarks import BoundedDisorder


class NexmarkSource:
    """The rows of a kind, computed when they are read.

    Partitions take turns: row ``i`` of partition ``p`` is row ``i * partitions + p`` of all. Sources of all three kinds
    go through the events side by side: what an epoch reads of each is of the same events, give or take one in fifty.

    Parameters
    ----------
    config : Config
        What the events are.
    kind : {"persons", "auctions", "bids"}
        Which of them.
    partitions : int
        Into how many partitions the rows are dealt.
    paced : bool
        Whether events come as fast as their rate says; else as fast as they can be read.

    Examples
    --------
    >>> source = NexmarkSource(Config(events=1000), "bids", partitions=2)
    >>> source.total(0), source.latest(0, 0, 100, elapsed_us=0)
    (460, 92)
    >>> source.read(1, 0, 2, ("auction", "price")).to_pandas()
       auction     price
    0     1000     62747
    1     1002  13736043
    """

    def __init__(self, config: Config, kind: Kind, *, partitions: int = 1, paced: bool = False) -> None:
        if isinstance(partitions, bool) or not isinstance(partitions, int) or not 1 <= partitions <= 10_000:
            raise SourceError("nexmark: `partitions` must be a whole number from 1 to 10,000", got=repr(partitions))
        if not isinstance(paced, bool):
            raise SourceError("nexmark: `paced` must be True or False", got=repr(paced))
        self.config, self.kind, self.paced = config, kind, paced
        self.schema: pa.Schema = SCHEMAS[kind]
        self.bounded = config.events is not None
        self.label = f"nexmark {kind}"
        self._partitions = partitions

    def __repr__(self) -> str:
        return self.label

    def identity(self) -> Mapping[str, str]:
        """The parameters that are not the default's."""
        told = {name: str(value) for name, value in self.config.differing.items()}
        return {"partitions": str(self._partitions), **told}

    def partitions(self) -> tuple[str, ...]:
        """By their numbers."""
        return tuple(map(str, range(self._partitions)))

    def initial(self, partition: int) -> int:
        """Before the first row."""
        return 0

    def total(self, partition: int) -> int | None:
        """All rows."""
        every = self.config.rows_of(self.kind)
        return None if every is None else self._share(every, partition)

    def latest(self, partition: int, position: int, limit_rows: int, elapsed_us: int) -> int:
        """The end of a stretch of events of which as many are bids as may be read."""
        stretch = max(limit_rows // PLACES["bids"][1], 1) * CYCLE * self._partitions
        reached = in_order(self.kind, np.int64(position * self._partitions + partition)) // stretch
        end = self._share(int(before(self.kind, (reached + 1) * stretch)), partition)
        end = min(end, position + limit_rows)
        if (every := self.total(partition)) is not None:
            end = min(end, every)
        if self.paced:
            arrived = min(elapsed_us * self.config.rate // 1_000_000, 2**50)
            end = min(end, self._share(arrivals(self.config, self.kind, arrived), partition))
        return max(position, end)

    def read(self, partition: int, start: int, end: int, columns: tuple[str, ...] | None = None) -> pa.Table:
        """The rows of a range, computed."""
        step = self._partitions
        number = numbers(self.config, self.kind, start * step + partition, (end - 1) * step + partition + 1)[::step]
        return rows(self.config, self.kind, number, columns)

    def ended(self, partition: int, position: int) -> bool:
        """Whether all rows are before ``position``."""
        every = self.total(partition)
        return every is not None and position >= every

    def _share(self, count: int, partition: int) -> int:
        """How many of the first ``count`` rows are of a partition."""
        return (count - partition + self._partitions - 1) // self._partitions


class Frames(NamedTuple):
    """The rows of each kind, in the order in which they come."""

    persons: pd.DataFrame
    auctions: pd.DataFrame
    bids: pd.DataFrame


class Streams(NamedTuple):
    """A stream of each kind, in event time."""

    persons: Stream
    auctions: Stream
    bids: Stream


def frames(events: int = 100_000, **options: Any) -> Frames:
    """People, auctions and bids as frames.

    Parameters
    ----------
    events : int
        How many, of all three kinds.
    **options
        Further parameters of `Config`: ``seed``, ``rate``, ``start``, ``out_of_order_group_size`` and more.

    Examples
    --------
    >>> from flower.datasets import nexmark
    >>> made = nexmark.frames(events=1000, seed=7)
    >>> [len(frame) for frame in made]
    [20, 60, 920]
    >>> made.auctions[["id", "seller", "category", "expires"]].head(2)
         id  seller  category                          expires
    0  1000    1000        13 2015-07-15 00:00:00.217285+00:00
    1  1001    1004        12 2015-07-15 00:00:00.227442+00:00
    """
    config = _config("frames", events, options)
    if config.events is None:
        raise SourceError("nexmark: frames have an end: `events` must be a whole number", got="events=None")

    def frame(kind: Kind) -> pd.DataFrame:
        number = numbers(config, kind, 0, config.rows_of(kind) or 0)
        return frame_of(rows(config, kind, number).combine_chunks().to_batches()[0] if len(number) else _none(kind))

    return Frames(frame("persons"), frame("auctions"), frame("bids"))


def persons(events: int | None = 100_000, **options: Any) -> Stream:
    """New people, as `streams` gives them.

    Examples
    --------
    >>> from flower.datasets import nexmark
    >>> nexmark.persons(events=200).select("id", "name", "state").head(2)
         id         name state
    0  1000  John Abrams    ID
    1  1001  Julie Noris    WY
    """
    return _stream("persons", events, options)


def auctions(events: int | None = 100_000, **options: Any) -> Stream:
    """New auctions, as `streams` gives them.

    Examples
    --------
    >>> from flower.datasets import nexmark
    >>> nexmark.auctions(events=1000).groupby("category").agg(n="count").select("category", "n").collect().head(2)
       category   n
    0        10  14
    1        11  10
    """
    return _stream("auctions", events, options)


def bids(events: int | None = 100_000, **options: Any) -> Stream:
    """Bids, as `streams` gives them.

    Examples
    --------
    >>> from flower.datasets import nexmark
    >>> nexmark.bids(events=1000).agg(highest=("price", "max")).select("highest").collect()
        highest
    0  98046136
    """
    return _stream("bids", events, options)


def streams(events: int | None = 100_000, **options: Any) -> Streams:
    """People, auctions and bids as streams: computed when they are read, the same rows every time.

    Parameters
    ----------
    events : int, optional
        How many, of all three kinds; None: no end.
    partitions : int
        Into how many partitions each stream is dealt.
    paced : bool
        Whether events come as fast as ``rate`` says; else as fast as they can be read.
    watermark : WatermarkPolicy, optional
        Default: the bound under which no row is late, ``BoundedDisorder("0s")`` if they come in order.
    **options
        Further parameters of `Config`: ``seed``, ``rate``, ``start``, ``out_of_order_group_size`` and more.

    Raises
    ------
    SourceError
        If a parameter is not what it must be.

    Examples
    --------
    >>> import flower as fl
    >>> from flower.datasets import nexmark
    >>> persons, auctions, bids = nexmark.streams(events=50_000, seed=7, out_of_order_group_size=100)
    >>> bids.node.watermark
    BoundedDisorder('9ms 900us')
    >>> bids.window(fl.FixedWindows("2s")).agg(bids="count").select("window_end", "bids").collect()
                     window_end   bids
    0 2015-07-15 00:00:02+00:00  18400
    1 2015-07-15 00:00:04+00:00  18400
    2 2015-07-15 00:00:06+00:00   9200
    """
    return Streams(persons(events, **options), auctions(events, **options), bids(events, **options))


def _none(kind: Kind) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=SCHEMAS[kind])


def _config(function: str, events: int | None, options: Mapping[str, Any]) -> Config:
    names = [field.name for field in fields(Config)]
    if unknown := sorted(set(options) - set(names)):
        raise SourceError(
            f"nexmark.{function}() has no such parameter",
            got=names_text(unknown),
            hint=f"there are {names_text(names)}",
        )
    return Config(events=events, **options)


def _stream(kind: Kind, events: int | None, options: Mapping[str, Any]) -> Stream:
    given = dict(options)
    policy = given.pop("watermark", None)
    own = {name: given.pop(name) for name in ("partitions", "paced") if name in given}
    config = _config(kind, events, given)
    source = NexmarkSource(config, kind, **own)
    bound = BoundedDisorder(duration_text(config.disorder_us))
    node = stream_of(source, "date_time", "UTC", None, bound if policy is None else policy).node
    assert isinstance(node, Read)
    called = config.differing | {name: value for name, value in own.items() if value != _OWN[name]}
    if policy is not None:
        called["watermark"] = node.watermark
    return Stream(replace(node, call=Call(f"datasets.nexmark.{kind}", (), tuple(called.items()))))


_OWN = {"partitions": 1, "paced": False}
