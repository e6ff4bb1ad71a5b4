"""One thread that keeps all live views of a kernel up to date; there while something is live."""

from __future__ import annotations

import logging
import threading
import time
from typing import Protocol

log = logging.getLogger(__name__)


class Ticking(Protocol):
    """What wants to be asked now and then."""

    def tick(self, now: float) -> float | None:
        """Do what is due; the seconds to wait before the next call, None: no more."""


class Ticker:
    """Calls each item's `tick` when it is due.

    Examples
    --------
    >>> class Once:
    ...     def tick(self, now):
    ...         print("ticked")
    >>> Ticker().add(Once()).join()
    ticked
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: dict[Ticking, float] = {}
        self._thread: threading.Thread | None = None

    def add(self, item: Ticking) -> threading.Thread:
        """Ask ``item`` from now on, at once first."""
        with self._changed:
            self._due[item] = time.monotonic()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="flower-live", daemon=True)
                self._thread.start()
            self._changed.notify()
            return self._thread

    def discard(self, item: Ticking) -> None:
        """Ask ``item`` no more."""
        with self._changed:
            self._due.pop(item, None)
            self._changed.notify()

    def _next(self) -> Ticking | None:
        """Wait for the item that is due; None: there is none left, and the thread ends."""
        with self._changed:
            while self._due:
                item = min(self._due, key=self._due.__getitem__)
                left = self._due[item] - time.monotonic()
                if left <= 0:
                    return item
                self._changed.wait(left)
            self._thread = None
            return None

    def _work(self) -> None:
        while (item := self._next()) is not None:
            try:
                pause = item.tick(time.monotonic())
            except Exception:
                # One view's trouble must not stop the others.
                log.exception("a live view was given up")
                pause = None
            with self._changed:
                if item not in self._due:
                    continue
                if pause is None:
                    del self._due[item]
                else:
                    self._due[item] = time.monotonic() + pause
