"""A run as the last line of a cell: how it does, and what it can be told."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import pandas as pd

from flower.charts.plot import FPS
from flower.engine.metrics import StepMetrics
from flower.engine.run import Run
from flower.errors import RunError
from flower.graph.drawing import drawing
from flower.graph.nodes import step_names
from flower.model.time import duration_text
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
            "steps": [
                (self._places[each.step], count_text(each)) for each in run.metrics.steps if each.step in self._places
            ],
        }

    def changes(self) -> Message | None:
        """All but the drawing: it is short."""
        self._sample()
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

    def still(self) -> dict[str, Any] | None:
        """Its numbers as HTML, once it is over."""
        if not over(self.run):
            return None
        rows = "".join(
            f'<tr><td style="text-align: left">{text_html(name)}</td>'
            f'<td style="text-align: left">{text_html(value)}</td></tr>'
            for name, value in facts_of(self.run)
        )
        head = f"<b>{text_html(self.run.name)}</b> {text_html(self.run.state)}"
        return {"text/html": f"<div>{head}</div><table><tbody>{rows}</tbody></table>", "text/plain": repr(self.run)}


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
