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


class Rhythm:
    """The pauses of a run whose rows come with time.

    Times are arguments, in seconds. What an epoch took is processor time: where others keep the processors busy, its
    share is what it would be, and rows do not wait three times as long as the others let it wait.

    Examples
    --------
    >>> rhythm = Rhythm(latency=0.1)
    >>> rhythm.pause(10.0, took=0.001, rows=5, behind=False)
    0.003
    >>> rhythm.pause(10.1, took=0.001, rows=16_384, behind=True)
    0.0
    >>> rhythm.pause(99.0, took=0.0, rows=0, behind=False)
    0.025
    >>> rhythm.eager(took=0.002), rhythm.eager(took=0.01)
    (True, False)
    >>> rhythm.rest(took=0.001, passed=0.001), rhythm.rest(took=0.001, passed=0.004)
    (0.001, 0.003)
    """

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._fed = float("-inf")

    def eager(self, took: float) -> bool:
        """Whether epochs are so short that one may begin as soon as a row is there. Longer ones take rows together,
        and leave the interpreter to others between them.
        """
        return took <= SHORT * self._latency

    def rest(self, *, took: float, passed: float) -> float:
        """Seconds that are left to others after an epoch that took so much of a processor while ``passed`` seconds went
        by: as many, so that rows that each begin an epoch never keep a processor busy; three times as many where others
        wanted it too, such as a cell that computes.
        """
        return min((SHARE if passed > CONTENDED * took else 1.0) * took, MOST * self._latency)

    def pause(self, now: float, *, took: float, rows: int, behind: bool, due: float | None = None) -> float:
        """Seconds until the next look, after an epoch of ``rows`` rows; ``behind``: more wait than it could take;
        ``due``: after so many seconds the next row is there, if a source can tell.
        """
        if rows:
            self._fed = now
            if behind:
                return 0.0
        wanted = max(SHARE * took, QUIET * (now - self._fed))
        pause = min(max(wanted, LEAST * self._latency), MOST * self._latency)
        return pause if due is None else min(pause, due)
