"""One run of one subject, in a process of its own: ``python -P child.py FILE FUNCTION OPTIONS``.

It runs in environments that have no Flower, so it imports nothing of it. A subject is a function of a `Given`: it
prepares what does not count, measures what does, and gives its result as columns. Only what they come to is compared.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Columns = Mapping[str, Any]
"""Results by column, NumPy arrays or what becomes one; times as microseconds since 1970. Their order says nothing."""


class Given:
    """What a subject works on, and what takes its time.

    Parameters
    ----------
    rows : int
        How many.
    cache : Path
        Where the data are.
    variant : str
        Which of the ways a system has.
    """

    def __init__(self, rows: int, cache: Path, variant: str = "") -> None:
        self.rows, self.cache, self.variant = rows, cache, variant
        self.figures: dict[str, float] = {}

    def path(self, name: str) -> str:
        """The Parquet file of that name and that many rows."""
        return str(self.cache / f"{name}-{self.rows}.parquet")

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Count the time inside; the CPU's of all threads and of the processes that were started."""
        before, cpu = time.perf_counter(), _cpu_seconds()
        yield
        self.record(seconds=time.perf_counter() - before, cpu_seconds=_cpu_seconds() - cpu, peak_mb=_peak_mb())

    def record(self, **figures: float) -> None:
        """Keep what a subject has measured itself, such as the median of its parts."""
        self.figures.update(figures)


def _descendants() -> list[Path]:
    """The processes that this one has started, and those that they have; where there is no ``/proc``, none."""
    parents: dict[int, int] = {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(directory.name)] = int((directory / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue  # it has ended meanwhile
    found, new = set[int](), {os.getpid()}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new}
        found |= new
    return [Path("/proc") / str(pid) for pid in found]


def _cpu_seconds() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = time.process_time() + ended.ru_utime + ended.ru_stime
    for directory in _descendants():
        try:
            times = (directory / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        seconds += (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


def _peak_mb() -> float:
    # `ru_maxrss` would count what the process that started this one had.
    found = [_high(Path("/proc/self")), *map(_high, _descendants())]
    if any(found):
        return sum(found)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


def _high(directory: Path) -> float:
    """The most memory that a process has had, in MB; 0: that cannot be told."""
    try:
        lines = (directory / "status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def digest(columns: Columns) -> str:
    """What stands for a result, so that processes can compare theirs: equal for equal rows in any order.

    Examples
    --------
    >>> digest({"a": [2, 1], "b": ["x", "y"]}) == digest({"a": [1, 2], "b": ["y", "x"]})
    True
    >>> digest({"a": [1, 2], "b": [1, 2]}) == digest({"a": [1, 2], "b": [2, 1]})
    False
    """
    import numpy as np

    rows = 0
    mixed = np.zeros(1, np.uint64)
    for name in sorted(columns):
        column = np.asarray(columns[name])
        if column.dtype.kind in "OUT":
            texts, codes = np.unique(column.astype("U"), return_inverse=True)
            hashes = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) for text in texts.tolist()]
            numbers = np.array(hashes, np.uint64)[codes]
        else:
            numbers = column.astype(np.int64).view(np.uint64)
        rows = len(numbers)
        mixed = _mixed(mixed + _mixed(numbers) + np.uint64(len(name)))
    total = int(mixed.sum(dtype=np.uint64)) if rows else 0
    return f"{rows}-{total:016x}"


def _mixed(numbers: Any) -> Any:
    """Spread every bit over all 64 (Steele, Lea and Flood, 2014: SplitMix)."""
    import numpy as np

    numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def main(arguments: list[str]) -> None:
    """Run one subject and print its sample."""
    file, function, rows, cache, variant = arguments
    spec = importlib.util.spec_from_file_location("subject", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    subject: Callable[[Given], Columns] = getattr(module, function)
    given = Given(int(rows), Path(cache), variant)
    result = subject(given)
    print("\n" + json.dumps({"peak_mb": _peak_mb(), **given.figures, "digest": digest(result)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
