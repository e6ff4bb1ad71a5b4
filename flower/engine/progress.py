"""A run's numbers in a terminal, live while somebody waits for it."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flower.engine.run import Run

REFRESH = 0.1
"""Seconds between two looks."""


def show_until(run: Run, done: threading.Event, timeout: float | None) -> bool:
    """Wait for ``done``, at most ``timeout`` seconds; show the run meanwhile if standard error is a terminal."""
    if done.wait(0.2 if timeout is None else min(0.2, timeout)):
        # What takes no time needs no display.
        return True
    if not sys.stderr.isatty():
        return _wait(done, timeout)
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), get_renderable=lambda: _table(run), refresh_per_second=1 / REFRESH) as live:
        ended = _wait(done, timeout)
        live.refresh()
    return ended


def _wait(done: threading.Event, timeout: float | None) -> bool:
    """`Event.wait` in pieces, so that Ctrl-C is heard on every platform."""
    left = float("inf") if timeout is None else timeout
    while left > 0:
        if done.wait(min(REFRESH, left)):
            return True
        left -= REFRESH
    return done.is_set()


def _table(run: Run) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_row(Text(run.name, style="bold"), Text(run.state))
    for name, value in run.metrics.lines():
        table.add_row(Text(name, style="dim"), Text(value))
    return table
