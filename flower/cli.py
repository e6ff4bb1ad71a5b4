"""The command ``flower``. What ``flower demo`` runs is meant to be copied: the pipeline, its run and its charts."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

import pandas as pd

import flower as fl

FIRST = "01_first_stream.ipynb"


def delays_of(speed: float | None) -> fl.Stream:
    """The delays of each airline over the last three hours, once an hour, from flights as they are observed."""
    flights = fl.read.parquet(
        fl.datasets.flights,
        event_time="departure",
        arrival="observed",
        # Nine flights in ten are observed before one that left four hours later; the others correct what is settled.
        watermark=fl.BoundedDisorder("4h"),
    )
    return (
        fl.replay(flights, speed=speed)
        .filter("delay > 15")
        .window(
            fl.SlidingWindows("3h", every="1h"),  # Where in event time
            trigger=fl.AfterWatermark(  # When in processing time
                early=fl.AfterProcessingTime("200ms"), late=fl.AfterCount(1)
            ),
            accumulation="accumulating",  # How refinements relate
            allowed_lateness="8h",
        )
        .groupby("carrier")
        .agg(flights=("delay", "count"), mean_delay=("delay", "mean"))  # What is computed
        .named("delays")
    )


def demo(speed: float | None, page: Path) -> None:
    """Run the delays, show their progress, print the worst and write the charts to ``page``."""
    print(fl.datasets.flights, end="\n\n")
    delays = delays_of(speed)
    print(delays, end="\n\n")
    run = delays.run()
    run.wait()  # shows the run's numbers until it ends
    print(run)
    print(f"The {run.metrics.errors} errors are cancelled flights: without a departure they have no event time.")
    results, panes = run.results, run.panes()
    assert isinstance(results, pd.DataFrame)  # several outputs would be a dict of frames
    assert isinstance(panes, pd.DataFrame)
    counts = panes["pane_timing"].value_counts(sort=False)
    timings = ", ".join(f"{count:,} {str(timing).replace('_', ' ')}" for timing, count in counts.items())
    print(f"{len(panes):,} panes ({timings}) make {len(results):,} results.\n")
    show(results)

    from flower.charts import Bar, Line, save

    airlines = results.groupby("carrier")["flights"].sum().nlargest(7).index.tolist()
    save(
        [
            Line(x="window_end", y="mean_delay", by="carrier", keys=airlines, title="Mean delay in minutes").figure(
                results
            ),
            Bar(x="window_end", y="flights", by="carrier", keys=airlines, stacked=True, title="Delayed flights").figure(
                results
            ),
        ],
        page,
        "Departures from New York more than 15 minutes late, in the last 3 hours",
    )
    print(f"\nCharts: {page.resolve()}")
    print(f"The pipeline: {Path(__file__)}. Copy it, and change a window or a trigger.")
    print("Next: `make test` runs the tests, `make bench` the measurements.")


def show(results: pd.DataFrame) -> None:
    """Print the ten worst windows of at least five late flights."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    worst = results[results["flights"] >= 5].nlargest(10, "mean_delay")
    table = Table(title="The ten worst windows of five delayed flights or more", title_justify="left")
    for name in ("carrier", "window (UTC)", "delayed", "mean delay", "pane"):
        table.add_column(name, justify="right" if name in ("delayed", "mean delay") else "left")
    columns = [
        worst[name] for name in ("carrier", "window_start", "window_end", "flights", "mean_delay", "pane_timing")
    ]
    for carrier, start, end, flights, mean, timing in zip(*columns, strict=True):
        window = f"{start:%d %b %H:%M} to {end:%H:%M}"
        table.add_row(Text(carrier), window, f"{flights:,}", f"{mean:.0f} min", timing.replace("_", " "))
    Console().print(table)


def lab(directory: Path | None) -> int:
    """Open JupyterLab, reachable from this machine only."""
    if importlib.util.find_spec("jupyterlab") is None:
        print("flower lab needs JupyterLab; pip install 'flower-streams[notebook]'", file=sys.stderr)
        return 1
    if directory is None:
        directory = Path("notebooks") if Path("notebooks").is_dir() else Path()
    if not directory.is_dir():
        print(f"flower lab: there is no directory {directory}", file=sys.stderr)
        return 1
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={directory.resolve()}",
        # Nothing leaves the machine: no news, no look for updates.
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    if (directory / FIRST).is_file():
        command.append(f"--LabApp.default_url=/lab/tree/{FIRST}")
    return subprocess.run(command).returncode


def checkpoints(path: str) -> int:
    """Print what a checkpoint's directory holds; 1 if anything in it is damaged."""
    from flower.engine.inspection import inspect
    from flower.errors import FlowerError

    try:
        found = inspect(path)
    except (FlowerError, OSError) as error:
        print(f"flower checkpoints: {error}", file=sys.stderr)
        return 1
    print(found)
    return 1 if found.damage else 0


def main(arguments: list[str] | None = None) -> int:
    """Run the command; ``arguments`` are those of the shell if left out."""
    from flower.bench import command as bench

    parser = argparse.ArgumentParser(prog="flower", description="Explore streams.")
    commands = parser.add_subparsers(required=True, metavar="command")
    command = commands.add_parser("demo", help="real flights through event-time windows, in the terminal and a chart")
    command.add_argument("--page", type=Path, default=Path("demo.html"), help="the file of the charts (demo.html)")
    command.add_argument(
        "--speed", type=float, default=36_000, help="how much faster than real the flights are observed (36000)"
    )
    command.add_argument("--fast", action="store_true", help="as fast as possible instead")
    command.set_defaults(does=lambda options: demo(None if options.fast else options.speed, options.page))
    command = commands.add_parser("lab", help="JupyterLab with Flower's notebooks, on this machine only")
    command.add_argument(
        "directory", type=Path, nargs="?", help="where to start (notebooks, if it is here, else this directory)"
    )
    command.set_defaults(does=lambda options: lab(options.directory))
    command = commands.add_parser("checkpoints", help="list, verify and describe what run(checkpoint=PATH) has written")
    command.add_argument("path", help="the directory, or an address that fsspec reaches")
    command.set_defaults(does=lambda options: checkpoints(options.path))
    command = commands.add_parser("bench", help="measure Flower beside other systems, on this machine")
    bench.arguments(command)
    options = parser.parse_args(arguments)
    try:
        return options.does(options) or 0
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
