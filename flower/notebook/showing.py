"""What all live views have in common: a run that they follow, a widget where they are shown, an end."""

from __future__ import annotations

import base64
import itertools
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

from flower.charts.plot import FPS
from flower.engine.run import Run
from flower.errors import FlowerError
from flower.notebook.ticker import Ticker
from flower.notebook.view_widget import Message, View

if TYPE_CHECKING:
    import pandas as pd

SHARE = 12
"""How many times what an update took is waited before the next: a large view is drawn less often, and drawing
takes less than a tenth of a processor."""

KEPT = 10.0
"""Seconds between two pictures of a live view that are kept with the notebook, beside it."""

NOTHING = {"text/plain": ""}

WIDGET = "application/vnd.jupyter.widget-view+json"

ticker = Ticker()
_numbers = itertools.count(1)


class Screen:
    """Where views are shown: the notebook, once Flower is loaded into it."""

    def busy(self) -> bool:
        """Whether a cell runs."""
        return False

    def publish(self, data: dict[str, Any], metadata: dict[str, Any], display_id: str, update: bool) -> None:
        """Show a bundle, or replace what has that id."""

    def made(self, live: Any) -> None:
        """Called with what a cell made, so that it goes when the cell runs again."""


screen = Screen()


def use(other: Screen | None) -> None:
    """Show what is live on ``other``; None: nowhere."""
    global screen
    screen = other if other is not None else Screen()


def bundle_of(widget: Any, text: str) -> dict[str, Any]:
    """A widget as what a cell shows."""
    return {"text/plain": text, WIDGET: {"version_major": 2, "version_minor": 1, "model_id": widget.model_id}}


def beside(view: View, html: str) -> dict[str, Any]:
    """What stands below a widget and is seen where it cannot live: its page hides it (view_widget.js)."""
    return {"text/html": f'<div class="flower-still {view.still}">{html}</div>', "text/plain": ""}


def picture_html(png: bytes, width: int, height: int, title: str) -> str:
    """A picture in HTML."""
    data = base64.b64encode(png).decode()
    size = f'width="{width}" height="{height}" style="max-width: 100%; height: auto"'
    return f'<img alt="{escape(title)}" {size} src="data:image/png;base64,{data}">'


def number() -> int:
    """Another one for each thing that is shown."""
    return next(_numbers)


def over(run: Run) -> bool:
    """Whether nothing will come any more."""
    return run.state not in ("running", "paused")


class Live(ABC):
    """Something shown of a run that follows it.

    Parameters
    ----------
    run : Run
        What it follows.
    owned : bool
        Whether the run was started for it, and ends with it.
    fps : float
        Updates a second, at most.

    Attributes
    ----------
    within : callable
        Told of what stands in its place when it is over: the dashboard that shows it.
    kept_within : callable
        Told how it looks, when that changes: the same.
    """

    kind: str
    share = SHARE

    def __init__(self, run: Run, *, owned: bool, fps: float = FPS) -> None:
        if isinstance(fps, bool) or not isinstance(fps, (int, float)) or not 0 < fps <= 60:
            raise FlowerError("`fps` must be a number above 0, at most 60", got=repr(fps))
        self.run = run
        self.lock = threading.RLock()
        self.closed = False
        self._owned = owned
        self._fps = fps
        self._view: View | None = None
        self._shown: list[str] = []
        self.within: Callable[[Live, dict[str, Any]], None] | None = None
        self.kept_within: Callable[[Live, str], None] | None = None
        self._beside: list[str] = []
        self._pixels = self._kept = ""
        self._due = self._keep_due = float("-inf")
        screen.made(self)

    # -- what the kinds say

    @abstractmethod
    def snapshot(self) -> dict[str, Any]:
        """All of it, for the front end."""

    @abstractmethod
    def changes(self) -> Message | None:
        """What changed since the last call."""

    @abstractmethod
    def still(self) -> dict[str, Any] | None:
        """What stands in its place when it is over; None: what the front end makes of it."""

    def command(self, name: str, value: object) -> None:  # noqa: B027  # most have none
        """A button was pressed, or something chosen."""

    def look(self) -> str:
        """How it looks now, as HTML that needs neither kernel nor widgets."""
        return self._pixels

    def picture(self, png: bytes, width: int, height: int) -> None:
        """How it looks in a page, as PNG."""
        with self.lock:
            if not self.closed:
                self._pixels = picture_html(png, width, height, str(getattr(self, "title", self.kind)))
                self._keep()

    def let_go(self) -> None:  # noqa: B027  # most hold nothing
        """Free what it holds; nobody will ask for it again."""

    # -- showing it

    @property
    def view(self) -> View | None:
        """Its widget, while there is one."""
        return self._view

    def show(self) -> None:
        """Show it below the cell."""
        with self.lock:
            still = self.still() if over(self.run) else None
            if still is not None:
                screen.publish(still, {}, f"flower-{number()}", update=False)
                return
            name = f"flower-{number()}"
            if self._view is None or not over(self.run):
                # What is shown again after the end stays a widget: somebody wants to look closer.
                self._shown.append(name)
            view = self.widget()
            screen.publish(bundle_of(view, repr(self)), {}, name, update=False)
            self._beside.append(name)
            screen.publish(beside(view, self.look()), {}, f"{name}-kept", update=False)

    def widget(self) -> View:
        """Its widget, which follows the run from now on."""
        with self.lock:
            if self._view is None:
                self._view = View(self, screen.busy)
                if not over(self.run):
                    ticker.add(self)
            return self._view

    def tick(self, now: float) -> float | None:
        """Send what changed; at the run's end what stays. None: that was it."""
        ended = over(self.run)
        with self.lock:
            if self.closed or self._view is None:
                return None
            if ended:
                self._view.finish(now)
                still = self.still()
                if still is not None:
                    self.replace(still)
                return None
            if now >= self._due:
                # The time of this thread alone: that a cell computes makes no update dearer.
                began = time.thread_time()
                if self._view.push(now) and now >= self._keep_due:
                    # Only what somebody looks at: a server keeps what it cannot deliver.
                    self._keep_due = now + KEPT
                    self._keep()
                self._due = now + self.share * (time.thread_time() - began)
        return 1 / self._fps

    def _keep(self) -> None:
        """Let what stands beside it show how it now looks."""
        html = self.look()
        if self._view is None or html == self._kept:
            return
        self._kept = html
        for name in self._beside:
            screen.publish(beside(self._view, html), {}, f"{name}-kept", update=True)
        if self.kept_within is not None:
            self.kept_within(self, html)

    def replace(self, bundle: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        """Put a bundle in the place of the widget wherever it is shown."""
        for name in self._shown:
            screen.publish(bundle, metadata or {}, name, update=True)
            screen.publish(NOTHING, {}, f"{name}-kept", update=True)
            self._beside.remove(name)
        self._shown = []
        if self.within is not None:
            self.within(self, bundle)

    def stop(self) -> None:
        """Stop the run; what is shown stays as it then is."""
        self.run.stop()

    def close(self) -> None:
        """Show it no more, and stop the run that was started for it."""
        ticker.discard(self)
        with self.lock:
            if self.closed:
                return
            self.closed = True
            if self._view is not None:
                self._view.close()
                self._view = None
            self.let_go()
        if self._owned:
            self.run.stop()

    def about(self) -> dict[str, Any]:
        """The line below it: how the run does, and whether that is a problem."""
        run, numbers = self.run, self.run.metrics
        if run.error is not None:
            return {"note": f"{run.name} failed: {run.error}", "problem": True}
        said = [f"{run.name} {run.state}", f"{numbers.rows_in:,} rows"]
        said += [f"watermark {value}" for name, value in numbers.lines() if name == "watermark" and not over(run)]
        if numbers.dropped:
            said.append(f"{numbers.dropped:,} dropped")
        return {"note": " · ".join(said), "problem": False}


def view_frame(run: Run, step: str | None) -> pd.DataFrame:
    """The view of the output ``step`` of a run, or of its only one.

    Raises
    ------
    FlowerError
        If the run has several outputs and none has that name.
    """
    results = run.results
    if not isinstance(results, dict):
        return results
    if step not in results:
        raise FlowerError(
            "the run has several outputs, and none is this stream",
            got=f"{step!r} beside {', '.join(results)}",
            hint="name the stream before the run starts: .named('large')",
        )
    return results[step]
