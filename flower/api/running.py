"""How pipelines are run; the engine is imported when the first one is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from flower.errors import GraphError
from flower.model.time import Duration

if TYPE_CHECKING:
    from flower.api.pipeline import Pipeline
    from flower.engine.clock import Clock
    from flower.engine.run import Run, Runs

Client: TypeAlias = Any
"""A ``distributed.Client``, which is not imported here."""


def run(
    *pipelines: Pipeline,
    executor: str | Client = "embedded",
    latency: Duration = "100ms",
    clock: Clock | None = None,
    epoch_rows: int | None = None,
    on_error: Literal["collect", "fail"] = "collect",
    max_errors: int | None = None,
    keep_rows: int = 1_000_000,
    scratch: str | os.PathLike[str] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    state_budget: str | None = None,
    name: str | None = None,
) -> Run:
    """Run several streams and sinks at once, in the background; what they share is computed once.

    Parameters
    ----------
    *pipelines : Stream or Written
        What to run, at least one.
    executor : {"embedded", "dask"}, scheduler address or distributed.Client
        Where: in a thread of this process; on worker processes of this machine that end with the run; or on a Dask
        cluster that is there, such as ``"tcp://host:8786"``.
    latency : str or pandas.Timedelta
        How long rows may wait for an epoch.
    clock : ManualClock, optional
        What tells processing time; None: the system's clock.
    epoch_rows : int, optional
        Rows an epoch, at most; None: as many as the latency allows.
    on_error : {"collect", "fail"}
        Whether rows that cannot be processed go to ``stream.errors`` and the run goes on, or it fails.
    max_errors : int, optional
        With "collect": fail past so many.
    keep_rows : int
        How many rows of each result the run keeps for who looks: of ``run.panes`` the newest; of ``run.results``, where
        the stream has no end, the newest windows.
    scratch : str or os.PathLike, optional
        On a Dask cluster whose workers are on other machines: a directory that all of them reach, for the run's state.
        With a ``checkpoint`` the state is there, and this is not needed.
    checkpoint : str or os.PathLike, optional
        A directory of this run alone, or another place that fsspec reaches, from which it goes on when it is started
        again after a stop, or after its process has died at whatever instruction: with the same pipeline, its files
        and ``run.results`` come out as if nothing had happened. A function of ``write.foreach`` may see the rows of one
        epoch twice. A run that was at its end gives its results again and does nothing. It may go on on another
        executor, and on any number of workers. On Dask the workers write the state, so every one must reach the place
        under the same name; a run whose workers do not is refused.
    state_budget : str, optional
        What the windows that are held may take of memory, as ``"2GB"``: past that the run fails, and says which step
        holds most. Default: half of the memory there is, on Dask half of the workers'.
    name : str, optional
        What to call the run.

    Raises
    ------
    GraphError
        If there is nothing to run, or an option is out of its range.

    Examples
    --------
    >>> import flower as fl, pandas as pd
    >>> rows = fl.read.frame(pd.DataFrame({"v": [1, 2, 3]}))
    >>> run = fl.run(rows.filter("v > 1").named("large"), rows.filter("v < 2").named("small"))
    >>> {step: len(frame) for step, frame in run.wait().results.items()}
    {'large': 2, 'small': 1}
    """
    from flower.api.display import made
    from flower.api.pipeline import Pipeline
    from flower.engine.run import start

    if not pipelines:
        raise GraphError("run() needs at least one stream or sink", got="none", hint="write fl.run(stream, other)")
    for each in pipelines:
        if not isinstance(each, Pipeline):
            raise GraphError(
                "run() takes streams and sinks",
                got=type(each).__name__,
                hint="write fl.run(stream, other, latency='1s')",
            )
    return start(
        [each.node for each in pipelines],
        name=name,
        executor=executor,
        display=made,
        latency=latency,
        clock=clock,
        epoch_rows=epoch_rows,
        on_error=on_error,
        max_errors=max_errors,
        keep_rows=keep_rows,
        scratch=scratch,
        checkpoint=checkpoint,
        state_budget=state_budget,
    )


def runs() -> Runs:
    """The runs of this process, oldest first: those that go on, and those that are over and still in a variable.

    Examples
    --------
    >>> import flower as fl
    >>> run = fl.read.rate(10, rows=1).run(name="one").wait()
    >>> [each.state for each in fl.runs() if each.name == "one"]
    ['finished']
    """
    from flower.engine.run import known

    return known()
