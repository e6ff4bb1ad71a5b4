"""What a person's code gets to work with for one key: its state and its timers."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, NoReturn

import pandas as pd

from flower.errors import EventTimeError
from flower.graph.process import Domain
from flower.graph.schema import names_text
from flower.graph.state import Kind
from flower.model.time import MAX_TIME, MIN_TIME, Duration, duration_us, instant_us, later_by


class State:
    """What is remembered of a key: an attribute each; a deleted one is its default again."""

    __slots__ = ("_kinds", "_values")

    def __init__(self, kinds: Mapping[str, Kind], values: dict[str, Any]) -> None:
        object.__setattr__(self, "_kinds", kinds)
        object.__setattr__(self, "_values", values)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            self._refuse(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._kinds:
            self._refuse(name)
        self._values[name] = value

    def __delattr__(self, name: str) -> None:
        if name not in self._kinds:
            self._refuse(name)
        self._values[name] = self._kinds[name].default

    def _refuse(self, name: str) -> NoReturn:
        there = names_text(self._kinds) if self._kinds else "none"
        raise AttributeError(f"no state {name!r} is declared; there is {there}")

    def __repr__(self) -> str:
        return "State(" + ", ".join(f"{name}={value!r}" for name, value in self._values.items()) + ")"


class Timer:
    """A timer of a key: it fires once, at the time for which it was set last.

    Parameters
    ----------
    name : str
        What it is called.
    base : int
        What it is `after`: the event time of the call, or the clock.
    times : dict of str to int
        When each timer is set for; this one is changed in it.
    """

    __slots__ = ("_base", "_name", "_times")

    def __init__(self, name: str, base: int, times: dict[str, int]) -> None:
        self._name, self._base, self._times = name, base, times

    @property
    def time(self) -> pd.Timestamp | None:
        """When it is set for; None: it is not."""
        return stamp(self._times[self._name]) if self._name in self._times else None

    def set(self, time: object) -> None:
        """Let it fire at a time; one that has passed is due at once. Naive times are UTC."""
        if time is None or time is pd.NaT or isinstance(time, Real):  # a number would be one of nanoseconds since 1970
            raise EventTimeError(
                f"timer {self._name!r} must be set for a time",
                got=repr(time),
                hint=f"write timers.{self._name}.set(time), .after('10min') or .clear()",
            )
        self._times[self._name] = instant_us(time, f"timer {self._name!r}")

    def after(self, delay: Duration) -> None:
        """Let it fire so long after the event time of this call; one of processing time, so long after now."""
        us = duration_us(delay, f"timer {self._name!r}")
        if self._base in (MIN_TIME, MAX_TIME):
            raise EventTimeError(f"timer {self._name!r} must be after a time", got="none")
        self._times[self._name] = min(later_by(self._base, us), MAX_TIME - 1)

    def clear(self) -> None:
        """Let it not fire."""
        self._times.pop(self._name, None)

    def __repr__(self) -> str:
        return f"Timer({self._name!r}, time={self.time})"


class TimersOf:
    """The timers of a key, an attribute each."""

    __slots__ = ("_timers",)
    _timers: Mapping[str, Timer]

    def __init__(self, domains: Mapping[str, Domain], times: dict[str, int], event: int, now: int) -> None:
        timers = {name: Timer(name, event if domain == "event" else now, times) for name, domain in domains.items()}
        object.__setattr__(self, "_timers", timers)

    def __getattr__(self, name: str) -> Timer:
        try:
            timer: Timer = self._timers[name]
        except KeyError:
            there = names_text(self._timers) if self._timers else "none"
            raise AttributeError(f"no timer {name!r} is declared; there is {there}") from None
        return timer

    def __setattr__(self, name: str, value: object) -> None:
        getattr(self, name)  # refuses one that is not declared
        raise AttributeError(f"timer {name!r} is set with timers.{name}.set(time), not by assignment")


def stamp(us: int) -> pd.Timestamp:
    """A time as a person's code gets it."""
    return pd.Timestamp(us, unit="us", tz="UTC")
