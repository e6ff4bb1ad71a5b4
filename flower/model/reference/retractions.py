"""The oracle's retractions: which rows are left when others have taken some back."""

from __future__ import annotations

from collections.abc import Sequence

from flower.model.reference.aggregates import missing
from flower.model.reference.rows import Row

SIGN = "pane_retraction"


def left(rows: Sequence[Row], back: Sequence[Row]) -> list[Row]:
    """The rows without those that ``back`` takes back: each one row of its time and values.

    Raises
    ------
    AssertionError
        If one takes back what never came.
    """
    remaining = list(rows)
    for retraction in back:
        for i, row in enumerate(remaining):
            if _same(row, retraction):
                del remaining[i]
                break
        else:
            raise AssertionError(f"nothing to take back: {retraction}")
    return remaining


def _same(row: Row, other: Row) -> bool:
    if row.time != other.time:
        return False
    return all(
        name == SIGN or value == other.values[name] or (missing(value) and missing(other.values[name]))
        for name, value in row.values.items()
    )
