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
    # The same windows, keys and seconds at both rates. What may differ: one of ten windows begins in the seconds or not
    # (a twentieth of all bytes), a tick comes before its pane, and the count of rows below the chart has more digits.
    Work(
        "chart-traffic",
        "ten seconds of a live chart, and what they take of a processor",
        here("chart_traffic.py", ten_thousand="few", million="many"),
        rounds=3,
        limit_seconds=1.0,
        equal={"messages_per_second": 0.1, "kB_per_second": 0.1},
    ),
    # A tenth of a processor at most, what the kernel's threads for messages do for it included.
    Work(
        "chart-cost",
        "ten seconds of a live chart at full speed, of a processor",
        (*here("pixels.py", in_a_kernel="chart_at_full_speed"), *here("chart_traffic.py", without_a_page="full")),
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
