"""Short turns of the interpreter while a run goes on, so that it is not kept waiting by a cell that computes.

An epoch lets go of the interpreter's lock dozens of times, in NumPy and Arrow, and to get it back from pure Python
takes Python's switch interval each time, 5 ms. Measured with 1,000 rows/s and a thread in pure Python (two cores, other
work on them): panes after 51-66 ms by median with 5 ms, 40-52 with 1 ms, 26-42 with 0.3 ms, 34-48 with 0.1 ms, 21-22
without that thread; it got as far with 0.3 ms as with 5 ms, within the noise.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 0.0003

_lock = threading.Lock()
_runs = 0
_before = _ours = 0.0


@contextmanager
def short_turns() -> Iterator[None]:
    """Lower the switch interval until the last of those inside has left; one that is set meanwhile stays."""
    global _runs, _before, _ours
    with _lock:
        _runs += 1
        if _runs == 1:
            _before = sys.getswitchinterval()
            sys.setswitchinterval(min(_before, SECONDS))
            _ours = sys.getswitchinterval()
    try:
        yield
    finally:
        with _lock:
            _runs -= 1
            if _runs == 0 and sys.getswitchinterval() == _ours:
                sys.setswitchinterval(_before)
