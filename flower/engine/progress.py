"""What somebody who waits is shown: a run's numbers, and how far it is; nothing if it does not take long."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from flower.engine.metrics import Metrics

FIRST, REFRESH = 0.5, 0.1
"""Seconds before the first look, and between two."""


class Display(Protocol):
    """Where progress is shown."""

    def show(self, name: str, metrics: Metrics) -> None:
        """Show the numbers of the moment."""

    def close(self) -> None:
        """It is over."""


class Terminal:
    """A table below the prompt that is gone when it is over."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live: Any = Live(console=Console(stderr=True), auto_refresh=False, transient=True)
        self._live.start()

    def show(self, name: str, metrics: Metrics) -> None:
        """Draw it anew."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        bar = "" if metrics.share is None else ProgressBar(1.0, metrics.share, width=40)
        table.add_row(Text(name, style="bold"), bar)
        for term, value in metrics.lines():
            table.add_row(Text(term, style="dim"), Text(value))
        self._live.update(table, refresh=True)

    def close(self) -> None:
        """Take it away."""
        self._live.stop()


def terminal() -> Display | None:
    """The terminal, if there is one."""
    return Terminal() if sys.stderr.isatty() else None


_display: Callable[[], Display | None] = terminal


def use(display: Callable[[], Display | None] | None) -> None:
    """Show progress elsewhere than in a terminal; None: there again."""
    global _display
    _display = display or terminal


class Progress:
    """The progress of what is waited for; `tick` is called often, by the thread that waits.

    Parameters
    ----------
    name : str
        What is waited for.
    metrics : callable
        Its numbers of the moment.
    clock : callable
        What tells the time, in seconds.
    """

    def __init__(self, name: str, metrics: Callable[[], Metrics], clock: Callable[[], float] = time.monotonic) -> None:
        self._name, self._metrics, self._clock = name, metrics, clock
        self._due = clock() + FIRST
        self._shown: Display | None = None
        self._asked = False

    def tick(self) -> None:
        """Show it, if it is time to."""
        now = self._clock()
        if now < self._due:
            return
        self._due = now + REFRESH
        if not self._asked:
            self._asked, self._shown = True, _display()
        if self._shown is not None:
            self._shown.show(self._name, self._metrics())

    def close(self) -> None:
        """Show it no more."""
        if self._shown is not None:
            self._shown.close()
            self._shown = None


def wait(done: threading.Event, timeout: float | None, progress: Progress | None) -> bool:
    """`Event.wait` in pieces, so that Ctrl-C is heard on every platform; shows progress meanwhile."""
    left = float("inf") if timeout is None else timeout
    try:
        while left > 0:
            if done.wait(min(REFRESH, left)):
                return True
            left -= REFRESH
            if progress is not None:
                progress.tick()
        return done.is_set()
    finally:
        if progress is not None:
            progress.close()
