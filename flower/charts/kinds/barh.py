"""Bars that lie: their names have room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from flower.charts.kinds.bar import Bar


@dataclass(frozen=True, kw_only=True)
class Barh(Bar):
    """Bars that lie, the largest on top; `x` goes down, `y` across.

    Parameters
    ----------
    x, y, by, stacked, title, keys, last
        As for `Bar`.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"who": ["a", "b"], "rows": [3, 5]})
    >>> Barh(x="who", y="rows").figure(frame).renderers[0].glyph.right
    'top'
    """

    lying: ClassVar[bool] = True
