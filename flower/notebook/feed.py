"""When a view may send: numbered messages, acknowledged by who looks, and none where nobody does."""

from __future__ import annotations

from dataclasses import dataclass

PATIENCE = 5.0
"""Seconds without an acknowledgement after which nobody is thought to look."""

BUSY_GAP = 1.0
"""Seconds between messages that nobody acknowledges while the kernel is too busy to hear it."""


@dataclass
class Feed:
    """The numbers of one view's messages. Times are seconds of any clock that does not go back.

    A kernel that runs a cell hears nothing until the cell ends, so silence then means nothing; but as the page may be
    closed all the same, and the server keeps what it cannot deliver, such messages get rare.

    Examples
    --------
    >>> feed = Feed()
    >>> feed.sent(0.0), feed.may_send(1.0, busy=False), feed.may_send(9.0, busy=False)
    (1, True, False)
    >>> feed.heard(1)
    >>> feed.may_send(9.0, busy=False)
    True
    """

    sequence: int = 0
    acknowledged: int = 0
    _waiting_since: float | None = None
    _last: float = float("-inf")

    def may_send(self, now: float, *, busy: bool) -> bool:
        """Whether somebody looks, as far as one can know; ``busy``: the kernel cannot hear."""
        if self._waiting_since is None or now - self._waiting_since <= PATIENCE:
            return True
        return busy and now - self._last >= BUSY_GAP

    def sent(self, now: float) -> int:
        """Count a message, and give its number."""
        self.sequence += 1
        self._last = now
        if self._waiting_since is None:
            self._waiting_since = now
        return self.sequence

    def heard(self, sequence: int) -> None:
        """Somebody has drawn the message of that number, or asks for everything."""
        self.acknowledged = max(self.acknowledged, min(sequence, self.sequence))
        # Messages under way are allowed another `PATIENCE`, from the last one on.
        self._waiting_since = None if self.acknowledged == self.sequence else self._last
