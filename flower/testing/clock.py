"""A clock that moves only when told."""

from __future__ import annotations

from flower.errors import GraphError
from flower.model.time import Duration, duration_us, instant_text, instant_us


class ManualClock:
    """Processing time for tests: give it to ``run(clock=...)`` and move it by hand.

    Parameters
    ----------
    start : str or pandas.Timestamp
        What it shows at first.

    Examples
    --------
    >>> clock = ManualClock("2000-01-01T12:00:00Z")
    >>> clock.advance("90s")
    >>> clock
    ManualClock('2000-01-01T12:01:30Z')
    """

    def __init__(self, start: object = "2000-01-01T00:00:00Z") -> None:
        self._now = instant_us(start, "start")

    def now_us(self) -> int:
        """Processing time in microseconds since 1970 UTC."""
        return self._now

    def advance(self, by: Duration) -> None:
        """Move it forward by a duration."""
        self._now += duration_us(by, "by")

    def set(self, to: object) -> None:
        """Move it forward to an instant.

        Raises
        ------
        GraphError
            If that is earlier than what it shows.
        """
        after = instant_us(to, "to")
        if after < self._now:
            raise GraphError(
                "a clock cannot go back",
                got=f"{instant_text(after)} after {instant_text(self._now)}",
                hint="start a new one",
            )
        self._now = after

    def __repr__(self) -> str:
        return f"ManualClock('{instant_text(self._now)}')"
