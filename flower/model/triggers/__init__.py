"""When in processing time: a window's panes fire by the watermark, by a clock, by counts, or by what the data says."""

from flower.model.triggers.base import Asked, Machine, Marks, Trigger
from flower.model.triggers.combined import AfterAll, AfterAny, AfterEach, OrFinally, Repeatedly
from flower.model.triggers.leaves import AfterCount, AfterProcessingTime, Always, Never, When
from flower.model.triggers.top import Finishing, machine_of
from flower.model.triggers.watermark import ON_TIME_ONLY, AfterWatermark

__all__ = [
    "ON_TIME_ONLY",
    "AfterAll",
    "AfterAny",
    "AfterCount",
    "AfterEach",
    "AfterProcessingTime",
    "AfterWatermark",
    "Always",
    "Asked",
    "Finishing",
    "Machine",
    "Marks",
    "Never",
    "OrFinally",
    "Repeatedly",
    "Trigger",
    "When",
    "machine_of",
]
