"""``make bench``: `flower bench`, and what needs a checkout as well: live charts, in a browser and without one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from flower.bench.command import arguments
from flower.bench.suite import WORKS, Subject, System, Work

HERE = Path(__file__).parent


def here(file: str, **functions: str) -> tuple[Subject, ...]:
    """Subjects of a file beside this one."""
    return tuple(Subject(name, System("flower", str(HERE / file)), function) for name, function in functions.items())


CHARTS = (
    # Seconds of a processor in ten seconds: a tenth at most.
    Work(
        "chart-traffic",
        "ten seconds of a live chart",
        here("chart_traffic.py", full_speed="full", million="many", ten_thousand="few"),
        rounds=3,
        limit_seconds=1.0,
    ),
    Work("first-chart", "from %load_ext", here("pixels.py", chart="first_chart"), rounds=3, limit_seconds=3.0),
    Work(
        "pane-to-pixels",
        "the median pane",
        here("pixels.py", idle_kernel="pane_to_pixels", a_cell_computes="pane_while_a_cell_computes"),
        rounds=3,
        limit_seconds=0.25,
    ),
)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python tests/benchmarks")
    arguments(parser, (*WORKS, *CHARTS))
    options = parser.parse_args()
    sys.exit(options.does(options))
