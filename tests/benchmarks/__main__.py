"""``python tests/benchmarks [NAME ...]``, or ``make bench``: measure, print, and keep the figures as JSON."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from harness import CACHE, Benchmark, child, machine, run, table

BENCHMARKS = [
    Benchmark(
        "import",
        {"import flower": "imports:import_flower", "import pandas": "imports:import_pandas"},
        repeat=9,
        limit_seconds=0.15,
        minus="import pandas",
    ),
    Benchmark("first-pane-flights", {"flower run": "first_pane:of_flights"}, limit_seconds=1.0),
    Benchmark("first-pane-w1", {"flower run": "first_pane:of_w1"}, limit_seconds=1.0),
    Benchmark(
        "w1",
        {
            "flower run": "w1:flower_run",
            "flower collect": "w1:flower_collect",
            "polars streaming": "w1:polars_streaming",
            "flower on dask": "w1:flower_on_dask",
            "pandas": "w1:pandas_one_shot",
        },
        rows=10_000_000,
    ),
    Benchmark(
        "w1-checkpoint",
        {
            "flower run": "w1:flower_run",
            "with a checkpoint": "w1:flower_checkpoint",
            "state every 5 epochs": "w1:flower_checkpoint_often",
        },
        rows=10_000_000,
    ),
    Benchmark(
        "w2",
        {
            "flower run": "sliding:flower_sliding",
            "flower w1": "sliding:flower_w1",
            "numpy": "sliding:numpy_slices",
            "polars streaming": "sliding:polars_streaming",
        },
        rows=10_000_000,
    ),
    Benchmark(
        "w3",
        {
            "flower run": "sessions:flower_sessions",
            "numpy": "sessions:numpy_one_shot",
            "polars": "sessions:polars_one_shot",
        },
        rows=10_000_000,
        repeat=3,
    ),
    Benchmark(
        "live-keys",
        {"10,000,000 keys": "live_keys:many_default", "10,000 keys": "live_keys:few_default"},
        rows=10_000,
        repeat=3,
    ),
    Benchmark(
        "live-keys-early",
        {"10,000,000 keys": "live_keys:many_early", "10,000 keys": "live_keys:few_early"},
        rows=10_000,
        repeat=3,
    ),
    *(
        Benchmark(
            f"join-{kind}",
            {
                "flower run": f"joins:{kind}_run",
                "flower collect": f"joins:{kind}_collect",
                "polars": f"joins:{kind}_polars",
            },
            rows=1_000_000,
            repeat=3,
        )
        for kind in ("windows", "interval", "asof")
    ),
    # Seconds of a processor in ten seconds: a tenth at most.
    Benchmark(
        "chart-traffic",
        {"1,000,000 rows/s": "chart_traffic:many", "10,000 rows/s": "chart_traffic:few"},
        repeat=3,
        limit_seconds=1.0,
    ),
    Benchmark("first-chart", {"from %load_ext": "pixels:first_chart"}, repeat=3, limit_seconds=3.0),
    Benchmark("pane-to-pixels", {"median pane": "pixels:pane_to_pixels"}, repeat=3, limit_seconds=0.25),
]


def main() -> int:
    """Run the benchmarks named, all if none is; 1 if a limit is exceeded."""
    parser = argparse.ArgumentParser(prog="python tests/benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(each.name for each in BENCHMARKS)}")
    parser.add_argument("--repeat", type=int, help="rounds that count, instead of each benchmark's own")
    parser.add_argument("--json", type=Path, default=CACHE / "figures.json", help="where to keep the figures")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return 0
    known = {each.name: each for each in BENCHMARKS}
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(known)}")
    reports = []
    for name in options.names or known:
        report = run(known[name], options.repeat or known[name].repeat)
        print(table(report), end="\n\n", flush=True)
        reports.append(report)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({"machine": machine(), "benchmarks": reports}, indent=1))
    print(f"figures: {options.json}")
    return 0 if all(report["within"] for report in reports) else 1


if __name__ == "__main__":
    sys.exit(main())
