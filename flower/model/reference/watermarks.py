"""The oracle's watermarks: of a partition, a source, and a step with several sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flower.model.reference.estimators import Estimator, estimator
from flower.model.reference.rows import Marks, Punctuations
from flower.model.time import MAX_TIME, MIN_TIME
from flower.model.watermarks import WatermarkPolicy


@dataclass
class _Partition:
    own: Estimator
    last_row: int | None = None
    ended: bool = False

    @property
    def watermark(self) -> int:
        return self.own.watermark


class WatermarkOracle:
    """The watermarks of one source.

    Parameters
    ----------
    policy : WatermarkPolicy
        How the source knows its watermark.
    partitions : int
        How many partitions there are at first.
    """

    def __init__(self, policy: WatermarkPolicy, partitions: int = 1) -> None:
        self.policy = policy
        self._partitions = [_Partition(estimator(policy)) for _ in range(partitions)]
        self._now = MIN_TIME
        self.watermark = MIN_TIME
        """Of the whole source, after the last epoch."""

    @property
    def watermarks(self) -> list[int]:
        """Of each partition, after the last epoch."""
        return [MAX_TIME if p.ended else p.watermark for p in self._partitions]

    def epoch(
        self,
        times: Sequence[Sequence[int]],
        now: int,
        ended: Sequence[bool],
        *,
        marks: Marks | None = None,
        punctuations: Punctuations | None = None,
        promised: int | None = None,
        beyond: int = MAX_TIME,
    ) -> list[list[int]]:
        """The watermark that each row meets, per partition; then the source's watermark moves.

        Parameters
        ----------
        times : sequence of sequence of int
            Per partition the event times of all rows read, in order.
        now : int
            Processing time.
        ended : sequence of bool
            Whether no row will follow, per partition.
        marks : Marks, optional
            For `ManualWatermark`.
        punctuations : Punctuations, optional
            For `Punctuated`.
        promised : int, optional
            The watermark of the step at the epoch's start; this source's own, unless there are several sources.
        beyond : int
            The least watermark of the other sources at the epoch's start.
        """
        while len(self._partitions) < len(times):
            self._partitions.append(_Partition(estimator(self.policy)))
        promised = self.watermark if promised is None else promised
        others = [
            min([q.watermark for q in self._partitions if q is not p and self._counts(q)], default=MAX_TIME)
            for p in self._partitions
        ]
        met = []
        for number, partition in enumerate(self._partitions):
            own = []
            for i, time in enumerate(times[number]):
                if marks is not None:
                    partition.own.before(marks[number][0][i])
                own.append(partition.watermark)
                carried = {policy: of[number][i] for policy, of in (punctuations or {}).items()}
                partition.own.after(time, carried)
            if marks is not None:
                partition.own.before(marks[number][1])
            if times[number] or partition.last_row is None:
                partition.last_row = now
            partition.ended = ended[number]
            met.append([max(promised, min(w, others[number], beyond)) for w in own])
        self._now = now
        self.watermark = max(self.watermark, self._combined())
        return met

    def _idle(self, partition: _Partition) -> bool:
        idle_us = self.policy.idle_us
        return idle_us is not None and partition.last_row is not None and self._now - partition.last_row >= idle_us

    def _counts(self, partition: _Partition) -> bool:
        """Whether it holds the others back, as things stood after the last epoch."""
        return not partition.ended and not self._idle(partition)

    def _combined(self) -> int:
        running = [p for p in self._partitions if not p.ended]
        if not running:
            return MAX_TIME
        counting = [p.watermark for p in running if self._counts(p)]
        # When all are idle, what the furthest of them promised.
        return min(counting) if counting else max(p.watermark for p in running)


class InputOracle:
    """What a step is told by several sources: the minimum of their watermarks."""

    def __init__(self, sources: Sequence[WatermarkOracle]) -> None:
        self.sources = sources

    @property
    def watermark(self) -> int:
        """The minimum over the sources, after the last epoch."""
        return min(source.watermark for source in self.sources)

    def epoch(
        self,
        times: Sequence[Sequence[Sequence[int]]],
        now: int,
        ended: Sequence[Sequence[bool]],
        *,
        marks: Sequence[Marks | None] | None = None,
    ) -> list[list[list[int]]]:
        """The watermark that each row meets, per source and partition; arguments as of `WatermarkOracle`."""
        before = [source.watermark for source in self.sources]
        promised = min(before)
        return [
            source.epoch(
                times[i],
                now,
                ended[i],
                marks=marks[i] if marks is not None else None,
                promised=promised,
                beyond=min(before[:i] + before[i + 1 :], default=MAX_TIME),
            )
            for i, source in enumerate(self.sources)
        ]
