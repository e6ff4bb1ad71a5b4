"""Why a window waits, in words and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flower.errors import RunError
from flower.graph.nodes import Read
from flower.model.time import MAX_TIME, MIN_TIME, duration_text, instant_text, instant_us, later_by

if TYPE_CHECKING:
    from flower.engine.embedded import Driver


def why(driver: Driver, key: object, window: object) -> str:
    """The answer for the keyed steps of a run."""
    if not driver.job.keyed:
        raise RunError(
            "why() is about windows", got="a run without a windowed aggregation", hint="ask a run with .agg(...)"
        )
    state = driver.state
    told = []
    for index, step in driver.job.keyed.items():
        watermark = min(state.watermarks[i] for i in driver.job.stages[index].inputs)
        told.append(f"step {step.name!r}: its watermark is {instant_text(watermark)}.")
        if window is not None:
            end = instant_us(window, "window")
            closes = later_by(end, step.windowing.allowed_lateness_us)
            subject = f"The window that ends at {instant_text(end)}" + ("" if key is None else f", key {key!r},")
            if watermark == MIN_TIME:
                told.append(f"{subject} fires on time when the watermark reaches its end; no row has moved it yet.")
            elif watermark < end:
                told.append(
                    f"{subject} fires on time when the watermark reaches its end, {duration_text(end - watermark)} from now in event time."
                )
            elif watermark < closes:
                told.append(
                    f"{subject} has fired on time; late rows are admitted until the watermark reaches {instant_text(closes)}."
                )
            else:
                told.append(f"{subject} has expired.")
    for index, source in state.sources.items():
        read = driver.job.stages[index].origin
        assert isinstance(read, Read)
        held = min(
            (
                (e.watermark, p)
                for p, (e, over) in enumerate(zip(source.estimates, source.ended, strict=True))
                if not over
            ),
            default=(MAX_TIME, -1),
        )
        if held[1] >= 0:
            partition = read.source.partitions()[held[1]]
            newest = instant_text(source.estimates[held[1]].newest)
            told.append(
                f"source {read.source.label}: partition {partition!r} holds the watermark at {instant_text(held[0])}"
                f" ({read.watermark!r}; its newest row is of {newest})."
            )
        else:
            told.append(f"source {read.source.label} has ended.")
    return "\n".join(told)
