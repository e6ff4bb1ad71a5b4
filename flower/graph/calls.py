"""How a source or sink was made: the call that a person wrote, as a value, so that a script can say it again."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Call:
    """A call of a function of the API.

    Parameters
    ----------
    function : str
        Its name after ``fl.`` or the stream's dot: ``"read.parquet"``, ``"write.json_lines"``.
    arguments : tuple
        What was given for parameters without a default; a `Call` where a stream was given.
    options : tuple of (str, object)
        What was given for the others, where it is not the default.

    Examples
    --------
    >>> def parquet(path, *, tz="UTC", partitions=1): ...
    >>> Call.of("read.parquet", parquet, ("a.parquet",), {"tz": "UTC", "partitions": 2})
    Call(function='read.parquet', arguments=('a.parquet',), options=(('partitions', 2),))
    """

    function: str
    arguments: tuple[object, ...] = ()
    options: tuple[tuple[str, object], ...] = ()

    @classmethod
    def of(
        cls, name: str, function: Callable[..., Any], arguments: tuple[object, ...], options: Mapping[str, object]
    ) -> Call:
        """The call ``function(*arguments, **options)``; what is changed afterwards does not change it."""
        signature = inspect.signature(function)
        given, others = [], []
        for parameter, value in signature.bind(*arguments, **options).arguments.items():
            default = signature.parameters[parameter].default
            kept = _copied(value)
            if default is inspect.Parameter.empty:
                given.append(kept)
            elif not (value is default or (type(value) is type(default) and value == default)):
                others.append((parameter, kept))
        return cls(name, tuple(given), tuple(others))


def _copied(value: object) -> object:
    if isinstance(value, dict):
        return dict(value)
    return list(value) if isinstance(value, list) else value
