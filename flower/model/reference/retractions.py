"""The oracle's retractions: which rows are left when others have taken some back."""

from __future__ import annotations

from collections.abc import Sequence

from flower.model.reference.aggregates import missing
from flower.model.reference.rows import Row


def left(rows: Sequence[Row], back: Sequence[Row], columns: Sequence[str]) -> list[Row]:
    """The rows without those that ``back`` takes back: each one row of its time, and its values in some columns.

    Raises
    ------
    AssertionError
        If one takes back what never came.
    """
    remaining = list(rows)
    for retraction in back:
        for i, row in enumerate(remaining):
            if same(row, retraction, columns):
                del remaining[i]
                break
        else:
            raise AssertionError(f"nothing to take back: {retraction}")
    return remaining


def same(row: Row, other: Row, columns: Sequence[str]) -> bool:
    """Whether two rows are of one time, and have the same values in some columns."""
    pairs = [(row.values[name], other.values[name]) for name in columns]
    return row.time == other.time and all(a == b or (missing(a) and missing(b)) for a, b in pairs)
