"""Flower: streams explored in Python, after the Dataflow Model."""

import importlib
from typing import TYPE_CHECKING, Any

from flower import datasets
from flower.api import read
from flower.api.cogrouping import cogroup
from flower.api.recordings import record, recordings
from flower.api.replaying import replay
from flower.api.running import run, runs
from flower.api.stream import Stream, concat
from flower.graph import state
from flower.model.calendar import CalendarWindows
from flower.model.combiners import (
    ApproxDistinct,
    ApproxQuantile,
    Combiner,
    Duration,
    Latest,
    MaxBy,
    MinBy,
    Only,
    Quantile,
    Rate,
    Sample,
    Top,
    WeightedMean,
)
from flower.model.custom import WindowFn
from flower.model.triggers import (
    AfterAll,
    AfterAny,
    AfterCount,
    AfterEach,
    AfterProcessingTime,
    AfterWatermark,
    Always,
    Never,
    OrFinally,
    Repeatedly,
    Trigger,
    When,
)
from flower.model.watermarks import (
    BoundedDisorder,
    EarliestOf,
    LatestOf,
    ManualWatermark,
    Monotonic,
    Percentile,
    Punctuated,
)
from flower.model.windows import CountWindows, FixedWindows, GlobalWindows, Sessions, SlidingWindows

if TYPE_CHECKING:
    from flower import teach
    from flower.api.script import to_script
    from flower.charts.dashboard import dashboard
    from flower.notebook.extension import load_ipython_extension, unload_ipython_extension

__all__ = [
    "AfterAll",
    "AfterAny",
    "AfterCount",
    "AfterEach",
    "AfterProcessingTime",
    "AfterWatermark",
    "Always",
    "ApproxDistinct",
    "ApproxQuantile",
    "BoundedDisorder",
    "CalendarWindows",
    "Combiner",
    "CountWindows",
    "Duration",
    "EarliestOf",
    "FixedWindows",
    "GlobalWindows",
    "Latest",
    "LatestOf",
    "ManualWatermark",
    "MaxBy",
    "MinBy",
    "Monotonic",
    "Never",
    "Only",
    "OrFinally",
    "Percentile",
    "Punctuated",
    "Quantile",
    "Rate",
    "Repeatedly",
    "Sample",
    "Sessions",
    "SlidingWindows",
    "Stream",
    "Top",
    "Trigger",
    "WeightedMean",
    "When",
    "WindowFn",
    "cogroup",
    "concat",
    "dashboard",
    "datasets",
    "load_ipython_extension",
    "read",
    "record",
    "recordings",
    "replay",
    "run",
    "runs",
    "state",
    "teach",
    "to_script",
    "unload_ipython_extension",
]

_ON_DEMAND = {
    "dashboard": "flower.charts",
    "to_script": "flower.api.script",
    "load_ipython_extension": "flower.notebook.extension",
    "unload_ipython_extension": "flower.notebook.extension",
}
"""What `import flower` does not load: a name and its module."""


def __getattr__(name: str) -> Any:
    if name == "teach":
        return importlib.import_module("flower.teach")
    if name in _ON_DEMAND:
        return getattr(importlib.import_module(_ON_DEMAND[name]), name)
    raise AttributeError(f"module 'flower' has no attribute {name!r}")
