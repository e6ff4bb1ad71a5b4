"""YAML as transcripts need it: 12:00 is text and not a number of base 60, and no mapping names a key twice."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import yaml  # type: ignore[import-untyped]

from flower.errors import TranscriptError


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """PyYAML's safe loader without times and sexagesimal numbers."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # filled below


for _tag, _pattern, _first in (
    ("null", r"~|null|", ["~", "n", ""]),
    ("bool", r"true|false", list("tf")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?|\.inf)|\.nan", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    if twice := [key for i, key in enumerate(keys) if key in keys[:i]]:
        line = node.start_mark.line + 1
        raise TranscriptError(f"a mapping must name each key once (line {line})", got=f"{twice[0]!r} twice")
    mapping: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return mapping


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def load(text: str, name: str) -> Any:
    """The value of a YAML document."""
    try:
        return yaml.load(text, _Loader)  # a safe loader
    except yaml.YAMLError as error:
        raise TranscriptError(f"{name} must be YAML", got=str(error)) from None
