"""What the oracle is told: rows, windows and the marks of a source; and how it counts with times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flower.model.time import MAX_TIME, MIN_TIME
from flower.model.watermarks import WatermarkPolicy

Window = tuple[int, int]
"""Start and end, half-open, in microseconds."""

Marks = Sequence[tuple[Sequence[int], int]]
"""Per partition, the watermark that the source says is in force before each row, and after the last."""

Punctuations = Mapping[WatermarkPolicy, Sequence[Sequence[int]]]
"""Per policy and partition, the watermark that each row carries; the start of time where it carries none."""


@dataclass
class Row:
    """A row with what is known beside its columns."""

    values: Mapping[str, Any]
    time: int
    met: int = MIN_TIME
    partition: int = 0
    position: int = 0
    retraction: bool = False
    """Whether it takes back an earlier row."""
    oldest: int | None = None
    """The earliest event time of all panes of its window so far, if these differ."""
    stage: int = 0
    """The stage of a plan that it comes from."""


def plus(time: int, us: int) -> int:
    """The sum, kept between the two ends of time; the ends themselves do not move."""
    if time in (MIN_TIME, MAX_TIME):
        return time
    return min(max(time + us, MIN_TIME), MAX_TIME)


def shown(time: int) -> int | None:
    """The ends of time are nothing that a person could read."""
    return None if time in (MIN_TIME, MAX_TIME) else time
