"""Steps and their arguments as Python source: the one rendering that whatever writes a pipeline down uses.

Source is made as a syntax tree (`value_source`, `step_call`) and laid out by `laid_out` in lines that fit, as a
formatter would. What has no source raises `NoSource`; functions are given to whoever can tell where they come from.
"""

from __future__ import annotations

import ast
import dataclasses
import datetime as dt
import keyword
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePath

import numpy as np
import pandas as pd
import pyarrow as pa

from flower.errors import FlowerError, GraphError
from flower.graph.applied import applied_schema
from flower.graph.calls import Call
from flower.graph.cogrouping import PerSide, Sided, sides_of
from flower.graph.deduplication import Deduplicate
from flower.graph.enriching import Enrich, EnrichInWindow, EnrichVersions
from flower.graph.expressions import Expr, FrameFunction
from flower.graph.format import enrich_options, join_options, learn_options
from flower.graph.joins import Joining
from flower.graph.learning import Learn
from flower.graph.models import Model, source_of
from flower.graph.nodes import (
    Aggregate,
    Aggregation,
    Apply,
    Assign,
    Filter,
    FlatMapRows,
    MapFrames,
    Node,
    Require,
    Select,
    WindowInto,
)
from flower.graph.process import Process
from flower.graph.schema import dtype_name
from flower.graph.state import Kind
from flower.model.canonical import CONSTRUCTORS
from flower.model.combiners import combiner_of, names
from flower.model.combiners.of_side import OfSide
from flower.model.custom import WindowFn
from flower.model.time import MAX_TIME, duration_text
from flower.model.triggers import When
from flower.model.windowing import Windowing
from flower.model.windows import Sessions

WIDTH = 100
_LONGEST = 10_000
"""Characters of a value that a person would still write into a script."""

Render = Callable[[object], ast.expr]


class NoSource(GraphError):
    """A value that cannot be written as source."""


def value_source(value: object) -> ast.expr:
    """A value as source that makes an equal one, with ``import flower as fl``.

    Raises
    ------
    NoSource
        If there is none.

    Examples
    --------
    >>> from flower.model.windows import SlidingWindows
    >>> laid_out(value_source({"size": SlidingWindows("1h", every="10min"), "at": pd.Timestamp("2024-01-01")}))
    '{"size": fl.SlidingWindows("1h", every="10min"), "at": pd.Timestamp("2024-01-01 00:00:00")}'
    """
    made = _value(value)
    if len(ast.dump(made)) > 4 * _LONGEST:
        raise NoSource("a value in a script must be short", hint="write it to a file, and read the file")
    return made


def _value(value: object) -> ast.expr:
    match value:
        case None | bool() | int() | str() | bytes() if type(value) in (type(None), bool, int, str, bytes):
            return ast.Constant(value)
        case float() if type(value) is float:
            return ast.Constant(value) if math.isfinite(value) else parsed(f"float('{value}')")
        case tuple() if type(value) is tuple:
            return ast.Tuple([_value(each) for each in value], ast.Load())
        case list() if type(value) is list:
            return ast.List([_value(each) for each in value], ast.Load())
        case set() | frozenset() if type(value) in (set, frozenset):
            members = ast.List([_value(each) for each in sorted(value, key=repr)], ast.Load())
            return ast.Call(ast.Name(type(value).__name__), [members], [])
        case dict() if type(value) is dict:
            return ast.Dict([_value(key) for key in value], [_value(each) for each in value.values()])
        case pa.Schema():
            return _value({field.name: dtype_name(field) for field in value})
        case pa.DataType():
            return _value(dtype_name(pa.field("", value)))
        case Expr():
            return ast.Constant(str(value))
        case pd.Timestamp() | pd.Timedelta():
            return parsed(f"pd.{type(value).__name__}({_time(value)})")
        case dt.timedelta() | dt.datetime() | dt.date() | dt.time() if type(value).__module__ == "datetime":
            return parsed(repr(value))
        case re.Pattern():
            arguments = [_value(value.pattern), *([_value(value.flags)] if value.flags != re.UNICODE else [])]
            return ast.Call(parsed("re.compile"), arguments, [])
        case PurePath():
            return ast.Call(parsed("pathlib.Path"), [_value(str(value))], [])
        case os.PathLike() if type(value).__module__ == "flower.datasets":
            return parsed(f"fl.datasets.{PurePath(os.fspath(value)).stem}")
        case np.generic() if value.dtype.kind in "biufU":
            return _value(value.item())
        case Model():
            try:
                return source_of(value)[0]
            except Exception as error:  # whatever the classes of its parts raise
                raise NoSource(
                    f"a model in a script is written as it is made; {error}",
                    got=value.text[:80],
                    hint="give a model that has learnt nothing, of parameters that are plain values",
                ) from error
        case Kind():
            return parsed(f"fl.state.{value!r}")
        case _ if type(value) in CONSTRUCTORS.values():
            return _in_flower(parsed(repr(value)))
    raise NoSource("only plain values can be written into a script", got=type(value).__name__)


def _time(value: pd.Timestamp | pd.Timedelta) -> str:
    zone = f", tz={str(value.tz)!r}" if isinstance(value, pd.Timestamp) and value.tz is not None else ""
    local = value.tz_localize(None) if zone else value  # type: ignore[union-attr]
    return f"{str(local)!r}{zone}"


class _Prefixed(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.expr:
        return parsed(f"fl.{node.id}") if node.id in CONSTRUCTORS else node


def _in_flower(node: ast.expr) -> ast.expr:
    """The same with ``fl.`` before the names of windows, triggers and policies."""
    changed = _Prefixed().visit(node)
    assert isinstance(changed, ast.expr)
    return changed


def parsed(text: str) -> ast.expr:
    """The tree of an expression's text."""
    return ast.parse(text, mode="eval").body


def call_source(call: Call, on: ast.expr, render: Render) -> ast.Call:
    """The call of ``on.read.parquet(...)``, each argument by ``render``."""
    function = on
    for part in call.function.split("."):
        function = ast.Attribute(function, part, ast.Load())
    return ast.Call(
        function, [render(each) for each in call.arguments], keywords((n, render(v)) for n, v in call.options)
    )


def keywords(named: Iterable[tuple[str, ast.expr]]) -> list[ast.keyword]:
    """Named arguments; names that Python cannot write go in a dict after two stars."""
    plain: list[tuple[str, ast.expr]] = []
    others: list[tuple[str, ast.expr]] = []
    for name, value in named:
        (plain if name.isidentifier() and not keyword.iskeyword(name) else others).append((name, value))
    made = [ast.keyword(name, value) for name, value in plain]
    if others:
        made.append(ast.keyword(None, ast.Dict([ast.Constant(n) for n, _ in others], [v for _, v in others])))
    return made


def step_call(node: Node, on: ast.expr, render: Render) -> ast.expr:
    """The verb of a step with its arguments, on the stream ``on``.

    Examples
    --------
    >>> import flower as fl
    >>> node = fl.read.frame(pd.DataFrame({"k": ["a"], "v": [1], "w": [2]})).drop("k").node
    >>> laid_out(step_call(node, parsed("rows"), value_source))
    'rows.drop("k")'
    """

    def verb(name: str, *arguments: ast.expr, **named: ast.expr) -> ast.Call:
        return _verb(on, name, arguments, named)

    match node:
        case Filter():
            return verb("filter", render(node.predicate))
        case Require():
            return verb("require", render(node.predicate))
        case Select():
            return _selected(node, on)
        case Assign():
            return _verb(on, "assign", (), {name: render(value) for name, value in node.columns})
        case MapFrames():
            return verb("map_frames", render(node.fn), **_output(node, _given(node)))
        case FlatMapRows():
            return verb("flat_map_rows", render(node.fn), **_output(node, node.output != node.input.schema))
        case Deduplicate():
            error = {} if node.error is None else {"error": ast.Constant(node.error)}
            within = ast.Constant(duration_text(node.within))
            return verb("deduplicate", *map(ast.Constant, node.keys), within=within, **error)
        case WindowInto():
            call = _window(node.into, render)
            call.func = ast.Attribute(on, "window", ast.Load())
            return call
        case Aggregate() if (sides := sides_of(node)) is not None:
            return _cogrouped(node, sides, on, render)
        case Apply():
            on = _verb(on, "groupby", [ast.Constant(key) for key in node.keys], {})
            return _verb(on, "apply", [render(node.fn)], _output(node, _given(node)))
        case Learn():
            if node.keys:
                on = _verb(on, "groupby", [ast.Constant(key) for key in node.keys], {})
            options = {name: _value(value) for name, value in learn_options(node).items()}
            return _verb(on, node.verb, [render(node.model)], options)
        case Process():
            on = _verb(on, "groupby", [ast.Constant(key) for key in node.keys], {})
            return _verb(on, "process", [render(node.fn)], _processing(node))
        case Aggregate():
            if node.keys:
                on = _verb(on, "groupby", [ast.Constant(key) for key in node.keys], {})
            return _verb(on, "agg", (), {each.name: _aggregation(each, render) for each in node.aggregations})
    raise TypeError(f"not a step with a verb: {node!r}")


def cogroup_call(sides: Sequence[Sided], inputs: Sequence[ast.expr]) -> ast.expr:
    """The call that groups streams together; what follows is its ``agg`` or ``apply``."""
    on = sides[0].on
    streams = ast.Dict([ast.Constant(side.label) for side in sides], list(inputs))
    keys = _value(on[0] if len(on) == 1 else list(on))
    return ast.Call(parsed("fl.cogroup"), [streams], [ast.keyword("on", keys)])


def _cogrouped(node: Aggregate, sides: Sequence[Sided], on: ast.expr, render: Render) -> ast.expr:
    """The aggregates of each side, or the function of a frame a side."""
    if isinstance(node, Apply):
        assert isinstance(node.fn.fn, PerSide)
        return _verb(on, "apply", [render(node.fn.fn.fn)], _output(node, _given(node)))
    named: dict[str, dict[str, ast.expr]] = {}
    for each in node.aggregations:
        how = each.combiner
        assert isinstance(how, OfSide)
        own = Aggregation(each.name, how.column, how.of)
        named.setdefault(how.label, {})[each.name] = _aggregation(own, render)
    dicts = {
        label: ast.Dict([ast.Constant(name) for name in some], list(some.values())) for label, some in named.items()
    }
    return _verb(on, "agg", (), dicts)


def join_call(node: Joining, on: ast.expr, other: ast.expr) -> ast.expr:
    """The verb of a join, on the stream ``on`` with the stream ``other``."""
    keys = _value(node.on[0] if len(node.on) == 1 else list(node.on))
    return _verb(on, node.verb, [other, keys], {name: _value(value) for name, value in join_options(node).items()})


def enrich_call(node: Enrich | EnrichVersions | EnrichInWindow, on: ast.expr, table: ast.expr) -> ast.expr:
    """The verb of an enrichment, of the stream ``on`` from ``table``."""
    keys = _value(node.on[0] if len(node.on) == 1 else list(node.on))
    return _verb(on, node.verb, [table, keys], {name: _value(value) for name, value in enrich_options(node).items()})


class _StandIn:
    """Stands for a function in the source of windows and triggers, under a name of its own."""

    def __init__(self, function: FrameFunction) -> None:
        self.function = function
        self.name = f"_function_{id(function)}"


class _StandInWindows(WindowFn):
    """Stands for windows of a person's own."""

    def __init__(self, windows: WindowFn) -> None:
        self.name = f"_windows_{id(windows)}"
        self.merging = windows.merging  # type: ignore[misc]

    def assign(self, time: object, rows: object) -> tuple[object, object, object]:
        """Never asked."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.name


def _window(into: Windowing, render: Render) -> ast.Call:
    """The arguments of ``window``, each function in them by ``render``."""
    stand_ins: dict[str, FrameFunction | WindowFn] = {}

    def stood(value: object) -> object:
        if not isinstance(value, FrameFunction):
            return value
        one = _StandIn(value)
        stand_ins[one.name] = value
        return one

    windows, trigger = into.windows, into.trigger
    if isinstance(windows, WindowFn):
        own = _StandInWindows(windows)
        stand_ins[own.name], windows = windows, own
    if isinstance(windows, Sessions) and windows.gap is not None:
        windows = Sessions(stood(windows.gap), merge_touching=windows.merge_touching)
    if trigger.driven_by_data:
        trigger = trigger.mapped(lambda part: When(stood(part.predicate)) if isinstance(part, When) else part)

    class Filled(ast.NodeTransformer):
        def visit_Name(self, name: ast.Name) -> ast.expr:
            return render(stand_ins[name.id]) if name.id in stand_ins else name

    source = dataclasses.replace(into, windows=windows, trigger=trigger).source
    call = Filled().visit(_in_flower(parsed(f"window({source})")))
    assert isinstance(call, ast.Call)
    return call


def _verb(on: ast.expr, name: str, arguments: Iterable[ast.expr], named: Mapping[str, ast.expr]) -> ast.Call:
    return ast.Call(ast.Attribute(on, name, ast.Load()), list(arguments), keywords(named.items()))


def _selected(node: Select, on: ast.expr) -> ast.Call:
    """What a person would say: drop few, rename some, else select."""
    before = node.input.schema.names
    old = [name for _, name in node.columns]
    renamed = {name: new for new, name in node.columns if new != name}
    gone = [name for name in before if name not in old]
    if gone and not renamed and len(gone) < len(old) and old == [name for name in before if name in old]:
        return _verb(on, "drop", map(ast.Constant, gone), {})
    made = on if old == before and renamed else _verb(on, "select", map(ast.Constant, old), {})
    if renamed:
        made = _verb(made, "rename", (), {name: ast.Constant(new) for name, new in renamed.items()})
    assert isinstance(made, ast.Call)
    return made


def _given(node: MapFrames | Apply) -> bool:
    """Whether its columns must be declared: the function does not tell them by itself."""
    try:
        if isinstance(node, Apply):
            return bool(applied_schema(node.fn, node.rows) != node.output)
        return bool(node.fn.schema(node.input.schema) != node.output)
    except FlowerError:
        return True


def _output(node: MapFrames | FlatMapRows | Apply, given: bool) -> dict[str, ast.expr]:
    return {"schema": _value(node.output)} if given else {}


def _processing(node: Process) -> dict[str, ast.expr]:
    given: dict[str, object] = {"state": dict(node.state)} if node.state else {}
    given |= {"timers": dict(node.timers)} if node.timers else {}
    given["schema"] = node.output
    given |= {"vectorised": True} if node.vectorised else {}
    if node.allowed_lateness_us < MAX_TIME:
        given["allowed_lateness"] = duration_text(node.allowed_lateness_us)
    return {name: _value(value) for name, value in given.items()}


def _aggregation(each: Aggregation, render: Render) -> ast.expr:
    """A name, a value of Flower's, or a combiner that the script brings along."""
    name = each.combiner.name
    named = name in names() and combiner_of(name) == each.combiner
    how = ast.Constant(name) if named else render(each.combiner)
    return how if each.column is None else ast.Tuple([ast.Constant(each.column), how], ast.Load())


# -- lines


def laid_out(node: ast.expr, before: int = 0, indent: int = 0, after: int = 0) -> str:
    """Source in lines of at most `WIDTH` characters where that can be.

    Parameters
    ----------
    node : ast.expr
        What to write; a `ast.Name` is taken as it is, whatever its text.
    before, after : int
        How many characters stand before it on its first line, and after it on its last.
    indent : int
        Of the line on which it begins.

    Examples
    --------
    >>> print(laid_out(parsed("rows.filter('" + "a" * 60 + " > 1').select('b', 'c').rename(b='ddddddddd')")))
    (
        rows.filter("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa > 1")
        .select("b", "c")
        .rename(b="ddddddddd")
    )
    """
    line = _line(node)
    if before + len(line) + after <= WIDTH:
        return line
    chain = _chain(node)
    if len(chain) > 3:
        return _chained(chain, indent)
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Call() as first, attr=name)) if (
            before + len(_line(node.func)) >= WIDTH
        ):
            *lines, last = laid_out(first, before, indent).split("\n")
            rest = ast.Call(ast.Name(f"{last.lstrip()}.{name}"), node.args, node.keywords)
            return "\n".join([*lines, " " * indent + laid_out(rest, indent, indent, after)])
        case ast.Call():
            return _bracketed(f"{_line(node.func)}(", [*node.args, *node.keywords], ")", indent)
        case ast.Tuple(elts=elts):
            return _bracketed("(", elts, ")", indent, whole=False)
        case ast.List(elts=elts):
            return _bracketed("[", elts, "]", indent, whole=False)
        case ast.Dict(keys=keys, values=values):
            pairs = [ast.keyword(f"{_line(k)}: ", v) for k, v in zip(keys, values, strict=True) if k is not None]
            return _bracketed("{", pairs, "}", indent, whole=False)
    return line


def _bracketed(
    opening: str, parts: Iterable[ast.expr | ast.keyword], closing: str, indent: int, *, whole: bool = True
) -> str:
    """Parts in brackets that stand alone: on one line if they fit and ``whole`` allows it, else a line each."""
    parts = list(parts)
    if not parts:
        return opening + closing
    inner = " " * (indent + 4)
    line = ", ".join(map(_part, parts))
    if whole and len(inner) + len(line) <= WIDTH:
        lines = [line]
    else:
        lines = []
        for part in parts:
            name, value = (_named(part), part.value) if isinstance(part, ast.keyword) else ("", part)
            lines.append(name + laid_out(value, len(inner) + len(name), indent + 4, 1) + ",")
    return "\n".join([opening, *(inner + each for each in lines), " " * indent + closing])


def _chain(node: ast.expr) -> list[ast.expr]:
    """The calls of ``root.a(...).b(...)``, the root first; a name is part of what follows it."""
    calls: list[ast.expr] = []
    while True:
        inner: ast.expr = node
        if isinstance(inner, ast.Call):
            inner = inner.func
        while isinstance(inner, ast.Attribute):
            inner = inner.value
        calls.append(node)
        if inner is node or not isinstance(inner, ast.Call):
            return [*([] if inner is node else [inner]), *reversed(calls)]
        node = inner


def _chained(chain: list[ast.expr], indent: int) -> str:
    inner = " " * (indent + 4)
    lines = []
    for before, node in zip([None, *chain[1:]], chain[1:], strict=False):
        assert isinstance(node, ast.Call | ast.Attribute)
        start = "" if before is None else _line(before)
        function = node.func if isinstance(node, ast.Call) else node
        head = _line(function)[len(start) :]
        if isinstance(node, ast.Call):
            short = ast.Call(ast.Name(head), node.args, node.keywords)
            lines.append(laid_out(short, indent + 4, indent + 4))
        else:
            lines.append(head)
    return "\n".join(["(", *(inner + each for each in lines), " " * indent + ")"])


def _line(node: ast.expr) -> str:
    """An expression on one line, text in double quotes."""
    match node:
        case ast.Name(id=text):
            return text
        case ast.Constant(value=str() as text):
            return quoted(text)
        case ast.Attribute(value=value, attr=name):
            return f"{_line(value)}.{name}"
        case ast.Call(func=function, args=args, keywords=named):
            return f"{_line(function)}({', '.join([*map(_line, args), *map(_part, named)])})"
        case ast.Tuple(elts=elts):
            return f"({', '.join(map(_line, elts))}{',' if len(elts) == 1 else ''})"
        case ast.List(elts=elts):
            return f"[{', '.join(map(_line, elts))}]"
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            return "{" + ", ".join(f"{_line(k)}: {_line(v)}" if k else f"**{_line(v)}" for k, v in pairs) + "}"
        case ast.Subscript(value=value, slice=index):
            return f"{_line(value)}[{_line(index)}]"
    return ast.unparse(node)


def _part(part: ast.expr | ast.keyword) -> str:
    return _named(part) + _line(part.value) if isinstance(part, ast.keyword) else _line(part)


def _named(part: ast.keyword) -> str:
    """What stands before a value: ``name=``, ``**``, or the key of a dict."""
    if part.arg is None:
        return "**"
    return part.arg if part.arg.endswith(": ") else f"{part.arg}="


def quoted(text: str) -> str:
    """Text as a literal, in double quotes unless single ones spare escapes."""
    literal = repr(text)
    if literal.startswith("'") and '"' not in text:
        literal = '"' + literal[1:-1].replace("\\'", "'") + '"'
    return literal
