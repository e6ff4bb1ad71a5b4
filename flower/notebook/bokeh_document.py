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
from bokeh.models.annotations import Title
from bokeh.models.renderers import GlyphRenderer
from bokeh.models.text import PlainText
from bokeh.plotting import figure as Figure

from flower.charts.sketch import Sketch

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
    >>> import pandas as pd
    >>> from flower.charts.lines import line_sketch
    >>> frame = pd.DataFrame({"hour": [1, 2, 3], "rows": [3, 5, 4]})
    >>> drawing = Drawing(line_sketch(frame[:2], x="hour", y="rows"))
    >>> drawing.patch()
    >>> drawing.redraw(line_sketch(frame, x="hour", y="rows"))
    False
    >>> len(json.loads(drawing.patch().content)["events"])
    2
    """

    def __init__(self, sketch: Sketch) -> None:
        self._lock = threading.RLock()
        self._events: list[Any] = []
        self._document = Document()
        self._adopt(sketch)

    @property
    def figure(self) -> Figure:
        """What is drawn."""
        return self._figure

    def _adopt(self, sketch: Sketch) -> None:
        self._sketch, self._figure = sketch, sketch.figure()
        self._document.add_root(self._figure)
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

    def redraw(self, new: Sketch) -> bool:
        """Draw ``new``: by new columns where it has the same parts, which keeps what a person zoomed to; else by a
        figure of its own. Returns whether it took another figure.
        """
        with self._lock:
            if new.parts == self._sketch.parts:
                self._update(new)
                return False
            self._document.remove_on_change(self)
            self._document.clear()
            self._events = []
            self._adopt(new)
            self._document.models.flush_synced()
            return True

    def _update(self, new: Sketch) -> None:
        old, self._sketch = self._sketch, new
        if new.said != old.said:
            notes = [panel.text for panel in self._figure.above if isinstance(panel, Title)]
            for text in notes:
                if isinstance(text, PlainText) and text.text == old.said:
                    text.text = new.said
        done: set[int] = set()
        for renderer, before, layer in zip(self._figure.renderers, old.layers, new.layers, strict=False):
            if not isinstance(renderer, GlyphRenderer) or id(layer.columns) in done:
                continue
            done.add(id(layer.columns))
            if not _same(before.columns, layer.columns):
                renderer.data_source.data = layer.columns  # type: ignore[attr-defined]

    def close(self) -> None:
        """Let the document go."""
        with self._lock:
            self._document.remove_on_change(self)
            self._document.clear()
            self._events = []


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
