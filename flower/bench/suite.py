"""What is measured: the works, the systems that do them, and which of them each can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
        System("bytewax", "peers/bytewax.py", "bytewax", share=0.03),
        System("pathway", "peers/pathway.py", "pathway", share=0.05),
        System("spark", "peers/spark.py", "spark", share=0.2),
        System("flink", "peers/flink.py", "flink", share=0.2),
    )
}


@dataclass(frozen=True)
class Subject:
    """A function that does a work, and how the table calls it; ``alike``: its result is that of the first."""

    name: str
    system: System
    function: str
    alike: bool = True
    share: float = 1.0
    """Of the rows that its system has."""


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
        No median of Flower's subjects, or no difference of the first to that with ``minus``, may exceed this.
    minus : str or None
        A subject.
    equal : mapping of str to float
        Figures whose medians may not differ by more than that share of the largest, whoever the subject is.
    """

    name: str
    says: str
    subjects: tuple[Subject, ...]
    rows: int = 0
    data: tuple[str, ...] = ()
    rounds: int = 5
    limit_seconds: float | None = None
    minus: str | None = None
    equal: Mapping[str, float] = field(default_factory=dict)


def own(file: str, variant: str = "", **functions: str) -> tuple[Subject, ...]:
    """Flower's subjects of a file, by name (an underscore for a space)."""
    system = System("flower", f"own/{file}.py", variant=variant)
    return tuple(Subject(name.replace("_", " "), system, function) for name, function in functions.items())


def other(file: str, **functions: str) -> tuple[Subject, ...]:
    """Flower's subjects that do another work, to have ratios to it."""
    return tuple(replace(each, alike=False) for each in own(file, **functions))


def peers(function: str, *names: str, **shares: float) -> tuple[Subject, ...]:
    """Other systems' subjects; ``shares`` of their rows for those that are slower here than elsewhere."""
    return tuple(Subject(name, SYSTEMS[name], function, share=shares.get(name, 1.0)) for name in names)


STREAMING = ("bytewax", "pathway", "spark", "flink")
ONE_SHOT = ("polars streaming", "polars", "duckdb")
MILLIONS = 10_000_000

WORKS = (
    Work(
        "w1",
        "sums and counts of 1,000 keys in 10-second windows",
        (
            *own("windows", flower="w1", flower_collect="w1_collect", flower_on_dask="w1_on_dask"),
            *peers("w1", *ONE_SHOT, "numpy loop", "pandas", "streamz", *STREAMING),
        ),
        rows=MILLIONS,
        data=("w1",),
    ),
    Work(
        "w2",
        "the key with the largest sum of each minute, every 10 seconds",
        (
            *own("windows", flower="w2"),
            *peers("w2", *ONE_SHOT, "numpy loop", *STREAMING),
            *other("windows", flower_w1="w1"),
        ),
        rows=MILLIONS,
        data=("w1",),
    ),
    Work(
        "w3",
        "sessions of 100,000 keys, a gap of 10 seconds",
        (*own("windows", flower="w3"), *peers("w3", *ONE_SHOT, "numpy loop", *STREAMING, bytewax=0.1)),
        rows=MILLIONS,
        data=("sessions",),
    ),
    Work(
        "w4",
        "a filter and arithmetic, rows out",
        (
            *own("windows", flower="w4", flower_collect="w4_collect"),
            *peers("w4", *ONE_SHOT, "numpy loop", "pandas", *STREAMING),
        ),
        rows=MILLIONS,
        data=("w1",),
    ),
    Work(
        "w5",
        "two streams joined in 10-second windows, counted and summed",
        (*own("windows", flower="w5"), *peers("w5", *ONE_SHOT, "pandas", *STREAMING)),
        rows=MILLIONS,
        data=("left", "right"),
    ),
    Work(
        "w1-early",
        "W1 with panes every 100 ms and late ones, which replace or take back those before",
        own("windows", retracting="retracting", accumulating="accumulating", as_w1="w1"),
        rows=MILLIONS,
        data=("w1",),
    ),
    Work(
        "w1-strings",
        "W1 by keys of text",
        (*own("windows", strings="strings", numbers="w1"), *peers("strings", *ONE_SHOT)),
        rows=MILLIONS,
        data=("w1", "strings"),
    ),
    Work(
        "w1-checkpoint",
        "W1 with its epochs and state on disk",
        own("windows", state_every_10_s="checkpoint", every_5_epochs="checkpoint_often", nothing_kept="w1"),
        rows=MILLIONS,
        data=("w1",),
    ),
    *(
        Work(
            f"join-{name}",
            says,
            (
                *own("joins", flower=name),
                *own("joins", "collect", flower_collect=name),
                *peers(name, "polars streaming", "polars"),
            ),
            rows=1_000_000,
            data=("left", "right"),
            rounds=3,
        )
        for name, says in (
            ("window", "two streams joined in 10-second windows"),
            ("interval", "two streams joined within 5 seconds"),
            ("asof", "each row with the last of another stream"),
        )
    ),
    *(
        Work(
            f"latency-{name}",
            f"{says}, at 1,000 rows/s unless said (seconds: the median)",
            (
                *own("latency", flower=function),
                *own("latency", **{"flower with a busy kernel": f"{function}_busy"}),
                *(
                    each
                    for rate, said in ((10, "10"), (100, "100"), (10_000, "10k"), (100_000, "100k"))
                    for busy, kernel in (("", "flower"), ("_busy", "flower with a busy kernel"))
                    for each in own("latency", str(rate), **{f"{kernel} at {said} rows/s": f"{function}{busy}"})
                ),
                Subject("bytewax", System("bytewax", "peers/latency.py", "bytewax"), function),
            ),
            rounds=3,
        )
        for name, says, function in (
            ("count", "from a row to its pane, AfterCount(1)", "counted"),
            ("default", "from the row that closes a window to its pane", "closed"),
        )
    ),
    Work(
        "live-keys",
        "an epoch of 10,000 rows into the state of many keys and of few",
        own("live_keys", ten_million_keys="many_default", ten_thousand="few_default"),
        rounds=3,
    ),
    Work(
        "live-keys-early",
        "the same with a pane for every key that has rows",
        own("live_keys", ten_million_keys="many_early", ten_thousand="few_early"),
        rounds=3,
    ),
    *(
        Work(
            f"held-rows{name}",
            f"an epoch of 10,000 rows into {says} that holds many rows, and few",
            own("held_rows", a_million_rows=f"many{of}", ten_thousand=f"few{of}"),
            rounds=3,
        )
        for name, of, says in (
            ("", "", "an interval join"),
            ("-outer", "_outer", "an outer interval join"),
            ("-asof", "_asof", "an as-of join"),
        )
    ),
    Work(
        "import",
        "the import of Flower beyond that of pandas",
        own("start", import_flower="import_flower", import_pandas="import_pandas"),
        rounds=9,
        limit_seconds=0.15,
        minus="import pandas",
    ),
    Work("first-pane", "from run() to the first pane of W1", own("start", flower="pane_of_w1"), limit_seconds=1.0),
    Work("first-pane-flights", "of the demo's pipeline", own("start", flower="pane_of_flights"), limit_seconds=1.0),
    *(
        Work(
            f"nexmark-{number}",
            says,
            (
                *own("nexmark", flower=f"q{number}"),
                *own("nexmark", "collect", flower_collect=f"q{number}"),
                *(peers(f"q{number}", *ONE_SHOT) if number <= 8 else ()),
            ),
            rows=1_000_000,
            data=("persons", "auctions", "bids"),
            rounds=3,
        )
        for number, says in (
            (0, "every bid as it is"),
            (1, "prices in another currency"),
            (2, "the bids for some auctions"),
            (3, "sellers of some states, joined with their auctions as they come"),
            (4, "the average winning bid of a category, in sliding windows"),
            (5, "the auctions with the most bids, in sliding windows"),
            (7, "the highest bid of each window"),
            (8, "new people joined with their auctions, in windows"),
            (9, "the winning bid of each auction"),
            (11, "the sessions of each bidder"),
            (13, "bids with what a table has of the bidder"),
        )
    ),
)
