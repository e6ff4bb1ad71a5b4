"""Values as a person reads them, in Python and as formats that the browser applies."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

MISSING = "(missing)"
"""The text of a null key."""


def number_text(value: float) -> str:
    """A number as a person reads it.

    Examples
    --------
    >>> number_text(1234567), number_text(12.34567), number_text(0.00012345), number_text(float("nan"))
    ('1,234,567', '12.35', '0.0001234', '(missing)')
    """
    if np.isnan(value):
        return MISSING
    if value == np.trunc(value) or abs(value) >= 10_000:
        return f"{value:,.0f}" if np.isfinite(value) else str(value)
    return f"{value:,.4g}"


def number_format(values: npt.NDArray[np.float64]) -> tuple[str, str]:
    """How the browser writes such numbers: a format, and which formatter reads it."""
    largest = np.abs(values[np.isfinite(values)]).max(initial=0)
    return ("{0,0.[00]}", "numeral") if largest >= 1 or largest == 0 else ("{%.4g}", "printf")


def texts_of(column: pd.Series) -> list[str]:
    """Each value as text; a null has one too."""
    return [MISSING if missing else str(value) for value, missing in zip(column, column.isna(), strict=True)]


def short(text: str, length: int = 32) -> str:
    """``text``, or its beginning and three dots."""
    return text if len(text) <= length else text[: length - 1] + "…"
