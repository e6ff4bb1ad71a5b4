"""Where a function of a person's was written: its own source, isolated from what stands around it."""

from __future__ import annotations

import ast
import inspect
import linecache
import symtable
import textwrap
import types
from collections.abc import Callable, Iterator
from typing import Any


class NoDefinition(Exception):
    """The source of a function cannot be found, or not be told from another."""


def definition_of(value: Any) -> str:
    """The source of a ``def`` or ``class``, at the margin.

    Raises
    ------
    NoDefinition
        If it cannot be found, or has changed since.
    """
    try:
        text = _class_source(value) if isinstance(value, type) else inspect.getsource(value)
        source = textwrap.dedent(text).strip()
        tree = ast.parse(source)
    except (OSError, TypeError, SyntaxError) as error:
        raise NoDefinition("its source cannot be found") from error
    if len(tree.body) != 1 or getattr(tree.body[0], "name", None) != value.__name__:
        raise NoDefinition("its source cannot be told from what stands around it")
    if isinstance(value, types.FunctionType) and not value.__closure__:
        found = list(_code_objects(compile(source, "<script>", "exec"), value.__name__))
        if not any(_alike(code, value.__code__) for code in found):
            raise NoDefinition("its source has changed since it was defined")
    return source


def _class_source(value: type) -> str:
    """A class where one of its methods is: a notebook's module has no file."""
    methods = [inspect.unwrap(getattr(each, "__func__", each)) for each in vars(value).values()]
    for code in (each.__code__ for each in methods if isinstance(each, types.FunctionType)):
        source = "".join(linecache.getlines(code.co_filename))
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef) and node.name == value.__name__ and node.end_lineno is not None:
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                if first <= code.co_firstlineno <= node.end_lineno:
                    return "\n".join(source.splitlines()[first - 1 : node.end_lineno])
    return inspect.getsource(value)


def lambda_of(fn: types.FunctionType) -> str:
    """The source of a lambda.

    Raises
    ------
    NoDefinition
        If it cannot be found, or not be told from another.
    """
    code = fn.__code__
    lines = linecache.getlines(code.co_filename, fn.__globals__)
    if not lines:
        raise NoDefinition("its source cannot be found")
    source = "".join(lines)
    try:
        tree = ast.parse(source)
    except SyntaxError:
        raise NoDefinition("its source cannot be told from what stands around it") from None
    spans = [p for p in code.co_positions() if None not in p and (p[2], p[3]) != (0, 0)]
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda) and _holds(node.body, spans):
            text = ast.get_source_segment(source, node)
            assert text is not None
            found.append((node, text))
    # Of lambdas inside one another, the one whose own code it is.
    same = [text if "\n" not in text else ast.unparse(node) for node, text in found if _is(text, fn)]
    if len(set(same)) != 1:
        raise NoDefinition("its source cannot be told from what stands around it" if found else "its source is gone")
    return same[0]


def _holds(body: ast.expr, spans: list[tuple[int | None, int | None, int | None, int | None]]) -> bool:
    assert body.end_lineno is not None and body.end_col_offset is not None
    start, end = (body.lineno, body.col_offset), (body.end_lineno, body.end_col_offset)
    inside = [s for s in spans if start <= (s[0], s[2]) and (s[1], s[3]) <= end]
    # The first instructions of a code object may stand for the whole lambda.
    return bool(inside) and any((s[0], s[2]) == start and (s[1], s[3]) == end for s in inside)


def _is(text: str, fn: types.FunctionType) -> bool:
    """Whether source is that of ``fn``; names of an outer function are compared as names."""
    try:
        compiled = compile(f"({text})", "<script>", "eval")
    except SyntaxError:
        return False
    made = next(_code_objects(compiled, "<lambda>"), None)
    return made is not None and _alike(made, fn.__code__)


def _alike(one: types.CodeType, other: types.CodeType) -> bool:
    """Whether two codes read the same names and constants; instructions depend on what stands around a function."""
    return (
        one.co_varnames == other.co_varnames
        and _plain(one.co_consts) == _plain(other.co_consts)
        and {*one.co_names, *one.co_freevars} == {*other.co_names, *other.co_freevars}
    )


def _plain(constants: tuple[object, ...]) -> list[tuple[type, object]]:
    return [(type(each), each) for each in constants if not isinstance(each, types.CodeType)]


def _code_objects(code: types.CodeType, name: str) -> Iterator[types.CodeType]:
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            if each.co_name == name:
                yield each
            yield from _code_objects(each, name)


def names_read(source: str) -> set[str]:
    r"""The names that source reads and does not make itself.

    Examples
    --------
    >>> sorted(names_read("def f(x, y=LIMIT):\n    return [g(x + each.limit) for each in y]"))
    ['LIMIT', 'g']
    """
    top = symtable.symtable(source, "<script>", "exec")
    made = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    read = set()
    for table in _tables(top):
        for symbol in table.get_symbols():
            outside = symbol.is_global() or table is top
            if symbol.is_referenced() and outside and not (symbol.is_assigned() and not symbol.is_global()):
                read.add(symbol.get_name())
    return read - made


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for each in table.get_children():
        yield from _tables(each)


def attributes_of(name: str, source: str) -> Iterator[str]:
    """The dotted names that begin with ``name`` in source: ``os.path.join``, ``os.path``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            parts, inner = [node.attr], node.value
            while isinstance(inner, ast.Attribute):
                parts.append(inner.attr)
                inner = inner.value
            if isinstance(inner, ast.Name) and inner.id == name:
                yield ".".join([name, *reversed(parts)])


def captured(fn: Callable[..., Any]) -> dict[str, object]:
    """The values of the outer function that a function holds on to."""
    cells = getattr(fn, "__closure__", None) or ()
    names = getattr(getattr(fn, "__code__", None), "co_freevars", ())
    return {name: cell.cell_contents for name, cell in zip(names, cells, strict=True) if _full(cell)}


def _full(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True
