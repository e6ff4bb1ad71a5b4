"""The one place through which a stream reaches what draws it: the layers above register themselves here.

The verbs import nothing of those layers; a name that is not registered yet is looked for in the module that provides
it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

PROVIDERS = {
    "plot": "flower.charts",
    "table": "flower.api.tables",
    "dashboard": "flower.charts",
    "time_diagram": "flower.charts",
    "run_diagram": "flower.charts",
    "figure_diagram": "flower.charts",
}
"""Which module registers which name when it is imported: views of a stream or several, of a figure, of a run."""

_factories: dict[str, Callable[[Any], Any]] = {}


def register(name: str, factory: Callable[[Any], Any]) -> None:
    """Let ``factory(stream)`` make what ``name`` stands for; the last one counts.

    Examples
    --------
    >>> register("shout", lambda stream: f"{stream}!")
    >>> made("shout", "a stream")
    'a stream!'
    """
    _factories[name] = factory


def made(name: str, stream: Any) -> Any:
    """Make what ``name`` stands for."""
    if name not in _factories:
        importlib.import_module(PROVIDERS[name])
    return _factories[name](stream)
