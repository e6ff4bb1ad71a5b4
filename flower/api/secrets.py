"""What looks like a secret, so that no script holds one: it is read from the environment instead."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

_NAMES = re.compile(
    r"(?:.*_)?(?:password|passwd|pwd|passphrase|secret|token|credentials?|api_?key|access_key|private_key|secret_key)",
    re.IGNORECASE,
)
_KEY = re.compile(r"(?:.*_)?key", re.IGNORECASE)
_VALUES = re.compile(
    r"\w://[^/\s:@]*:[^/\s@]+@"  # a URL with a password
    r"|[?&;](?:password|passwd|pwd|secret|token|key|api_?key|sig|signature|access_token)=[^&\s]+"
    r"|\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_\w{20,}|github_pat_\w{20,}|sk-[\w-]{20,}|xox[abprs]-[\w-]{10,})"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----",
    re.IGNORECASE,
)


def is_secret(name: str, value: object, columns: Collection[str] = ()) -> bool:
    """Whether text looks like a secret, by its own looks or by the name it goes by.

    What is only called a key is none if it is the name of a column.

    Examples
    --------
    >>> is_secret("url", "postgres://ann:hunter2@db/flights"), is_secret("api_token", "abc"), is_secret("url", "a.csv")
    (True, True, False)
    >>> is_secret("key", "carrier", {"carrier"})
    False
    """
    if not isinstance(value, str | bytes) or not value:
        return False
    if shows_secret(value) or _NAMES.fullmatch(name):
        return True
    return _KEY.fullmatch(name) is not None and value not in columns


def shows_secret(value: str | bytes) -> bool:
    """Whether text holds something that looks like a secret."""
    return _VALUES.search(value.decode("latin-1") if isinstance(value, bytes) else value) is not None


def secrets_in(tree: ast.AST, columns: Collection[str]) -> Iterator[tuple[ast.Constant, str]]:
    """The literals of source that look like secrets, each with the name it goes by, if any."""
    found: dict[ast.Constant, str] = {}
    for name, value in _named_values(tree):
        if isinstance(value, ast.Constant) and is_secret(name, value.value, columns):
            found[value] = name
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node not in found and is_secret("", node.value):
            found[node] = ""
    yield from found.items()


def _named_values(tree: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    """Every value that has a name where it stands."""
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg=str() as name, value=value):
                yield name, value
            case ast.Assign(targets=targets, value=value):
                yield from ((_name(target), value) for target in targets)
            case ast.AnnAssign(target=target, value=value) | ast.NamedExpr(target=target, value=value):
                yield _name(target), value
            case ast.Dict(keys=keys, values=values):
                yield from ((_name(key), value) for key, value in zip(keys, values, strict=True) if key is not None)
            case ast.arguments():
                positional = [*node.posonlyargs, *node.args][::-1]
                yield from ((each.arg, value) for each, value in zip(positional, node.defaults[::-1], strict=False))
                yield from ((a.arg, value) for a, value in zip(node.kwonlyargs, node.kw_defaults, strict=True))
            case ast.Compare(left=left, comparators=[right]):
                yield _name(left), right


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Constant(value=str() as name):
            return name
        case ast.Subscript(slice=index):
            return _name(index)
    return ""
