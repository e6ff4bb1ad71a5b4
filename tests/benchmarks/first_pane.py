"""How long a person waits for the first pane after `run()`."""

from __future__ import annotations

from harness import measure


def _until_first_pane(stream) -> str:
    with measure():
        run = stream.run()
        while not run.metrics.rows_out and run.state == "running":
            try:
                run.wait(0.002, progress=False)
            except TimeoutError:
                continue
        rows = run.metrics.rows_out
    run.stop()
    if run.error is not None:
        raise run.error
    return str(rows > 0)


def of_flights() -> str:
    """The demo's pipeline."""
    from flower.cli import delays_of

    return _until_first_pane(delays_of(None))


def of_w1() -> str:
    """Ten million rows of Parquet."""
    from w1 import stream

    return _until_first_pane(stream())
