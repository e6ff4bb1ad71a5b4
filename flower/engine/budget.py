"""How many bytes the state of a run may take: it fails clearly before memory does."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress

from flower.errors import GraphError, RunError

SHARE = 2
"""State may take one half of the memory there is, unless a person says otherwise: an epoch needs some beside it."""

_UNITS = {unit: 1000**power for power, unit in enumerate(("B", "KB", "MB", "GB", "TB"))} | {
    unit: 1024**power for power, unit in enumerate(("KIB", "MIB", "GIB", "TIB"), 1)
}
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def budget_of(value: object, name: str = "state_budget") -> int | None:
    """Bytes of what a person gave for ``name``.

    Raises
    ------
    GraphError
        If it is no size.

    Examples
    --------
    >>> budget_of("2GB"), budget_of("512 MiB"), budget_of(None)
    (2000000000, 536870912, None)
    """
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]+)", value.strip()) if isinstance(value, str) else None
    unit = _UNITS.get(found[2].upper()) if found else None
    size = 0 if found is None or unit is None else int(float(found[1]) * unit)
    if size < 1:
        raise GraphError(
            f"`{name}` must be a size above 0",
            got=repr(value),
            hint="write it with its unit, as '2GB' or '512MiB'",
        )
    return size


def memory() -> int | None:
    """Bytes that this process may use: the machine's, or less where its container says so; None: nobody knows."""
    sizes = [size for path in _LIMITS if (size := _limit(path)) is not None]
    with suppress(AttributeError, ValueError, OSError):  # not on every system
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(sizes, default=None)


def _limit(path: str) -> int | None:
    try:
        with open(path, encoding="ascii") as file:
            text = file.read().strip()
    except (OSError, UnicodeDecodeError):
        return None
    return int(text) if text.isdigit() else None


def check(held: Mapping[str, tuple[int, int]], budget: int | None) -> None:
    """Refuse state that takes more than its budget.

    Parameters
    ----------
    held : mapping of str to (int, int)
        Per keyed step, its (key, window) records and their bytes.
    budget : int or None
        Bytes; None: there is none.

    Raises
    ------
    RunError
        If it does; names the step that holds most.
    """
    whole = sum(size for _, size in held.values())
    if budget is None or whole <= budget:
        return
    name, (groups, size) = max(held.items(), key=lambda each: each[1][1])
    raise RunError(
        f"the state must stay within {_text(budget)}",
        got=f"{_text(whole)}, of which this step holds {_text(size)} for {groups:,} (key, window) pairs",
        hint="let state go with ttl=, a smaller allowed_lateness= or smaller windows; spread it over machines with"
        " .run(client); or allow more with run(state_budget=...)",
        step=repr(name),
    )


def _text(size: int) -> str:
    for unit, least in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= least:
            return f"{size / least:.1f} {unit}"
    return f"{size} bytes"
