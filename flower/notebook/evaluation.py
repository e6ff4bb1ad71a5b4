"""Steps of a cell, evaluated as a cell's code is: in the user's namespace, with Flower's names added."""

from __future__ import annotations

import ast
import os
import sys
import sysconfig
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import pandas as pd

from flower.api.grouped import Grouped
from flower.api.stream import Stream
from flower.errors import FlowerError
from flower.notebook.cell import CellError, CellStep
from flower.notebook.verbs import VerbError, result_of

_PASS = "_flow_arguments"
_SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a cell came to.

    Parameters
    ----------
    stream : Stream
        The stream of its steps.
    result : object
        What is displayed: the stream, or what the last line gave.
    """

    stream: Stream
    result: Any


@cache
def flower_names() -> Mapping[str, Any]:
    """What a step may use without an import: `flower`'s public names, and ``fl``."""
    flower = sys.modules["flower"]  # not imported: it stands above
    return {**{name: getattr(flower, name) for name in flower.__all__}, "fl": flower}


def arguments(call: ast.Call, namespace: dict[str, Any], filename: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Evaluate the arguments of a call."""
    given = ast.copy_location(ast.Call(ast.Name(_PASS, ast.Load()), call.args, call.keywords), call)
    gather = {_PASS: lambda *positional, **named: (positional, named)}
    return cast("tuple[tuple[Any, ...], dict[str, Any]]", _evaluated(given, namespace, filename, **gather))


def value_of(text: str, namespace: dict[str, Any], filename: str) -> Any:
    """Evaluate an expression.

    Raises
    ------
    SyntaxError
        If it is none.
    """
    body = ast.parse(text.strip(), mode="eval").body
    return _evaluated(body, namespace, filename)


def run_steps(stream: Stream, steps: list[CellStep], namespace: dict[str, Any], filename: str) -> Outcome:
    """Take the steps one after the other.

    Raises
    ------
    CellError
        If one is wrong: it names the line and the step.
    """
    now: Stream | Grouped = stream
    calls = [step.call() for step in steps]  # All syntax before the first call.
    for step, call in zip(steps, calls, strict=True):
        try:
            positional, named = arguments(call, namespace, filename)
        except Exception as error:
            raise step.error(f"{_said(error)}{own_lines(error, inside=True)}") from None
        try:
            result = result_of(now, step.verb, positional, named)
        except VerbError as error:
            raise step.error(str(error)) from None
        except FlowerError as error:
            raise _cited(step, error) from None
        if isinstance(result, Stream | Grouped):
            now = result
            continue
        if step is not steps[-1]:
            raise step.error(f"gives no stream but {_article(result)}, so it must be the last line")
        if isinstance(now, Grouped):
            raise step.error("groups are to be aggregated first: a line `agg total=('column', 'sum')`")
        return Outcome(now, result)
    if isinstance(now, Grouped):
        raise steps[-1].error("a line `agg total=('column', 'sum')` must follow")
    return Outcome(now, now)


def stream_from(text: str, namespace: dict[str, Any], filename: str) -> Stream:
    """The stream that ``--from`` names.

    Raises
    ------
    CellError
        If it is none.
    """
    try:
        source = value_of(text, namespace, filename)
    except SyntaxError as error:
        raise CellError(1, f"--from takes a stream, by name or as an expression; {error.msg} in `{text}`") from None
    except FlowerError as error:
        raise CellError(1, f"--from {text}: {error}") from None
    except Exception as error:
        raise CellError(1, f"--from {text}: {_said(error)}{own_lines(error, inside=True)}") from None
    if isinstance(source, Stream):
        return source
    hint = ""
    if isinstance(source, pd.DataFrame):
        name = text if text.isidentifier() else "frame"
        hint = f"; write --from fl.read.frame({name}, event_time='the column of times')"
    raise CellError(1, f"--from takes a stream; got {_article(source)}{hint}")


def own_lines(error: BaseException, *, inside: bool = False) -> str:
    """The lines of an error that are a person's own: neither Flower's nor of installed packages.

    ``inside``: without the first, the line of the cell that an error names anyway.
    """
    frames = [each for each in traceback.extract_tb(error.__traceback__) if not each.filename.startswith(_installed())]
    return "".join(f"\n  {each.name}, line {each.lineno}: {each.line}" for each in frames[inside:])


def _evaluated(body: ast.expr, namespace: dict[str, Any], filename: str, **more: Any) -> Any:
    """Evaluate an expression in a namespace, with Flower's names added, and ``more``.

    A function made in it sees the namespace as its globals, as one of a cell does. Only if it uses an added name, that
    reaches it as a variable of a function around it.
    """
    used = {node.id for node in ast.walk(body) if isinstance(node, ast.Name)}
    added = {name: value for name, value in flower_names().items() if name in used and name not in namespace} | more
    inner = {
        each.id
        for node in ast.walk(body)
        if isinstance(node, _SCOPES)
        for each in ast.walk(node)
        if isinstance(each, ast.Name)
    }
    if not inner & added.keys():
        code = compile(ast.fix_missing_locations(ast.Expression(body)), filename, "eval")
        return eval(code, namespace, added)
    taken = ast.arguments([], [ast.arg(name) for name in added], None, [], [], None, [])
    around = ast.Expression(ast.copy_location(ast.Lambda(taken, body), body))
    code = compile(ast.fix_missing_locations(around), filename, "eval")
    return eval(code, namespace)(*added.values())


def _cited(step: CellStep, error: FlowerError) -> CellError:
    cause = error.__cause__
    lines = own_lines(cause) if cause is not None else ""
    if error.step is not None:
        return CellError(step.number, f"{error}{lines}")
    return step.error(f"{error}{lines}")


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _article(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"


@cache
def _installed() -> tuple[str, ...]:
    paths = {sysconfig.get_path(each) for each in ("stdlib", "purelib", "platlib")}
    package = os.path.dirname(os.path.dirname(__file__))
    return (*(path + os.sep for path in {*paths, package}), "<frozen")
