"""Steps: a value that holds until the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from flower.charts.kinds.line import Line


@dataclass(frozen=True, kw_only=True)
class Step(Line):
    """Lines over `x` that go in steps, one for each key: a value holds until the next one.

    Parameters
    ----------
    x, y, by, title, keys, last
        As for `Line`.

    Examples
    --------
    >>> import pandas as pd
    >>> plot = Step(x="t", y="level").figure(pd.DataFrame({"t": [1, 2], "level": [5, 3]}))
    >>> type(plot.renderers[0].glyph).__name__
    'Step'
    """

    glyph: ClassVar[str] = "step"
    looks: ClassVar[Mapping[str, Any]] = {"mode": "after"}
