"""Why a window waits, in words and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flower.engine.job import SourceState
from flower.engine.keyed import Keyed
from flower.errors import RunError
from flower.graph.nodes import Read
from flower.model.time import MIN_TIME, duration_text, instant_text, instant_us, later_by

if TYPE_CHECKING:
    from flower.engine.embedded import Driver


def why(driver: Driver, key: object, window: object) -> str:
    """The answer for the keyed steps of a run."""
    if not driver.job.keyed:
        raise RunError(
            "why() is about windows", got="a run without a windowed aggregation", hint="ask a run with .agg(...)"
        )
    state, told = driver.seen, []
    for index, step in driver.job.keyed.items():
        watermark = min(state.watermarks[i] for i in driver.job.stages[index].inputs)
        told.append(f"step {step.name!r}: its watermark is {instant_text(watermark)}.")
        if window is not None:
            told.append(_of_window(step, watermark, key, instant_us(window, "window")))
    for index, source in state.sources.items():
        read = driver.job.stages[index].origin
        assert isinstance(read, Read)
        told.append(_of_source(read, source))
    return "\n".join(told)


def _of_window(step: Keyed, watermark: int, key: object, end: int) -> str:
    subject = f"The window that ends at {instant_text(end)}" + ("" if key is None else f", key {key!r},")
    closes = later_by(end, step.windowing.allowed_lateness_us)
    if watermark == MIN_TIME:
        return f"{subject} fires on time when the watermark reaches its end; no row has moved it yet."
    if watermark < end:
        left = duration_text(end - watermark)
        return f"{subject} fires on time when the watermark reaches its end, {left} from now in event time."
    if watermark < closes:
        return f"{subject} has fired on time; it admits late rows until the watermark reaches {instant_text(closes)}."
    return f"{subject} has expired."


def _of_source(read: Read, source: SourceState) -> str:
    """Which partition holds the watermark back."""
    open_ = [
        (estimate, name)
        for estimate, over, name in zip(source.estimates, source.ended, read.source.partitions(), strict=True)
        if not over
    ]
    if not open_:
        return f"source {read.source.label} has ended."
    estimate, name = min(open_, key=lambda each: each[0].watermark)
    return (
        f"source {read.source.label}: partition {name!r} holds the watermark at {instant_text(estimate.watermark)}"
        f" ({read.watermark!r}; its newest row is of {instant_text(estimate.newest)})."
    )
