"""When a run looks for rows again: at once under backlog, and while its epochs are short; else after a pause that keeps
most of a processor free.
"""

from __future__ import annotations

SHARE, LEAST, MOST = 3.0, 1 / 50, 1 / 4
"""A pause is so many times what the epoch before it took of a processor, but between these parts of the latency."""
QUIET = 1 / 32
"""Or as long as this part of the time in which no row has come: rows that are rare may wait a little more."""
SHORT = 1 / 20
"""Epochs that take no longer than this part of the latency begin as soon as a row is there. Where the processors are
busy, an epoch that takes 1 ms alone often takes 2 and sometimes 3.
"""
CONTENDED = 1.5
"""Others want the interpreter where an epoch goes on for longer than so many times what it takes of a processor."""
SPARED = 0.25
"""Rows that each begin an epoch leave others so many times what it took, of a processor that nobody wants, and `SHARE`
times where others want it. With 1,000 rows/s of which each has a pane (0.7 ms), they wait 0.8 ms by median; 1.3 with
0.5, for then they come too often.
"""


class Rhythm:
    """The pauses of a run whose rows come with time.

    Times are arguments, in seconds. What an epoch took is processor time: where others keep the processors busy, its
    share is what it would be, and rows do not wait three times as long as the others let it wait. An epoch that took
    longer than the one before, each with rows, counts as that one: a garbage collection may have fallen into it.

    Examples
    --------
    >>> rhythm = Rhythm(latency=0.1)
    >>> rhythm.did(5, took=0.001, passed=0.001)
    >>> rhythm.eager, rhythm.rest, rhythm.pause(10.0, rows=5, behind=False)
    (True, 0.00025, 0.003)
    >>> rhythm.pause(10.1, rows=16_384, behind=True)
    0.0
    >>> rhythm.did(5, took=0.001, passed=0.004)
    >>> rhythm.rest
    0.003
    >>> rhythm.pause(99.0, rows=0, behind=False)
    0.025
    """

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._fed = float("-inf")
        self._last = float("inf")
        self._took, self._contended = 0.0, False

    def did(self, rows: int, *, took: float, passed: float) -> None:
        """An epoch of ``rows`` rows took so much of a processor while ``passed`` seconds went by; 0: a look at which
        there were none did.
        """
        self._contended = passed > CONTENDED * took
        self._took = min(took, self._last)
        if rows:
            self._last = took

    @property
    def eager(self) -> bool:
        """Whether epochs are so short that one may begin as soon as a row is there. Longer ones take rows together,
        and leave the interpreter to others between them.
        """
        return self._took <= SHORT * self._latency

    @property
    def rest(self) -> float:
        """Seconds that are left to others after an epoch, so that rows that each begin one never keep a processor busy,
        nor a cell that computes waiting.
        """
        return min((SHARE if self._contended else SPARED) * self._took, MOST * self._latency)

    def pause(self, now: float, *, rows: int, behind: bool, due: float | None = None) -> float:
        """Seconds until the next look, after an epoch of ``rows`` rows; ``behind``: more wait than it could take;
        ``due``: after so many seconds the next row is there, if a source can tell.
        """
        if rows:
            self._fed = now
            if behind:
                return 0.0
        wanted = max(SHARE * self._took, QUIET * (now - self._fed))
        pause = min(max(wanted, LEAST * self._latency), MOST * self._latency)
        return pause if due is None else min(pause, due)
