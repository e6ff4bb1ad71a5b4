"""A run as the last line of a cell: how it does, and what it can be told."""

from __future__ import annotations

import base64
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from html import escape
from typing import Any, cast
from xml.etree import ElementTree

import pandas as pd

from flower.charts.plot import FPS
from flower.charts.texts import MISSING, short
from flower.engine.metrics import StepMetrics
from flower.engine.open_windows import OpenWindow
from flower.engine.run import Run
from flower.engine.why import instant
from flower.errors import FlowerError, RunError
from flower.graph.drawing import drawing
from flower.graph.nodes import step_names
from flower.model.time import MAX_TIME, duration_text
from flower.notebook.markup import text_html
from flower.notebook.showing import Live, over
from flower.notebook.view_widget import Message

LIVE_LAG = pd.Timedelta("7D")
"""A watermark that is further behind the clock belongs to a replay, whose distance from now says nothing."""

COMMANDS = {
    "running": ("pause", "drain", "stop"),
    "paused": ("resume", "step", "firing", "drain", "stop"),
    "stepping": ("pause", "stop"),
}
"""The buttons that do something in a state."""

SAMPLE = 0.5
"""Seconds between two points of the line of rows a second."""
SAMPLES = 120

LISTED = 8
"""Open windows that are listed of each step, those that end first."""
LOOK = 1.0
"""Seconds between two looks at what is open."""


class RunView(Live):
    """A live view of a run.

    Parameters
    ----------
    run : Run
        The run.
    fps : float
        Updates a second, at most.
    clock : callable
        What tells the time, in seconds.
    """

    kind = "run"

    def __init__(self, run: Run, fps: float = FPS, clock: Callable[[], float] = time.monotonic) -> None:
        self._sent: object = None
        self._clock = clock
        self._rates: deque[float] = deque(maxlen=SAMPLES)
        self._sampled = (clock(), run.metrics.rows_in)
        self._listing = False
        self._windows: dict[str, tuple[str, OpenWindow]] = {}
        self._listed: list[tuple[str, str]] | None = None
        self._looked: tuple[object, float] = (None, float("-inf"))
        self._looker: threading.Thread | None = None
        self._said: list[str] = []
        super().__init__(run, owned=False, fps=fps)
        self._places = {name: at for at, name in enumerate(step_names(run.outputs).values())}

    def __repr__(self) -> str:
        return repr(self.run)

    def snapshot(self) -> dict[str, Any]:
        """What changes, and the drawn steps."""
        return {**self._told(), "graph": drawing(self.run.outputs, counted=True)}

    def _told(self) -> dict[str, Any]:
        """Names and numbers as texts; the steps by their place in the drawing."""
        run = self.run
        state = "stepping" if run.stepping else run.state
        return {
            "name": run.name,
            "state": state,
            "facts": facts_of(run),
            "commands": list(COMMANDS.get(state, ())),
            "share": run.metrics.share,
            "speed": run.speed if run.paced else None,
            "rates": [round(rate, 1) for rate in self._rates],
            "windowed": bool(run._driver.job.keyed),
            "windows": self._listed if self._listing else None,
            "said": self._said,
            "steps": [
                (self._places[each.step], count_text(each)) for each in run.metrics.steps if each.step in self._places
            ],
        }

    def changes(self) -> Message | None:
        """All but the drawing: it is short."""
        self._sample()
        self._look_soon()
        made = self._told()
        if made == self._sent:
            return None
        self._sent = made
        return {"type": "update", **made}, []

    def _sample(self) -> None:
        """Note how many rows a second came, while it runs."""
        now, rows = self._clock(), self.run.metrics.rows_in
        before, had = self._sampled
        if now - before >= SAMPLE:
            self._sampled = (now, rows)
            if self.run.state == "running":
                self._rates.append((rows - had) / (now - before))

    def command(self, name: str, value: object) -> None:
        """Do what a button says; most wait for an epoch, so not in the kernel's own thread."""
        run = self.run
        if name == "windows":
            self._listing = value is True
            self._look_soon()
            return
        if name == "why":
            if self._listing and isinstance(value, str) and value in self._windows:
                asks = self._windows[value]
                threading.Thread(target=self._explain, args=asks, name="flower-why", daemon=True).start()
            return
        if name == "speed":
            if run.paced and not over(run):
                with contextlib.suppress(RunError):
                    run.speed = cast("float", value)
            return
        told: dict[str, Callable[[], object]] = {
            "pause": run.pause,
            "resume": run.resume,
            "step": run.step,
            "firing": lambda: run.step(until="firing"),
            "drain": run.drain,
            "stop": run.stop,
        }
        if name in COMMANDS.get("stepping" if run.stepping else run.state, ()):
            threading.Thread(target=_quietly, args=(told[name],), name=f"flower-{name}", daemon=True).start()

    # -- its open windows

    def _look_soon(self) -> None:
        """See what is open, beside this thread: workers may have to be asked, and what is held may be large."""
        moment, (seen, due) = self.run.metrics.epochs, self._looked
        idle = self._looker is None or not self._looker.is_alive()
        if self._listing and moment != seen and self._clock() >= due and idle:
            self._looker = threading.Thread(target=self._look, args=(moment,), name="flower-look", daemon=True)
            self._looker.start()

    def _look(self, moment: int) -> None:
        began = self._clock()
        driver, found = self.run._driver, []
        for index, step in driver.job.keyed.items():
            found += [(index, step.name, one) for one in driver.open_windows(index, LISTED) or ()]
        several = len(driver.job.keyed) > 1
        windows = {f"{index}:{one.start}:{one.end}": (name, one) for index, name, one in found}
        listed = [(id_, f"{name}: " * several + window_text(one)) for id_, (name, one) in windows.items()]
        with self.lock:
            self._windows, self._listed = windows, listed
            took = self._clock() - began
            self._looked = moment, began + max(LOOK, self.share * took)

    def _explain(self, step: str, one: OpenWindow) -> None:
        """Say what a window waits for, for its key with the most rows."""
        try:
            window = instant(one.start), instant(one.end)
            # A missing key alone would mean none.
            alone = one.key is not None and len(one.key) == 1 and one.key[0] is not None
            said = list(self.run.why(one.key[0] if alone else one.key, window, step=step).reasons)  # type: ignore[index]
        except FlowerError as error:
            said = [str(error)]
        with self.lock:
            self._said = said
            if self._view is not None and not self.closed:
                self._view.tell({"type": "update", **self._told()})

    def still(self) -> dict[str, Any] | None:
        """Its numbers as HTML, once it is over."""
        if not over(self.run):
            return None
        return {"text/html": self.look(), "text/plain": repr(self.run)}

    def look(self) -> str:
        """Its numbers, and the steps with what they counted, as a picture."""
        rows = "".join(
            f'<tr><td style="text-align: left">{text_html(name)}</td>'
            f'<td style="text-align: left">{text_html(value)}</td></tr>'
            for name, value in facts_of(self.run)
        )
        head = f"<b>{text_html(self.run.name)}</b> {text_html(self.run.state)}"
        table = f"<table><tbody>{rows}</tbody></table>"
        steps = f"<details open><summary>Steps</summary>{self._picture()}</details>"
        return f'<div>{head}</div><div style="display: flex; gap: 28px; flex-wrap: wrap">{table}{steps}</div>'

    def _picture(self) -> str:
        svg = ElementTree.fromstring(drawing(self.run.outputs, counted=True))
        places = svg.findall(".//*[@class='flower-step']")
        for each in self.run.metrics.steps:
            at = self._places.get(each.step)
            count = None if at is None else places[at].find("*[@class='flower-count']")
            if count is not None:
                count.text = count_text(each)
        data = base64.b64encode(ElementTree.tostring(svg)).decode()
        # As an image it has no scripts, and none of the page's colours: it brings its paper.
        style = "background: #fff; padding: 4px; max-width: 100%; max-height: 340px"
        return f'<img alt="{escape(svg.get("aria-label", ""))}" style="{style}" src="data:image/svg+xml;base64,{data}">'


def _quietly(do: Callable[[], object]) -> None:
    """What fails then is shown by the run's state; two clicks may have raced."""
    with contextlib.suppress(Exception):
        do()


def count_text(step: StepMetrics) -> str:
    """What a step has seen, for its place in the drawing.

    Examples
    --------
    >>> count_text(StepMetrics("agg-1", on_time=1200, late=3, groups=5))
    '1,203 pairs, 3 late, 5 open'
    """
    if step.rows or not (step.on_time or step.late or step.dropped or step.groups):
        return f"{step.rows:,} rows" if step.rows else ""
    told = [f"{step.on_time + step.late + step.dropped:,} pairs"]
    told += [
        f"{count:,} {what}"
        for what, count in (("late", step.late), ("dropped", step.dropped), ("open", step.groups))
        if count
    ]
    return ", ".join(told)


def window_text(one: OpenWindow) -> str:
    """An open window as a person reads it.

    Examples
    --------
    >>> hour = 3_600_000_000
    >>> window_text(OpenWindow(0, hour, 2, 1200, ("a",), 1000))
    '1970-01-01 00:00 to 01:00 · 2 keys · 1,200 rows since its last pane · most of a'
    """
    if one.end == MAX_TIME:
        window = "all time"
    else:
        start, end = (pd.Timestamp(us, unit="us") for us in (one.start, one.end))
        clock = "%H:%M" if start == start.floor("min") and end == end.floor("min") else "%H:%M:%S"
        day = "" if start.normalize() == end.normalize() else "%Y-%m-%d "
        window = f"{start:%Y-%m-%d {clock}} to {end.strftime(day + clock)}"
    told = [window]
    if one.key is not None:
        told.append("1 key" if one.keys == 1 else f"{one.keys:,} keys")
    told.append(f"{one.rows:,} rows since its last pane")
    if one.key is not None:
        key = ", ".join(MISSING if part is None else str(part) for part in one.key)
        told.append(f"{'of' if one.keys == 1 else 'most of'} {short(key)}")
    return " · ".join(told)


def facts_of(run: Run) -> list[tuple[str, str]]:
    """Its numbers as a person reads them."""
    facts = run.metrics.lines()
    behind = pd.Timestamp.now("UTC") - run.watermark
    if not over(run) and pd.notna(behind) and behind < LIVE_LAG:
        at = [name for name, _ in facts].index("watermark") + 1
        facts.insert(at, ("lag", duration_text(max(0, round(behind.total_seconds() * 10)) * 100_000)))
    if run.error is not None:
        facts.append(("error", f"{type(run.error).__name__}: {run.error}"))
    return facts
