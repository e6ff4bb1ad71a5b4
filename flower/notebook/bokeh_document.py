"""A Bokeh figure as a snapshot and the patches that follow it. All that leans on Bokeh's internals is here."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bokeh
import numpy as np
from bokeh.core.json_encoder import serialize_json
from bokeh.core.serialization import Serializer
from bokeh.document import Document
from bokeh.models.annotations import Legend, Title
from bokeh.models.renderers import GlyphRenderer
from bokeh.models.sources import ColumnDataSource
from bokeh.models.text import PlainText
from bokeh.plotting import figure as Figure

VERSION: str = bokeh.__version__


def bokehjs() -> bytes:
    """BokehJS of the installed package."""
    return (Path(bokeh.__file__).parent / "server" / "static" / "js" / "bokeh.min.js").read_bytes()


@dataclass(frozen=True, slots=True)
class Patch:
    """Changes of a document, as BokehJS applies them."""

    content: str
    names: list[str]
    buffers: list[bytes]


class Drawing:
    """A figure in a document of its own; what changes in it is gathered until somebody takes it. Any thread may ask.

    Examples
    --------
    >>> plot = Figure(name="a")
    >>> points = plot.scatter([1.0], [2.0])
    >>> drawing = Drawing(plot)
    >>> drawing.patch()
    >>> points.data_source.data = {"x": [1.0, 2.0], "y": [2.0, 3.0]}
    >>> len(json.loads(drawing.patch().content)["events"])
    1
    """

    def __init__(self, plot: Figure) -> None:
        self._lock = threading.RLock()
        self._events: list[Any] = []
        self._document = Document()
        self._adopt(plot)

    @property
    def figure(self) -> Figure:
        """What is drawn."""
        return self._figure

    def _adopt(self, plot: Figure) -> None:
        self._figure = plot
        self._document.add_root(plot)
        self._document.on_change_dispatch_to(self)

    def _document_patched(self, event: Any) -> None:
        """Called by Bokeh for each change, in the thread that makes it."""
        with self._lock:
            self._events.append(event)

    def snapshot(self) -> dict[str, Any]:
        """The whole document as JSON."""
        with self._lock:
            # What was gathered stays, for pages that have an older snapshot: to apply it twice is harmless, as every
            # change says what becomes of a property.
            said: dict[str, Any] = json.loads(serialize_json(self._document.to_json(deferred=False)))
            self._document.models.flush_synced()
            return said

    def patch(self) -> Patch | None:
        """What changed since the last call; None if nothing did."""
        with self._lock:
            events, self._events = self._events, []
            if not events:
                return None
            models = self._document.models
            serializer = Serializer(references=models.synced_references, deferred=True)
            said = serialize_json({"events": serializer.encode(events)})
            models.flush_synced(lambda model: not serializer.has_ref(model))
            return Patch(said, [b.id for b in serializer.buffers], [b.to_bytes() for b in serializer.buffers])

    def redraw(self, new: Figure) -> bool:
        """Draw ``new``: by new data where it has the same parts, which keeps what a person zoomed to; else by taking
        its place. Returns whether it took the place.
        """
        with self._lock:
            if _shape(new) == _shape(self._figure):
                _update(self._figure, new)
                return False
            self._document.remove_on_change(self)
            self._document.clear()
            self._events = []
            self._adopt(new)
            self._document.models.flush_synced()
            return True

    def close(self) -> None:
        """Let the document go."""
        with self._lock:
            self._document.remove_on_change(self)
            self._document.clear()
            self._events = []


def _shape(plot: Figure) -> object:
    """What two figures must share so that one becomes the other by new data and texts alone."""
    glyphs = [type(renderer.glyph).__name__ for renderer in _drawn(plot)]
    legends: list[Any] = [panel for panel in plot.right if isinstance(panel, Legend)]
    labels = [item.label.value for legend in legends for item in legend.items]
    ticks = [
        {tick: getattr(label, "text", label) for tick, label in axis.major_label_overrides.items()}
        for axis in plot.xaxis
    ]
    return glyphs, labels, ticks, len(_texts(plot)), type(plot.x_range), getattr(plot.y_range, "start", None) == 0


def _update(old: Figure, new: Figure) -> None:
    for text, other in zip(_texts(old), _texts(new), strict=True):
        if text.text != other.text:
            text.text = other.text
    for mine, drawn in zip(_drawn(old), _drawn(new), strict=True):
        source, fresh = mine.data_source, drawn.data_source
        assert isinstance(source, ColumnDataSource) and isinstance(fresh, ColumnDataSource)
        if not _same(source.data, fresh.data):
            source.data = dict(fresh.data)


def _texts(plot: Figure) -> list[PlainText]:
    """Title and notes."""
    texts = [panel.text for panel in plot.above if isinstance(panel, Title)]
    return [text for text in texts if isinstance(text, PlainText)]


def _drawn(plot: Figure) -> list[GlyphRenderer[Any]]:
    return [renderer for renderer in plot.renderers if isinstance(renderer, GlyphRenderer)]


def _same(one: Any, other: Any) -> bool:
    if one.keys() != other.keys():
        return False
    for name, values in one.items():
        left, right = np.asarray(values, object), np.asarray(other[name], object)
        if left.shape != right.shape:
            return False
        # A value that is missing differs from itself.
        equal = (left == right) | ((left != left) & (right != right))
        if not np.all(equal):
            return False
    return True
