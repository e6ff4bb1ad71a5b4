"""What a script must bring along: the functions that its steps call, and all that these read, found recursively.

Plain values become constants, functions and classes of the notebook their own source, modules and what is installed
imports, secrets names in the environment. Anything else is refused, with the step, the function and what it captured.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import functools
import importlib
import inspect
import io
import sys
import sysconfig
import types
from collections.abc import Callable, Collection
from typing import Any, NoReturn

import pandas as pd

from flower.api.definitions import (
    NoDefinition,
    attributes_of,
    captured,
    definition_of,
    lambda_of,
    methods_of,
    names_read,
)
from flower.api.secrets import is_secret, secrets_in, shows_secret
from flower.errors import GraphError
from flower.graph.expressions import FrameFunction
from flower.graph.models import Model, source_of
from flower.graph.source import NoSource, laid_out, parsed, value_source
from flower.model.canonical import CONSTRUCTORS
from flower.model.combiners import Combiner
from flower.model.custom import WindowFn


class Carried:
    """What a script needs besides its steps; grows as functions are named.

    Parameters
    ----------
    columns : collection of str
        Names of columns, which are no secrets.
    """

    def __init__(self, columns: Collection[str] = ()) -> None:
        self.imports: set[str] = set()
        self.constants: dict[str, str] = {}
        self.definitions: dict[str, str] = {}
        self.environment: dict[str, str] = {}
        """Variables of the environment, and what they stand for."""
        self._columns = columns
        self._values: dict[str, object] = {}
        self._step = ""
        self._bring("fl", sys.modules["flower"], "")

    def at(self, step: str) -> Carried:
        """Let errors cite ``step`` from here on."""
        self._step = step
        return self

    def taken(self, name: str) -> bool:
        """Whether the script uses a name already."""
        return name in self._values or hasattr(builtins, name)

    def source(self, value: object, name: str = "") -> ast.expr:
        """A value that a step was given, as source; ``name`` is what the argument is called."""
        if isinstance(value, FrameFunction):
            value = value.fn
        if is_secret(name, value, self._columns):
            return self._from_environment(name or "secret", value, f"`{name}` of {self._step}")
        if callable(value) and not _is_value(value):
            return self._function(value)
        if isinstance(value, Combiner | WindowFn) and type(value) not in CONSTRUCTORS.values():
            return self._made(value)
        try:
            made = value_source(value)
        except NoSource as error:
            self._refuse(f"{name or 'an argument'}, {_what(value)}", error.hint)
        if isinstance(value, Model):
            self.imports |= source_of(value)[1]
        self._import_for(made)
        return made

    def _made(self, value: Combiner | WindowFn) -> ast.expr:
        """A combiner, or windows, of the user's own: the class, called with what its fields hold."""
        if not dataclasses.is_dataclass(value) and vars(value):
            self._refuse(f"{value!r}, whose class is no dataclass", "make it a frozen dataclass, whose fields tell it")
        parts: tuple[dataclasses.Field[Any], ...] = dataclasses.fields(value) if dataclasses.is_dataclass(value) else ()
        values = [ast.keyword(each.name, self.source(getattr(value, each.name), each.name)) for each in parts]
        return ast.Call(self._function(type(value)), [], values)

    # -- functions

    def _function(self, fn: Callable[..., Any]) -> ast.expr:
        if (dotted := self._imported(fn)) is not None:
            return parsed(dotted)
        if isinstance(fn, functools.partial):
            self._bring("functools", functools, "")
            parts = [self._function(fn.func), *(self.source(each) for each in fn.args)]
            return ast.Call(
                parsed("functools.partial"), parts, [ast.keyword(n, self.source(v, n)) for n, v in fn.keywords.items()]
            )
        if isinstance(fn, types.FunctionType) and fn.__name__ == "<lambda>":
            return ast.Name(self._lambda(fn))
        inner = inspect.unwrap(fn)
        if not isinstance(inner, types.FunctionType | type):
            self._refuse(f"{_what(fn)}, which is no function of its own", "define a function with def that calls it")
        name = inner.__name__
        self._bring(name, fn, "")
        return ast.Name(name)

    def _lambda(self, fn: types.FunctionType) -> str:
        try:
            text = lambda_of(fn)
        except NoDefinition as error:
            self._refuse(f"a lambda: {error}", "define it with def, in a cell or a file")
        return self._completed(text, fn)

    def _define(self, name: str, value: Any) -> None:
        """Carry a function or class by its source, after all that it needs."""
        inner = inspect.unwrap(value)
        if isinstance(inner, types.FunctionType) and inner.__name__ == "<lambda>":
            tree = parsed(self._lambda(inner))
            assert isinstance(tree, ast.Lambda)
            body = laid_out(tree.body, 11, 4)
            self.definitions[name] = f"def {name}({ast.unparse(tree.args)}):\n    return {body}"
            return
        try:
            source = definition_of(inner)
        except NoDefinition as error:
            self._refuse(f"`{name}`: {error}", "define it with def, in a cell or a file")
        if inner.__name__ != name:
            self._bring(inner.__name__, value, "")
            self.definitions[name] = f"{name} = {inner.__name__}"
            return
        source = self._completed(source, inner)
        self.definitions.pop(name, None)
        self.definitions[name] = source

    def _completed(self, source: str, fn: Any) -> str:
        """Source whose defaults and secrets stand for themselves, with all that it reads carried along."""
        outer = {**_globals(fn), **captured(fn)}
        source = _edited(source, self._defaults(ast.parse(source), fn, outer))
        label = getattr(fn, "__name__", "").replace("<lambda>", "a lambda")
        for name in sorted(names_read(source)):
            if name in outer:
                self._bring(name, outer[name], label, source)
            elif not hasattr(builtins, name):
                self._refuse(f"`{label}` reads {name!r}, which is not defined", "define it, and add the step again")
        source = _edited(source, self._secrets(ast.parse(source), label))
        if shows_secret(source):
            self._refuse(f"`{label}`, whose source holds what looks like a secret", "read it from os.environ there")
        return source

    def _defaults(self, tree: ast.Module, fn: Any, outer: dict[str, Any]) -> list[tuple[ast.expr, str]]:
        """A default is what it was when the function was made, whatever its name stands for now."""
        body = tree.body[0]
        node = body.value if isinstance(body, ast.Expr) else body
        if not isinstance(node, ast.Lambda | ast.FunctionDef) or not isinstance(fn, types.FunctionType):
            return []
        arguments = node.args
        values = list(zip(arguments.defaults, fn.__defaults__ or (), strict=False))
        named = fn.__kwdefaults__ or {}
        values += [
            (default, named[each.arg])
            for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
            if default is not None and each.arg in named
        ]
        edits = []
        for default, value in values:
            if isinstance(default, ast.Constant):
                continue
            if isinstance(default, ast.Name) and default.id in outer and _same(outer[default.id], value):
                continue
            try:
                edits.append((default, laid_out(self._plain(value))))
            except NoSource:
                continue  # what the default reads is carried along, or refused
        return edits

    def _secrets(self, tree: ast.Module, function: str) -> list[tuple[ast.expr, str]]:
        """Literals that look like secrets, read from the environment instead."""
        inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
        edits: list[tuple[ast.expr, str]] = []
        for node, name in secrets_in(tree, self._columns):
            if id(node) in inside:
                self._refuse(f"`{function}`, an f-string of which looks like a secret", "read it from os.environ there")
            label = name or f"{function}_secret".replace("a lambda_", "")
            what = f"{name!r} in `{function}`" if name else f"text in `{function}`"
            edits.append((node, laid_out(self._from_environment(label, node.value, what))))
        return edits

    # -- values

    def _bring(self, name: str, value: Any, function: str, source: str = "") -> None:
        """Let the script have ``value`` under ``name``."""
        if name in self._values:
            if not _same(self._values[name], value):
                self._refuse(f"two different things called {name!r}", "give one of them another name")
            if not isinstance(value, types.ModuleType):
                return
        self._values[name] = value
        if isinstance(value, types.ModuleType):
            self._import_module(name, value, source)
        elif is_secret(name, value, self._columns):
            made = self._from_environment(name, value, f"the constant {name!r}")
            self.constants[name] = f"{name} = {laid_out(made)}"
        elif isinstance(value, types.FunctionType | type) or hasattr(value, "__wrapped__"):
            if not self._import_as(name, value):
                self._define(name, value)
        elif callable(value) and self._import_as(name, value):
            return
        else:
            try:
                self.constants[name] = f"{name} = {laid_out(self._plain(value), len(name) + 3)}"
            except NoSource as error:
                at = f"`{function}` captured {name!r}" if function else repr(name)
                self._refuse(f"{at}, {_what(value)}", _advice(value) or error.hint)

    def _plain(self, value: object) -> ast.expr:
        made = value_source(value)
        if shows_secret(laid_out(made)):
            raise NoSource("a script holds no secrets", hint="read it from os.environ where it is used")
        self._import_for(made)
        return made

    def _from_environment(self, name: str, value: object, what: str) -> ast.expr:
        variable = "".join(each if each.isalnum() and each.isascii() else "_" for each in name).upper()
        while self.environment.get(variable, what) != what:
            variable += "_2"
        self.environment[variable] = what
        self._bring("os", importlib.import_module("os"), "")
        return parsed(f'os.environ["{variable}"]' + (".encode()" if isinstance(value, bytes) else ""))

    # -- imports

    def _import_for(self, made: ast.expr) -> None:
        """The modules that a value's source needs."""
        modules = {"pd": "pandas", "datetime": "datetime", "re": "re", "pathlib": "pathlib"}
        for node in ast.walk(made):
            if isinstance(node, ast.Name) and node.id in modules:
                self._bring(node.id, importlib.import_module(modules[node.id]), "")

    def _import_module(self, name: str, module: types.ModuleType, source: str) -> None:
        full = module.__name__
        if full == "__main__":
            self._refuse(f"{name!r}, the notebook itself", "pass what is needed as plain values")
        if name != full:
            self.imports.add(f"import {full} as {name}" if name != full.split(".")[0] else f"import {full}")
            return
        deeper = {each for each in attributes_of(name, source) if each in sys.modules} if source else set()
        self.imports |= {f"import {each}" for each in deeper} or {f"import {full}"}

    def _imported(self, value: Any) -> str | None:
        """The dotted name under which an installed function is reached."""
        path = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
        home = getattr(value, "__module__", None) or type(value).__module__
        if not isinstance(path, str) or not isinstance(home, str):
            return None
        if home == "builtins" and getattr(builtins, path, None) is value:
            return path
        for alias, module in (("pd", "pandas"), ("np", "numpy"), (None, home)):
            if _reached(module, path) is value and _installed(module):
                name = alias or module.split(".")[0]
                self._bring(name, importlib.import_module(module if alias else name), "", f"{module}.{path}")
                return f"{name}.{path}" if alias else f"{module}.{path}"
        return None

    def _import_as(self, name: str, value: Any) -> bool:
        """Import an installed function or class under the name by which a function reads it."""
        path, home = getattr(value, "__name__", None), getattr(value, "__module__", None)
        if not isinstance(home, str) or not isinstance(path, str):
            return False
        for module in (home.split(".")[0], home):
            if _reached(module, path) is value and _installed(module):
                self.imports.add(f"from {module} import {path}" + ("" if path == name else f" as {name}"))
                return True
        return False

    def _refuse(self, what: str, hint: str | None) -> NoReturn:
        raise GraphError(
            "a script can only bring along what can be written as source", got=what, hint=hint, step=self._step or None
        )


def _is_value(value: object) -> bool:
    """Whether what can be called is a plain value all the same: windows and the like are classes' instances."""
    return not hasattr(value, "__name__") and not isinstance(value, functools.partial)


def _globals(fn: Any) -> dict[str, Any]:
    if isinstance(fn, type):
        module = sys.modules.get(fn.__module__)
        # Those that a decorator made, as dataclass does, may have the globals of another module.
        methods = [each for each in methods_of(fn) if each.__globals__.get("__name__") == fn.__module__]
        # After a run on Dask they may have but the globals that they read themselves.
        return {**(methods[0].__globals__ if methods else {}), **({} if module is None else vars(module))}
    return getattr(fn, "__globals__", {})


def _reached(module: str, path: str) -> object:
    value: object = sys.modules.get(module)
    for part in path.split("."):
        value = getattr(value, part, None)
    return value


def _installed(module: str) -> bool:
    """Whether a script finds a module wherever it runs: the standard library, Flower, what is in site-packages."""
    top = module.split(".")[0]
    if top in sys.stdlib_module_names or top == "flower":
        return top != "__main__"
    origin = getattr(sys.modules.get(top), "__file__", None) or ""
    return any(origin.startswith(sysconfig.get_path(each)) for each in ("purelib", "platlib")) or (
        "site-packages" in origin or "dist-packages" in origin
    )


def _same(one: object, other: object) -> bool:
    if one is other:
        return True
    if callable(one) or isinstance(one, types.ModuleType):
        return False
    try:
        return type(one) is type(other) and bool(one == other)
    except Exception:  # an array or a frame says neither yes nor no
        return False


def _what(value: object) -> str:
    """What a value is, for a person; none of its content."""
    if isinstance(value, io.IOBase):
        return f"an open file {getattr(value, 'name', '')!r}"
    kind = type(value).__name__
    return f"{'an' if kind[0].lower() in 'aeio' else 'a'} {kind}"


def _advice(value: object) -> str | None:
    if isinstance(value, io.IOBase):
        return "open it inside the function"
    if isinstance(value, pd.DataFrame | pd.Series):
        return "write it to a Parquet file, and read that inside the function"
    if type(value).__module__.startswith("flower."):
        return "a function of rows cannot use a stream"
    return "make it inside the function, or give the function plain values"


def _edited(source: str, edits: list[tuple[ast.expr, str]]) -> str:
    """Source with expressions replaced; positions count bytes."""
    lines = source.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    data = b"".join(lines)
    for node, text in sorted(edits, key=lambda edit: (edit[0].lineno, edit[0].col_offset), reverse=True):
        assert node.end_lineno is not None and node.end_col_offset is not None
        start, end = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
        data = data[:start] + text.encode() + data[end:]
    return data.decode()
