"""The verbs of a stream, as its class tells them: what a line of a cell may begin with, and what it is called with."""

from __future__ import annotations

import difflib
import inspect
import types
import typing
from collections.abc import Iterable
from typing import Any

from flower.api.grouped import Grouped
from flower.api.stream import Stream

Steps = Stream | Grouped
"""What a step can follow; what gives something else ends a cell."""


class VerbError(Exception):
    """A verb that is not there, or arguments that are not its."""


def verbs(owner: type) -> list[str]:
    """The public methods and properties of a class, as written.

    Examples
    --------
    >>> sorted(verbs(Stream))[:3], verbs(Grouped)
    (['agg', 'assign', 'collect'], ['agg', 'pivot', 'apply', 'process', 'learn', 'score'])
    """
    found: dict[str, object] = {}
    for each in owner.__mro__:
        for name, member in vars(each).items():
            if not name.startswith("_") and (inspect.isroutine(member) or isinstance(member, property)):
                found.setdefault(name, member)
    return [name for name, member in found.items() if not _is_plumbing(member)]


def _is_plumbing(member: object) -> bool:
    """Whether a property gives the node of the graph, which is none of a person's business."""
    return isinstance(member, property) and getattr(member.fget, "__annotations__", {}).get("return") == "Node"


def is_namespace(value: object) -> bool:
    """Whether a property's value only holds methods, as ``stream.plot`` and ``stream.write`` do."""
    return type(value).__module__.startswith("flower.") and not isinstance(value, Stream | Grouped | str)


def owner_of(subject: Steps, verb: str) -> tuple[object, str]:
    """The object that has the verb's method, and the method's name.

    Raises
    ------
    VerbError
        If there is no such verb.
    """
    owner: object = subject
    *path, last = verb.split(".")
    done: list[str] = []
    for name in [*path, last]:
        known = verbs(type(owner))
        if name not in known:
            raise VerbError(_unknown(".".join([*done, name]), [".".join([*done, each]) for each in known], owner))
        if name is not last:
            owner = getattr(owner, name)
        done.append(name)
    return owner, last


def result_of(subject: Steps, verb: str, positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Call the verb's method with these arguments; a property is taken, and has none.

    Raises
    ------
    VerbError
        If there is no such verb, or it takes other arguments.
    """
    owner, last = owner_of(subject, verb)
    if isinstance(inspect.getattr_static(type(owner), last), property):
        if positional or named:
            raise VerbError(f"{verb} takes no arguments")
        value = getattr(owner, last)
        if is_namespace(value):
            raise VerbError(f"say which: {', '.join(f'{verb}.{each}' for each in verbs(type(value)))}")
        return value
    method = getattr(owner, last)
    try:
        inspect.signature(method).bind(*positional, **named)
    except TypeError as error:
        raise VerbError(_wrong_arguments(method, verb, str(error), named)) from None
    return method(*positional, **named)


def parameters(subject: object, verb: str) -> list[inspect.Parameter]:
    """What a verb takes; nothing if there is no such verb, or it is a property."""
    try:
        owner, last = owner_of(typing.cast("Steps", subject), verb)
    except VerbError:
        return []
    if isinstance(inspect.getattr_static(type(owner), last), property):
        return []
    return list(inspect.signature(getattr(owner, last)).parameters.values())


def choices(subject: object, verb: str, argument: str) -> list[str]:
    """The texts that an argument can be, where its annotation lists them."""
    try:
        owner, last = owner_of(typing.cast("Steps", subject), verb)
        hint = typing.get_type_hints(getattr(owner, last)).get(argument)
    except (VerbError, NameError, TypeError):
        return []
    return [each for each in _literals(hint) if isinstance(each, str)]


def gives_steps(subject: object, verb: str) -> bool:
    """Whether a verb is known to only add a step: its result is declared to be a stream, or groups of one."""
    try:
        owner, last = owner_of(typing.cast("Steps", subject), verb)
    except VerbError:
        return False
    member = inspect.getattr_static(type(owner), last)
    function = member.fget if isinstance(member, property) else member
    return getattr(function, "__annotations__", {}).get("return") in ("Stream", "Grouped", "Self")


def close_to(name: str, known: Iterable[str]) -> str:
    """``; did you mean ...?``, if something known looks like ``name``."""
    near = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _unknown(verb: str, known: list[str], owner: object) -> str:
    what = "a step after groupby" if isinstance(owner, Grouped) else "a verb"
    near = close_to(verb, known)
    return f"{verb!r} is not {what}" + (near or f"; there are {', '.join(known)}")


def _wrong_arguments(method: types.MethodType, verb: str, message: str, named: dict[str, Any]) -> str:
    known = inspect.signature(method).parameters
    wrong = next((name for name in named if name not in known), "")
    near = close_to(wrong, [name for name, each in known.items() if each.kind is not each.VAR_KEYWORD])
    kind = inspect.Parameter
    marks: dict[object, str] = {kind.KEYWORD_ONLY: "{}=", kind.VAR_POSITIONAL: "*{}", kind.VAR_KEYWORD: "**{}"}
    takes = ", ".join(marks.get(each.kind, "{}").format(name) for name, each in known.items())
    return f"{message}{near}; {verb} takes {takes or 'no arguments'}"


def _literals(hint: object) -> tuple[object, ...]:
    if typing.get_origin(hint) is typing.Literal:
        return typing.get_args(hint)
    return tuple(each for part in typing.get_args(hint) for each in _literals(part))
