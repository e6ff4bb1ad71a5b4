"""How many pairs a keyed step admitted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of (row, window) pairs; on time + late + dropped is all of them.

    Parameters
    ----------
    excess : int
        By how many microseconds the latest dropped pair missed its window; -1 if none did.
    """

    on_time: int = 0
    late: int = 0
    dropped: int = 0
    excess: int = -1

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.on_time + other.on_time,
            self.late + other.late,
            self.dropped + other.dropped,
            max(self.excess, other.excess),
        )
