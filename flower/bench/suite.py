"""What is measured: the works, the systems that do them, and which of them each can do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class System:
    """Something that does works.

    Parameters
    ----------
    name : str
        As the table has it.
    file : str
        Where its subjects are, below this directory.
    environment : str or None
        Of ``peers.toml``; None: Flower's own.
    share : float
        Of a work's rows, for those that would take minutes; the table says so.
    variant : str
        Which of its ways; `Given.variant`.
    """

    name: str
    file: str
    environment: str | None = None
    share: float = 1.0
    variant: str = ""


SYSTEMS = {
    each.name: each
    for each in (
        System("polars streaming", "peers/polars.py", "polars", variant="streaming"),
        System("polars", "peers/polars.py", "polars"),
        System("duckdb", "peers/duckdb.py", "duckdb"),
        System("numpy loop", "peers/numpy.py"),
        System("pandas", "peers/pandas.py"),
        System("streamz", "peers/streamz.py", "streamz"),
    )
}


@dataclass(frozen=True)
class Subject:
    """A function that does a work, and how the table calls it."""

    name: str
    system: System
    function: str


@dataclass(frozen=True)
class Work:
    """Subjects that do the same; ratios are of the first to the others.

    Parameters
    ----------
    name, says : str
        For the command, and for the table.
    subjects : tuple of Subject
        The first is Flower's.
    rows : int
        That are measured by default; 0: the work has none.
    data : tuple of str
        Of `flower.bench.data`.
    rounds : int
        That count.
    limit_seconds : float or None
        The first subject's median, or its difference to the last with ``minus``, may not exceed this.
    minus : str or None
        A subject.
    """

    name: str
    says: str
    subjects: tuple[Subject, ...]
    rows: int = 0
    data: tuple[str, ...] = ()
    rounds: int = 5
    limit_seconds: float | None = None
    minus: str | None = None


def own(file: str, **functions: str) -> tuple[Subject, ...]:
    """Flower's own subjects of a file, by name (an underscore for a space)."""
    found = []
    for name, function in functions.items():
        said = name.replace("_", " ")
        found.append(Subject(said, System("flower", f"own/{file}.py"), function))
    return tuple(found)


def peers(function: str, *names: str) -> tuple[Subject, ...]:
    """The subjects of other systems."""
    return tuple(Subject(name, SYSTEMS[name], function) for name in names)


WORKS = (
    Work(
        "w1",
        "sums and counts of 1,000 keys in 10-second windows",
        (
            *own("windows", flower="w1", flower_collect="w1_collect", flower_on_dask="w1_on_dask"),
            *peers("w1", "polars streaming", "polars", "duckdb", "numpy loop", "pandas", "streamz"),
        ),
        rows=10_000_000,
        data=("w1",),
    ),
)
