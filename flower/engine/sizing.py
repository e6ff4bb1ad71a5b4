"""How many rows the next epoch may have, after what the ones before took."""

from __future__ import annotations

ALIKE = 1.5
"""Two epochs tell what one costs by itself if one has so many times the rows of the other."""
SHARE, MOST = 3.0, 4.0
"""Rows may take so many times what an epoch costs by itself, as long as it all takes so many times the latency."""


class Sizing:
    """The rows of an epoch: as many as the latency allows, but enough to be worth what an epoch costs by itself.

    An epoch costs something whatever its rows, such as a look at all that is held. Two epochs of different sizes tell
    how much. Where that is little, an epoch takes as long as the latency says. Where it is not, small epochs would do
    little else, and a backlog would grow: then its rows take up to three times as long as that, within four times the
    latency; and where it alone is beyond these, as long as that.

    Parameters
    ----------
    latency : float
        Seconds that an epoch should take at most.
    rows : int
        Of the first epoch.
    least, most : int
        Rows of any.

    Examples
    --------
    >>> sizing = Sizing(0.1, 16_384, least=1_024, most=1_048_576)
    >>> sizing.after(16_384, 0.001)
    65536
    >>> sizing.after(65_536, 0.2)
    32768
    """

    def __init__(self, latency: float, rows: int, *, least: int, most: int) -> None:
        self.rows = rows
        self._latency, self._least, self._most = latency, least, most
        self._base = 0.0
        self._last = (0, 0.0)

    def after(self, rows: int, seconds: float, most: int | None = None) -> int:
        """The rows of the next epoch, of which ``most`` fit into memory, after one of some rows took some seconds."""
        if rows == 0:
            return self.rows
        seconds = max(seconds, 1e-6)
        self._learn(rows, seconds)
        base, latency = self._base, self._latency
        worth = max(latency - base, base, min(SHARE * base, MOST * latency - base))
        fits = int(rows * min(worth / max(seconds - base, 1e-6), 1e6))
        if rows < self.rows // 2 and fits <= self.rows:
            return self.rows  # there were not more: what it costs by itself weighs too much
        # What one epoch took says little: the size changes by a factor at a time.
        fits = min(fits, 4 * self.rows, self._most, self._most if most is None else most)
        self.rows = max(self._least, self.rows // 2, fits)
        return self.rows

    def _learn(self, rows: int, seconds: float) -> None:
        """What an epoch costs by itself, by this one and the last: at most all that this one took."""
        (fewer, less), (more, longer) = sorted([self._last, (rows, seconds)])
        if fewer and more >= ALIKE * fewer and longer >= less:
            # If others kept the machine busy meanwhile it is wrong, but then the size changes, and it is told anew.
            self._base = max(less - fewer * (longer - less) / (more - fewer), 0.0)
        self._base = min(self._base, seconds)
        self._last = rows, seconds
