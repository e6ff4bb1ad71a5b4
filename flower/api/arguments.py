"""What verbs are given, checked."""

from __future__ import annotations

from collections.abc import Mapping

from flower.errors import GraphError
from flower.graph.schema import names_text
from flower.model.triggers import Trigger, When
from flower.model.windows import Sessions, Windows


def column_names(verb: str, columns: tuple[object, ...], example: str) -> tuple[str, ...]:
    """Give the names of columns that a verb was given: at least one, each once.

    Raises
    ------
    GraphError
        If they are not.
    """
    names = tuple(each for each in columns if isinstance(each, str) and each)
    if len(names) < len(columns) or not names:
        got = repr(next(each for each in columns if each not in names)) if columns else "none"
        raise GraphError(f"{verb}() takes the names of columns, at least one", got=got, hint=f"write {example}")
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise GraphError(
            f"{verb}() takes each column once", got=f"{names_text(twice)} more than once", hint="name it once"
        )
    return names


def at_least_one(verb: str, values: Mapping[str, object], example: str) -> None:
    """Refuse a verb without arguments.

    Raises
    ------
    GraphError
        If there are none.
    """
    if not values:
        raise GraphError(f"{verb}() needs at least one column", got="none", hint=f"write {example}")


def resolved(trigger: Trigger) -> Trigger:
    """The trigger with its predicates as expressions, or as functions of the frame; columns are checked later."""
    if not isinstance(trigger, Trigger) or not trigger.driven_by_data:
        return trigger
    from flower.graph.expressions.build import unbound

    return trigger.mapped(lambda part: When(unbound(part.predicate)) if isinstance(part, When) else part)


def resolved_windows(windows: Windows) -> Windows:
    """The windows with what gives rows their gaps as an expression, or as a function of the frame."""
    if not isinstance(windows, Sessions) or windows.gap is None:
        return windows
    from flower.graph.expressions.build import unbound

    return Sessions(unbound(windows.gap), merge_touching=windows.merge_touching)


def row_count(verb: str, n: object) -> int:
    """Give how many rows a verb was asked for.

    Raises
    ------
    GraphError
        If it is no count.
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise GraphError(f"`n` of {verb}() must be a number of rows", got=repr(n), hint=f"write .{verb}(10)")
    return n


def one_of(name: str, given: object, choices: tuple[str, ...]) -> None:
    """Refuse what is none of some texts.

    Raises
    ------
    GraphError
        If it is not.
    """
    if given not in choices:
        raise GraphError(f"`{name}` must be {', '.join(map(repr, choices[:-1]))} or {choices[-1]!r}", got=repr(given))
