"""Any figure that a person makes with Bokeh."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
from bokeh.models.renderers import GlyphRenderer
from bokeh.plotting import figure as Figure

from flower.charts.chart_type import ChartType, Seen
from flower.errors import FlowerError

if TYPE_CHECKING:
    from flower.charts.sketch import Sketch


@dataclass(frozen=True, kw_only=True)
class Custom(ChartType):
    """A figure that a function makes of the view.

    Parameters
    ----------
    fn : callable
        Takes the view as a frame, its times without their zone, which Bokeh does not know, and gives a Bokeh figure;
        called again when there are new panes. While it makes the same glyphs of other data, the first figure stays and
        gets the data.
    title : str, optional
        The chart's name.

    Examples
    --------
    >>> from bokeh.plotting import figure
    >>> def both(frame):
    ...     plot = figure()
    ...     plot.line(frame["t"], frame["n"])
    ...     return plot
    >>> len(Custom(fn=both).figure(pd.DataFrame({"t": [1, 2], "n": [3, 4]})).renderers)
    1
    """

    fn: Callable[[pd.DataFrame], Figure]

    def sketch(self, seen: Seen) -> Sketch:
        """A function draws at once."""
        raise NotImplementedError

    def drawn(self, seen: Seen) -> Made:
        """The function's figure."""
        return Made(self, seen)


class Made:
    """A function's figure, which follows other views."""

    def __init__(self, kind: Custom, seen: Seen) -> None:
        self._kind = kind
        self.figure = self._call(seen)

    def _call(self, seen: Seen) -> Figure:
        zoned = {name: times.dt.tz_localize(None) for name, times in seen.frame.select_dtypes("datetimetz").items()}
        made = self._kind.fn(seen.frame.assign(**{str(name): times for name, times in zoned.items()}))
        if not isinstance(made, Figure):
            raise FlowerError(
                "the function of a custom chart must give a Bokeh figure",
                got=type(made).__name__,
                hint="return the figure(...) that it draws on",
            )
        if self._kind.title is not None:
            made.name = self._kind.title
        return made

    def follow(self, seen: Seen, said: str = "") -> bool:
        """Show another view by new columns; False if the function now makes other glyphs, and nothing was done."""
        new = self._call(seen)
        before, after = _glyphs(self.figure), _glyphs(new)
        if [_kind_of(each) for each in before] != [_kind_of(each) for each in after]:
            return False
        for old, each in zip(before, after, strict=True):
            old.data_source.data = dict(each.data_source.data)  # type: ignore[attr-defined]
        return True


def _glyphs(plot: Figure) -> list[GlyphRenderer[Any]]:
    return [each for each in plot.renderers if isinstance(each, GlyphRenderer)]


def _kind_of(renderer: GlyphRenderer[Any]) -> object:
    data: Any = renderer.data_source
    return type(renderer.glyph), sorted(data.data)
