"""Flower: streams explored in Python, after the Dataflow Model."""

from flower import datasets
from flower.api import read
from flower.api.replaying import replay
from flower.api.running import run
from flower.api.script import to_script
from flower.api.stream import Stream, concat
from flower.model.triggers import AfterCount, AfterProcessingTime, AfterWatermark
from flower.model.watermarks import BoundedDisorder, ManualWatermark, Monotonic
from flower.model.windows import FixedWindows, GlobalWindows, Sessions, SlidingWindows

__all__ = [
    "AfterCount",
    "AfterProcessingTime",
    "AfterWatermark",
    "BoundedDisorder",
    "FixedWindows",
    "GlobalWindows",
    "ManualWatermark",
    "Monotonic",
    "Sessions",
    "SlidingWindows",
    "Stream",
    "concat",
    "datasets",
    "read",
    "replay",
    "run",
    "to_script",
]
