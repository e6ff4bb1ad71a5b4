"""What ``stream.window(...)`` says: Where, When and How of the Dataflow Model as one value."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, get_args

from flower.errors import GraphError, TriggerError, WindowError
from flower.model.time import I64, MAX_TIME, Duration, duration_text, duration_us, later
from flower.model.triggers import ON_TIME_ONLY, AfterWatermark, Trigger
from flower.model.windows import CountWindows, SlidingWindows, Windows

Accumulation = Literal["accumulating", "discarding", "retracting"]
TimestampCombiner = Literal["end_of_window", "earliest", "latest"]
OnTimeBehavior = Literal["fire_always", "fire_if_non_empty"]
ClosingBehavior = Literal["fire_if_non_empty", "fire_always"]

_CHOICES = {
    "accumulation": get_args(Accumulation),
    "timestamp_combiner": get_args(TimestampCombiner),
    "on_time_behavior": get_args(OnTimeBehavior),
    "closing_behavior": get_args(ClosingBehavior),
}


@dataclass(frozen=True, slots=True, repr=False)
class Windowing:
    """Windows, and how they fire, refine and close; made by `make` from what a person gives.

    Parameters
    ----------
    windows : FixedWindows, SlidingWindows, CalendarWindows, Sessions, CountWindows, GlobalWindows or WindowFn
        Where in event time rows are grouped.
    trigger : Trigger
        When in processing time panes fire.
    accumulation : {"accumulating", "discarding", "retracting"}
        How the panes of a window relate: each holds all its rows, or those since the last pane, or all its rows after
        the pane before it has been taken back.
    allowed_lateness_us : int
        How long past its end a window admits rows, in microseconds; `MAX_TIME`: without end.
    timestamp_combiner : {"end_of_window", "earliest", "latest"}
        The event time of a pane: the end of its window less one microsecond, or the earliest or latest of its rows.
    on_time_behavior : {"fire_always", "fire_if_non_empty"}
        Whether the on-time pane fires without rows since the last pane.
    closing_behavior : {"fire_if_non_empty", "fire_always"}
        Whether a window that expires fires a closing pane without rows since the last pane.
    allow_finishing : bool
        Whether the trigger may be one that finishes: pairs that come to a window afterwards are dropped.
    ttl_us : int or None
        A (key, window) is let go when the watermark is so far past the newest of its rows; None: it is not.

    Raises
    ------
    WindowError, TriggerError, GraphError
        If a parameter is none of what is allowed.

    Examples
    --------
    >>> from flower.model.windows import FixedWindows
    >>> Windowing.make(FixedWindows("1h"), allowed_lateness="10min")
    Windowing.make(FixedWindows('1h'), allowed_lateness='10min')
    """

    windows: Windows
    trigger: Trigger = ON_TIME_ONLY
    accumulation: Accumulation = "accumulating"
    allowed_lateness_us: int = 0
    timestamp_combiner: TimestampCombiner = "end_of_window"
    on_time_behavior: OnTimeBehavior = "fire_always"
    closing_behavior: ClosingBehavior = "fire_if_non_empty"
    allow_finishing: bool = False
    ttl_us: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.windows, Windows):
            raise WindowError(
                "`windows` must be windows", got=repr(self.windows), hint="write FixedWindows('1h'), for example"
            )
        if not isinstance(self.trigger, Trigger):
            raise TriggerError(
                "`trigger` must be a trigger", got=repr(self.trigger), hint="AfterWatermark() is the default"
            )
        if self.trigger.finishes and not self.allow_finishing:
            raise TriggerError(
                "a trigger must go on as long as rows may come",
                got=f"{self.trigger!r}, which finishes",
                hint=f"use Repeatedly({self.trigger!r}); or allow_finishing=True, which drops what comes afterwards",
            )
        if self.accumulation == "retracting" and self.ttl_us is not None:
            raise GraphError(
                "panes can be taken back only as long as their windows are held",
                got=f"accumulation='retracting' with ttl='{duration_text(self.ttl_us)}'",
                hint="leave out the ttl, or use accumulation='accumulating' or 'discarding'",
            )
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise GraphError(
                    f"`{name}` must be {' or '.join(map(repr, choices))}",
                    got=repr(getattr(self, name)),
                    hint=f"leave it out for {choices[0]!r}",
                )
        if isinstance(self.windows, CountWindows):
            self._require_plain(self.windows)

    def _require_plain(self, windows: CountWindows) -> None:
        """Refuse what windows that fire when they are full have no use for."""
        for each in fields(self):
            given = getattr(self, each.name)
            if each.name not in ("windows", "timestamp_combiner") and given != each.default:
                name = each.name.removesuffix("_us")
                early = f"GlobalWindows() with trigger=AfterWatermark(early=AfterCount({windows.n}))"
                raise WindowError(
                    f"{windows!r} fire once, when they are full: `{name}` must be left out",
                    got=f"{name}={_given(each.name, given)}",
                    hint=f"leave it out; or use {early if name == 'trigger' else 'windows of event time'}",
                )

    @staticmethod
    def make(
        windows: Windows,
        *,
        trigger: Trigger = ON_TIME_ONLY,
        accumulation: Accumulation = "accumulating",
        allowed_lateness: Duration = "0s",
        timestamp_combiner: TimestampCombiner = "end_of_window",
        on_time_behavior: OnTimeBehavior = "fire_always",
        closing_behavior: ClosingBehavior = "fire_if_non_empty",
        allow_finishing: bool = False,
        ttl: Duration | None = None,
    ) -> Windowing:
        """The value of what a person gives; ``allowed_lateness`` is a duration or ``"unbounded"``."""
        unbounded = isinstance(allowed_lateness, str) and allowed_lateness == "unbounded"
        return Windowing(
            windows,
            trigger,
            accumulation,
            MAX_TIME if unbounded else duration_us(allowed_lateness, "allowed_lateness"),
            timestamp_combiner,
            on_time_behavior,
            closing_behavior,
            allow_finishing,
            None if ttl is None else duration_us(ttl, "ttl", minimum=1),
        )

    def __repr__(self) -> str:
        return f"Windowing.make({self.source})"

    @property
    def source(self) -> str:
        """The arguments as canonical source; what has its default is left out.

        Examples
        --------
        >>> from flower.model.windows import Sessions
        >>> Windowing.make(Sessions("1h"), accumulation="discarding").source
        "Sessions('1h'), accumulation='discarding'"
        """
        parts = [repr(self.windows)]
        if self.trigger != ON_TIME_ONLY:
            parts.append(f"trigger={self.trigger!r}")
        if self.accumulation != "accumulating":
            parts.append(f"accumulation={self.accumulation!r}")
        if self.allowed_lateness_us == MAX_TIME:
            parts.append("allowed_lateness='unbounded'")
        elif self.allowed_lateness_us:
            parts.append(f"allowed_lateness='{duration_text(self.allowed_lateness_us)}'")
        for name in ("timestamp_combiner", "on_time_behavior", "closing_behavior"):
            if getattr(self, name) != _CHOICES[name][0]:
                parts.append(f"{name}={getattr(self, name)!r}")
        if self.allow_finishing:
            parts.append("allow_finishing=True")
        if self.ttl_us is not None:
            parts.append(f"ttl='{duration_text(self.ttl_us)}'")
        return ", ".join(parts)

    @property
    def blind(self) -> bool:
        """Whether nobody looks at a window before the watermark passes it."""
        return isinstance(self.trigger, AfterWatermark) and self.trigger.early is None and self.ttl_us is None

    @property
    def once(self) -> bool:
        """Whether a window has one pane, when the watermark passes it."""
        return self.blind and self.allowed_lateness_us == 0

    @property
    def sliced(self) -> bool:
        """Whether rows may be aggregated by slices, of which windows are put together when they fire.

        What must be known of each window before that needs a state for each: early panes, a ttl, and the event time of
        the pane that would fire now, which holds the output watermark (``timestamp_combiner``).
        """
        windows = self.windows
        overlapping = isinstance(windows, SlidingWindows) and windows.every_us < windows.size_us
        return overlapping and self.blind and self.timestamp_combiner == "end_of_window"

    def expiry(self, end: I64) -> I64:
        """The watermark from which on windows that end at ``end`` admit no row and are let go."""
        return later(end, self.allowed_lateness_us)

    def lapse(self, last: I64) -> I64:
        """The watermark from which on a (key, window) whose newest row is of ``last`` is let go, under a ttl."""
        assert self.ttl_us is not None
        return later(last, self.ttl_us)


def _given(name: str, value: object) -> str:
    """An argument as a person gave it."""
    if name.endswith("_us"):
        assert isinstance(value, int)
        return "'unbounded'" if value == MAX_TIME else repr(duration_text(value))
    return repr(value)
