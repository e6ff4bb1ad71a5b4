"""``stream.groupby(...).process(...)``: what it is given, checked."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from flower.api.grouped import require_settled
from flower.api.pipeline import step_errors
from flower.errors import GraphError
from flower.graph.process import DOMAINS, Declared, Process, Timers
from flower.graph.schema import schema_of
from flower.graph.state import Kind
from flower.model.time import MAX_TIME, Duration, duration_us

if TYPE_CHECKING:
    from flower.api.stream import Stream

_EXAMPLE = ".process(Silence, state={'n': fl.state.Value('int64')}, timers={'quiet': 'event'}, schema={'n': 'int64'})"


def processed(
    stream: Stream,
    keys: tuple[str, ...],
    cls: object,
    state: Mapping[str, Kind] | None,
    timers: Mapping[str, str] | None,
    schema: Mapping[str, object] | pa.Schema,
    vectorised: bool,
    allowed_lateness: Duration,
) -> Stream:
    """Add the step of ``stream.groupby(*keys).process(cls, ...)``."""
    from flower.api.stream import Stream, function_of

    node = stream.node
    with step_errors(node, Process.verb):
        declared, waiting = _state(state or {}), _timers(timers or {})
        _check_code(cls, waiting)
        lateness = MAX_TIME
        if allowed_lateness != "unbounded":
            lateness = duration_us(allowed_lateness, "allowed_lateness")
        require_settled(node, "processed")
        function = function_of(cls, _EXAMPLE)
        step = Process(node, keys, function, declared, waiting, schema_of(schema), bool(vectorised), lateness)
        return Stream(step)


def _state(given: object) -> Declared:
    if not isinstance(given, Mapping) or not all(isinstance(kind, Kind) for kind in given.values()):
        wrong = given if not isinstance(given, Mapping) else next(v for v in given.values() if not isinstance(v, Kind))
        raise GraphError(
            "`state` must be a mapping of names to what is remembered",
            got=repr(wrong)[:80],
            hint="write state={'n': fl.state.Value('int64')}; there are Value, List, Map and Set",
        )
    for name in given:
        _check_name("state", name)
    return tuple(given.items())


def _timers(given: object) -> Timers:
    if not isinstance(given, Mapping) or not all(domain in DOMAINS for domain in given.values()):
        wrong = given if not isinstance(given, Mapping) else next(v for v in given.values() if v not in DOMAINS)
        raise GraphError(
            "`timers` must be a mapping of names to 'event' or 'processing'",
            got=repr(wrong)[:80],
            hint="write timers={'quiet': 'event'}",
        )
    for name in given:
        _check_name("timers", name)
    return tuple(given.items())


def _check_name(what: str, name: object) -> None:
    if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
        raise GraphError(
            f"names of `{what}` are used as attributes", got=repr(name)[:80], hint="use letters, digits and underscores"
        )


def _check_code(cls: object, timers: Timers) -> None:
    """See whether what a person gave can be called as it will be."""
    if not callable(cls):
        raise GraphError("process() takes a class or a function", got=repr(cls)[:80], hint=f"write {_EXAMPLE}")
    if not isinstance(cls, type):
        if timers:
            raise GraphError(
                "what has timers must be a class, with an on_timer",
                got=f"a function and the timers {', '.join(name for name, _ in timers)}",
                hint="write a class with on_rows(self, key, rows, state, timers) and "
                "on_timer(self, name, key, time, state, timers)",
            )
        return
    needed = ("on_rows", "on_timer") if timers else ("on_rows",)
    lacking = [name for name in needed if not callable(getattr(cls, name, None))]
    if lacking:
        raise GraphError(
            "a class that processes has on_rows, and on_timer if there are timers",
            got=f"{cls.__name__} without {' and '.join(lacking)}",
            hint="def on_rows(self, key, rows, state, timers), def on_timer(self, name, key, time, state, timers); "
            "vectorised they have no `key`",
        )
    try:
        arguments = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):  # a class of C tells nothing
        return
    wanted = [
        each.name
        for each in arguments
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    if wanted:
        raise GraphError(
            "a class that processes is made without arguments, anew for every epoch",
            got=f"{cls.__name__}({', '.join(wanted)})",
            hint="give them defaults, or make them attributes of the class",
        )
