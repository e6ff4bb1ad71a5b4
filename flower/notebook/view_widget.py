"""The widget of every live view: its first snapshot travels in the comm's open state, changes as numbered messages.

A view draws without a handshake, as a busy kernel cannot answer; a front end that misses a number goes on drawing and
asks for a snapshot. A page that is loaded again gets the state of the moment.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Protocol

import anywidget
import traitlets

from flower.charts.diagram import STEPS
from flower.charts.page import front
from flower.charts.style import DARK
from flower.notebook.bokeh_document import VERSION, bokehjs
from flower.notebook.feed import Feed

MOST_PICTURE = 8 * 2**20
PNG = b"\x89PNG\r\n\x1a\n"

Message = tuple[dict[str, Any], list[bytes]]


class Content(Protocol):
    """What a view shows."""

    kind: str
    lock: threading.RLock  # one for content and view: two could be taken in either order

    def snapshot(self) -> dict[str, Any]:
        """All of it, as JSON."""

    def changes(self) -> Message | None:
        """What changed since the last call, with its buffers; None: nothing."""

    def command(self, name: str, value: object) -> None:
        """A person pressed a button, or chose a value; neither is to be trusted."""

    def picture(self, png: bytes, width: int, height: int) -> None:
        """How it looks in a page."""


class Library(anywidget.AnyWidget):
    """BokehJS, which every page gets once, with whatever charts it shows."""

    _esm = "export default {}"
    bokehjs = traitlets.Bytes(b"").tag(sync=True)

    _one: ClassVar[Library | None] = None

    @classmethod
    def the(cls) -> Library:
        """The one of this kernel."""
        if cls._one is None or cls._one.comm is None:
            cls._one = cls(bokehjs=bokehjs())
        return cls._one


class View(anywidget.AnyWidget):
    """A live view of ``content``.

    Parameters
    ----------
    content : Content
        What it shows.
    busy : callable
        Whether the kernel runs a cell, and so hears nothing.
    """

    _esm = front("front.js") + STEPS + Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
    kind = traitlets.Unicode().tag(sync=True)
    version = traitlets.Unicode(VERSION).tag(sync=True)
    library = traitlets.Unicode("").tag(sync=True)
    # The dashboard that it is part of.
    links = traitlets.Unicode("").tag(sync=True)
    # The class of what stands beside it for where it cannot live.
    still = traitlets.Unicode("").tag(sync=True)
    dark = traitlets.Dict(DARK).tag(sync=True)
    # Made when the state is asked for, so that a page that comes later sees the moment, not the beginning.
    snapshot = traitlets.Any(None).tag(sync=True, to_json=lambda _, view: view._everything())

    def __init__(self, content: Content, busy: Callable[[], bool] = lambda: False) -> None:
        self._lock = content.lock
        self._content = content
        self._busy = busy
        self.feed = Feed()
        library = Library.the().model_id if content.kind in ("chart", "diagram") else ""
        super().__init__(kind=content.kind, library=library, still=f"flower-still-{secrets.token_hex(8)}")
        self.on_msg(self._heard)

    def _everything(self) -> dict[str, Any]:
        with self._lock:
            if self.comm is not None and (changes := self._content.changes()) is not None:
                # Changes are applied once: who has an older snapshot gets them, this one has them in it.
                message, buffers = changes
                self.send({**message, "seq": self.feed.sent(time.monotonic())}, buffers)
            return {"type": "snapshot", "seq": self.feed.sequence, **self._content.snapshot()}

    def push(self, now: float) -> bool:
        """Send what changed, if something did and somebody looks; returns whether a message went out."""
        with self._lock:
            if self.comm is None or not self.feed.may_send(now, busy=self._busy()):
                return False
            changes = self._content.changes()
            if changes is None:
                return False
            message, buffers = changes
            self.send({**message, "seq": self.feed.sent(now)}, buffers)
            return True

    def finish(self, now: float) -> None:
        """Send how it ended, whether somebody looks or not: it is the last message but for answers."""
        with self._lock:
            if self.comm is not None:
                self.feed.sent(now)
                self.send({**self._everything(), "ended": True})

    def tell(self, message: dict[str, Any]) -> None:
        """Send an answer at once: somebody looks, and waits for it."""
        with self._lock:
            if self.comm is not None:
                self.send({**message, "seq": self.feed.sent(time.monotonic())})

    def _heard(self, _: object, message: object, buffers: list[memoryview]) -> None:
        """A message from a front end; it may say anything."""
        if not isinstance(message, dict):
            return
        with self._lock:
            match message:
                case {"type": "ack", "seq": int(sequence)}:
                    self.feed.heard(sequence)
                case {"type": "resync"}:
                    self.feed.heard(self.feed.sequence)
                    self.feed.sent(time.monotonic())
                    self.send(self._everything())
                case {"type": "command", "name": str(name)}:
                    if isinstance(number := message.get("id"), int):
                        # Until it hears that, the front end shows that the click waits.
                        self.send({"type": "taken", "id": number})
                    self._content.command(name, message.get("value"))
                case {"type": "picture", "width": int(width), "height": int(height)} if len(buffers) == 1:
                    png = bytes(buffers[0])
                    sane = 0 < width <= 10_000 and 0 < height <= 10_000 and len(png) <= MOST_PICTURE
                    if sane and png.startswith(PNG):
                        self._content.picture(png, width, height)

    def close(self) -> None:
        """Close its comms; the front end lets the view go."""
        with self._lock:
            if self.comm is not None and self.layout is not None:
                self.layout.close()
            super().close()
