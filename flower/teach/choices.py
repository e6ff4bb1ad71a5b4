"""What can be changed in a figure, to see what becomes of the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

AS_IT_IS = "as published"

_START = "2000-01-01T12:00:00Z"


def _aligned(delay: str) -> dict[str, Any]:
    return {"kind": "processing_time", "delay": delay, "aligned": True, "align_to": _START}


_COUNT = {"kind": "count", "count": 1}


def _fixed(size: str) -> dict[str, Any]:
    return {"kind": "fixed", "size": size, "offset": "0s", "time": "event"}


def _watermark(early: Any = None, late: Any = None) -> dict[str, Any]:
    return {"kind": "after_watermark", "early": early, "late": late}


CHOICES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "windows": {
        "sessions of 1min": {"windows": {"kind": "sessions", "gap": "1min", "touching_merge": False, "time": "event"}},
        **{size: {"windows": _fixed(size)} for size in ("1min", "2min", "3min", "4min")},
        "all time": {"windows": {"kind": "global", "time": "event"}},
    },
    "trigger": {
        "watermark": {"trigger": _watermark()},
        "watermark, and every late row": {"trigger": _watermark(late=_COUNT)},
        "two minutes after the first row": {
            "trigger": {"kind": "repeatedly", "of": {"kind": "processing_time", "delay": "2min", "aligned": False}}
        },
        "every two minutes": {"trigger": {"kind": "repeatedly", "of": _aligned("2min")}},
        "every minute": {"trigger": {"kind": "repeatedly", "of": _aligned("1min")}},
        "every minute, watermark, every late row": {"trigger": _watermark(_aligned("1min"), _COUNT)},
        "every row": {"trigger": {"kind": "repeatedly", "of": _COUNT}},
    },
    "allowed lateness": {
        lateness: {"allowed_lateness": lateness} for lateness in ("0s", "30s", "1min", "2min", "unbounded")
    },
    "accumulation": {
        "discarding": {"accumulation": "discarding"},
        "accumulating": {"accumulation": "accumulating"},
        "retracting": {"accumulation": "accumulating_and_retracting"},
    },
}
"""Per control, what it can be changed into and the fields of a figure that say so: from little to much."""

ORDERED = frozenset({"windows", "trigger", "allowed lateness"})
"""Controls whose choices are an order, and so can be slid through."""
