"""A run as the last line of a cell: how it does, and what it can be told."""

from __future__ import annotations

import threading
from typing import Any

import pandas as pd

from flower.charts.plot import FPS
from flower.engine.run import Run
from flower.model.time import duration_text
from flower.notebook.markup import text_html
from flower.notebook.showing import Live, over
from flower.notebook.view_widget import Message

LIVE_LAG = pd.Timedelta("7D")
"""A watermark that is further behind the clock belongs to a replay, whose distance from now says nothing."""

COMMANDS = {"running": ("pause", "stop"), "paused": ("resume", "stop")}


class RunView(Live):
    """A live view of a run."""

    kind = "run"

    def __init__(self, run: Run, fps: float = FPS) -> None:
        self._sent: object = None
        super().__init__(run, owned=False, fps=fps)

    def __repr__(self) -> str:
        return repr(self.run)

    def snapshot(self) -> dict[str, Any]:
        """Names and numbers as texts."""
        run = self.run
        return {
            "name": run.name,
            "state": run.state,
            "facts": facts_of(run),
            "commands": list(COMMANDS.get(run.state, ())),
        }

    def changes(self) -> Message | None:
        """All of it: it is short."""
        made = self.snapshot()
        if made == self._sent:
            return None
        self._sent = made
        return {"type": "snapshot", **made}, []

    def command(self, name: str) -> None:
        """Pause, resume or stop; each waits for the epoch, so not in the kernel's own thread."""
        run = self.run
        told = {"pause": run.pause, "resume": run.resume, "stop": run.stop}
        if name in COMMANDS.get(run.state, ()):
            threading.Thread(target=told[name], name=f"flower-{name}", daemon=True).start()

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
