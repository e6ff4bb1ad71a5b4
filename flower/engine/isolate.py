"""A user's function on rows: who fails is found, the others go on.

A function that raises on a frame is called again on its halves, down to the rows that fail: one bad row among n costs
2 log2(n) more calls on 2 n more rows. When all fail the cost stays bounded: of a frame of more than `PROBES` rows, that
many single rows, spread evenly, are tried first, and if none succeeds all rows fail at once; and a frame is worth
`MAX_CALLS` calls, after which what still fails does so as it is, its good rows with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from flower.errors import ColumnError, SchemaError

PROBES = 64
"""How many single rows of a failing frame are tried before it is cut up."""

MAX_CALLS = 5_000
"""How often a function is called for one batch at most."""

T = TypeVar("T")


@dataclass(slots=True)
class Isolated(Generic[T]):
    """What a function gave for ranges of rows, and the ranges for which it raised; both in order."""

    results: list[tuple[int, int, T]] = field(default_factory=list)
    failures: list[tuple[int, int, Exception]] = field(default_factory=list)


def isolate(call: Callable[[int, int], T], length: int) -> Isolated[T]:
    """Call ``call(start, stop)`` for ranges that cover ``length`` rows and are as large as can be.

    A `SchemaError` or `ColumnError` says that the function is no function of this kind, so its range is not cut up.

    Examples
    --------
    >>> done = isolate(lambda start, stop: 1 // int(not start <= 2 < stop), 5)
    >>> [(start, stop) for start, stop, _ in done.results], [(start, stop) for start, stop, _ in done.failures]
    ([(0, 2), (3, 5)], [(2, 3)])
    """
    done: Isolated[T] = Isolated()
    waiting = [(0, length)] if length else []
    calls = 0
    while waiting:
        start, stop = waiting.pop()
        calls += 1
        try:
            done.results.append((start, stop, call(start, stop)))
        except (SchemaError, ColumnError) as error:
            done.failures.append((start, stop, error))
        except Exception as error:  # a user's function may raise anything
            whole = start == 0 and stop == length
            if stop - start == 1 or calls >= MAX_CALLS or (whole and _hopeless(call, length)):
                done.failures.append((start, stop, error))
                continue
            middle = (start + stop) // 2
            waiting += [(middle, stop), (start, middle)]
    return done


def _hopeless(call: Callable[[int, int], T], length: int) -> bool:
    """Whether every one of `PROBES` rows fails; a frame of fewer is cut up anyway."""
    if length <= PROBES:
        return False
    for probe in range(PROBES):
        row = probe * length // PROBES
        try:
            call(row, row + 1)
        except Exception:  # as above
            continue
        return False
    return True
