"""The oracle's triggers: whether one window fires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flower.model.triggers import AfterCount, Part

if TYPE_CHECKING:
    from flower.model.reference.keyed import Live


def ready(part: Part, live: Live, now: int) -> bool:
    """Whether an early or late part fires a window; never without new pairs."""
    if not live.new:
        return False
    if isinstance(part, AfterCount):
        return len(live.new) >= part.n
    return live.since + part.delay_us <= now
