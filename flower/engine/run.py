"""A stream that runs in the background of this process: what a person holds in hand."""

from __future__ import annotations

import atexit
import itertools
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import pandas as pd

from flower.engine.embedded import Driver, Options, driver_of
from flower.engine.metrics import Metrics
from flower.engine.progress import Progress
from flower.engine.progress import wait as wait_for
from flower.engine.results import Fresh, Results
from flower.engine.rhythm import MOST, Rhythm
from flower.engine.turns import short_turns
from flower.errors import RunError
from flower.graph.nodes import Node
from flower.model.time import MAX_TIME, MIN_TIME

if TYPE_CHECKING:
    from flower.engine.epoch import EpochPlan
    from flower.engine.why import Why
    from flower.graph.drawing import Graph

MOST_SPEED = 1e6

State = Literal["running", "paused", "stopped", "finished", "failed"]

Display = Callable[[str, Any], Any]
"""Makes what a name stands for, as ``made("run_diagram", run)``: what draws is above this layer."""

_unnamed = itertools.count(1)
_numbers = itertools.count(1)
_alive: weakref.WeakSet[Run] = weakref.WeakSet()
"""Every run that somebody still holds; one that goes on is held by its thread."""


class Run:
    """A running stream; made by ``stream.run()``.

    Attributes
    ----------
    name : str
        Its name, unique in this process unless given.

    Examples
    --------
    >>> import flower as fl
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"t": pd.to_datetime(["2000-01-01", "2000-01-02"], utc=True), "v": [1, 2]})
    >>> run = fl.read.frame(frame, event_time="t").window(fl.FixedWindows("1D")).agg(total=("v", "sum")).run()
    >>> run.wait().results["total"].tolist()
    [1, 2]
    """

    def __init__(
        self,
        outputs: Sequence[Node],
        options: Options,
        name: str | None = None,
        executor: object = "embedded",
        display: Display | None = None,
    ) -> None:
        self.name = name if name is not None else f"run-{next(_unnamed)}"
        self._driver: Driver = driver_of(outputs, options, executor)
        self._display = display
        self._state: State = "running"
        self._error: BaseException | None = None
        self.outputs = tuple(outputs)
        """The last steps that it runs."""
        self._number = next(_numbers)
        self._steps = 0
        self._until_firing = False
        self._parked = False
        self._drain = False
        self._done = threading.Event()
        try:
            self._driver.open()
        except BaseException:
            self._driver.close()
            raise
        self._thread = threading.Thread(target=self._in_turns, name=f"flower-{self.name}", daemon=True)
        _alive.add(self)
        self._thread.start()

    # -- what it says

    @property
    def state(self) -> State:
        """``running``, ``paused``, ``stopped``, ``finished`` or ``failed``."""
        return self._state

    @property
    def error(self) -> BaseException | None:
        """What failed, if it did."""
        return self._error

    @property
    def watermark(self) -> pd.Timestamp:
        """The outputs' watermark; NaT before the first and after the last row."""
        us = self._driver.metrics.watermark
        if us in (MIN_TIME, MAX_TIME):
            return cast("pd.Timestamp", pd.NaT)
        return pd.Timestamp(us, unit="us", tz="UTC")

    @property
    def metrics(self) -> Metrics:
        """Its numbers as of the last epoch."""
        return self._driver.metrics

    @property
    def graph(self) -> Graph:
        """The steps that it runs: as text, and drawn in a notebook."""
        from flower.graph.drawing import Graph

        return Graph(self.outputs)

    @property
    def stepping(self) -> bool:
        """Whether it is paused, and just now does the epochs that `step` asked for."""
        return self._state == "paused" and not self._idle()

    @property
    def paced(self) -> bool:
        """Whether it has a source that `speed` makes faster or slower: a replay or a rate."""
        return self._driver.paced

    @property
    def speed(self) -> float:
        """How fast time passes for replays and rates: 2 is twice as fast as they are by themselves. Can be set.

        Live sources come as they come, and processing time is what the clock shows.

        Examples
        --------
        >>> import flower as fl
        >>> run = fl.read.rate(10).run()
        >>> run.speed = 100
        >>> run.stop().speed
        100.0
        """
        return self._driver.pace.speed

    @speed.setter
    def speed(self, speed: float) -> None:
        if isinstance(speed, bool) or not isinstance(speed, int | float) or not 0 < speed <= MOST_SPEED:
            raise RunError(f"`speed` must be a number above 0, at most {MOST_SPEED:,.0f}", got=repr(speed))
        self._tell(lambda: setattr(self._driver.pace, "speed", float(speed)))

    @property
    def results(self) -> pd.DataFrame | dict[str, pd.DataFrame]:
        """The view of the panes so far, sorted by window end, then keys; with several outputs a view for each, by step
        name. Of a stream without end the oldest windows are let go beyond ``keep_rows`` (``attrs["let_go"]`` counts
        these rows).
        """
        views = {}
        for step, results in self._snapshots().items():
            views[step] = results.view()
            views[step].attrs["let_go"] = results.windows_let_go
        return next(iter(views.values())) if len(views) == 1 else views

    def panes(self) -> pd.DataFrame | dict[str, pd.DataFrame]:
        """The panes so far in order of emission; the oldest are let go beyond ``keep_rows`` (``attrs["let_go"]``
        counts them).
        """
        frames = {}
        for step, results in self._snapshots().items():
            frames[step] = results.panes()
            frames[step].attrs["let_go"] = results.let_go
        return next(iter(frames.values())) if len(frames) == 1 else frames

    def since(self, step: str, seen: int) -> tuple[Fresh, int]:
        """The rows of an output beyond the first ``seen``, and how many there are; ``step`` names one of several."""
        snapshots = self._snapshots()
        one = snapshots[step] if step in snapshots else next(iter(snapshots.values()))
        return one.since(seen)

    def _snapshots(self) -> dict[str, Results]:
        """The outputs by step; taken at once, looked at without holding up the run."""
        consumers = self._driver.job.plan.consumers
        with self._driver.changed:
            return {consumers[port].step: results.snapshot() for port, results in self._driver.results.items()}

    def why(self, key: object = None, window: object = None, *, step: str | None = None) -> Why:
        """Why a window has not fired: where the watermark stands and what holds it, and what the trigger waits for.

        Of a join or an enrichment, by ``step`` or in a run without an aggregation: where the watermark of each side
        stands, how many rows wait, and who holds them up.

        Parameters
        ----------
        key : optional
            A value of the key column; with several, a tuple in their order or a mapping by their names. Without
            ``window``, its first window that is open is meant.
        window : datetime-like or (start, end), optional
            The window's end, or the window.
        step : str, optional
            The name of the step; default: the last aggregation, else the last of your own code, else the last join.
            Of code of your own (``process``) it is told what is remembered of the key, and what its timers wait for.

        Raises
        ------
        RunError
            If the run has no such step, or the key does not fit its columns.

        Examples
        --------
        >>> import flower as fl
        >>> from flower.testing import TestStream
        >>> stream = TestStream(schema={"k": "str"}, event_time="t").add([{"k": "a", "t": "2000-01-01T12:00:03Z"}])
        >>> counts = stream.window(fl.FixedWindows("10s")).groupby("k").agg(n="count")
        >>> told = counts.run().wait(progress=False).why("a", "2000-01-01T12:00:10Z")
        >>> told.status, told.rows
        ('open', 1)
        """
        from flower.engine.why import why

        return why(self._driver, key, window, step)

    def time_diagram(self, *, key: object = None, value: str | None = None, step: str | None = None) -> Any:
        """Event time across, processing time up: rows, watermark, panes and the windows that fill, epoch by epoch.

        The run's epochs are run again in this process, those so far; in a notebook the diagram then follows the run.

        Parameters
        ----------
        key : optional
            The key whose windows are drawn; with several columns, a tuple. Default: the one with the most rows.
        value : str, optional
            The aggregate that the windows show; default: the first.
        step : str, optional
            The name of the keyed step; default: the last.

        Raises
        ------
        RunError
            If the run no longer remembers its first epochs.
        GraphError
            If it has no such step, key or value.

        Examples
        --------
        >>> import flower as fl
        >>> from flower.testing import TestStream
        >>> stream = TestStream(schema={"v": "int64"}, event_time="t").add([{"v": 1, "t": "2000-01-01T12:00:03Z"}])
        >>> run = stream.window(fl.FixedWindows("10s")).agg(total=("v", "sum")).run(name="totals")
        >>> run.wait(progress=False).time_diagram()
        <Diagram 'totals, epoch by epoch', 1 epoch: .save('diagram.html') writes a page, .at(n) is a figure up to one>
        """
        if self._display is None:
            raise RunError("a run draws itself if it was started by stream.run() or fl.run()", got=repr(self.name))
        return self._display("run_diagram", self)(key=key, value=value, step=step)

    def __repr__(self) -> str:
        lines = [f"Run {self.name!r}: {self._state}"]
        lines += [f"  {name}: {value}" for name, value in self.metrics.lines()]
        if self._error is not None:
            lines.append(f"  error: {self._error}")
        return "\n".join(lines)

    # -- what it can be told

    def pause(self) -> Run:
        """Stop after the current epoch, and wait for it, until `resume` or `step`; a `step` that goes on is ended."""

        def halt() -> None:
            self._steps, self._until_firing = 0, False
            self._to("paused", {"running"})

        self._tell(halt)
        return self._wait_until_parked()

    def resume(self) -> Run:
        """Go on after `pause`."""
        return self._tell(lambda: self._to("running", {"paused"}))

    def step(self, n: int = 1, *, until: Literal["firing"] | None = None) -> Run:
        """Run ``n`` epochs of a paused run, empty ones where no rows are there, and wait for them.

        Parameters
        ----------
        n : int
            Epochs.
        until : {"firing"}, optional
            Run epochs as rows come, in place of ``n``, until one gives panes, or rows where no step has panes. Ctrl-C
            ends it.

        Raises
        ------
        RunError
            If the run is not paused, or an argument is out of its range.

        Examples
        --------
        >>> import flower as fl
        >>> from flower.testing import ManualClock
        >>> clock = ManualClock()
        >>> counts = fl.read.rate(10).window(fl.FixedWindows("1s")).agg(n="count")
        >>> run = counts.run(clock=clock, epoch_rows=4).pause()
        >>> clock.advance("3s")
        >>> run.step(until="firing").metrics.epochs, run.results["n"].tolist()
        (3, [10])
        >>> _ = run.stop()
        """
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise RunError("step() takes a number of epochs, at least 1", got=repr(n))
        if until not in (None, "firing"):
            raise RunError("`until` of step() must be 'firing'", got=repr(until), hint="or give a number of epochs")
        if self._state != "paused":
            raise RunError("step() needs a paused run", got=self._state, hint="call .pause() first")

        def more() -> None:
            if until is None:
                self._steps += n
            else:
                self._until_firing = True
            self._parked = False

        self._tell(more)
        try:
            return self._wait_until_parked()
        except KeyboardInterrupt:
            self.pause()
            raise

    def stop(self) -> Run:
        """Stop after the current epoch, and wait for it; windows that are open stay so, in its checkpoint too."""
        self._tell(lambda: self._to("stopped", {"running", "paused"}))
        if threading.current_thread() is not self._thread:
            self._thread.join()
        return self

    def drain(self) -> Run:
        """End the input where it is, fire all windows, and wait for it; the job is finished then, and cannot go on."""

        def end() -> None:
            self._drain = True
            self._to("running", {"paused"})

        self._tell(end)
        self._thread.join()
        return self.wait()

    def wait(self, timeout: float | None = None, *, progress: bool = True) -> Run:
        """Wait for the end, or ``timeout`` seconds; meanwhile a terminal or a notebook's cell shows how far it is.

        Ctrl-C stops the run and raises KeyboardInterrupt.

        Raises
        ------
        Exception
            What made the run fail.
        TimeoutError
            If it still runs after ``timeout`` seconds.
        """
        try:
            ended = wait_for(self._done, timeout, Progress(self.name, lambda: self.metrics) if progress else None)
        except KeyboardInterrupt:
            self.stop()
            raise
        if not ended:
            raise TimeoutError(f"{self.name!r} still runs after {timeout} seconds")
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self

    def _wait_until_parked(self) -> Run:
        with self._driver.changed:
            self._driver.changed.wait_for(lambda: self._parked or self._state != "paused" or self._done.is_set())
        return self

    def _to(self, state: State, before: set[str]) -> None:
        if self._state in before:
            self._state = state

    def _tell(self, change: object) -> Run:
        with self._driver.changed:
            change()  # type: ignore[operator]
            self._driver.changed.notify_all()
        return self

    # -- the thread

    def _in_turns(self) -> None:
        with short_turns():
            self._work()

    def _work(self) -> None:
        driver = self._driver
        latency = driver.options.latency_us / 1e6
        rhythm, ticked = Rhythm(latency), float("-inf")
        try:
            driver.read_tables(self._may_go_on)
            while not driver.finished and self._may_go_on():
                began, spent = time.perf_counter(), time.thread_time()
                tick = began - ticked >= MOST * latency
                epoch = driver.next_epoch(drain=self._drain, force=self._steps > 0, tick=tick)
                if epoch is not None:
                    ticked = began
                    self._do(epoch)
                if driver.over():
                    break
                rows = 0 if epoch is None else sum(wanted.end - wanted.start for wanted in epoch.ranges)
                if not rows:
                    driver.settle()
                behind = epoch is not None and driver.behind(epoch)
                took, now = time.thread_time() - spent, time.perf_counter()
                eager = driver.prompt and rhythm.eager(took)
                due = driver.due() if eager else None
                pause = rhythm.pause(now, took=took, rows=rows, behind=behind, due=due)
                rest = rhythm.rest(took=took, passed=now - began) if rows and not behind else 0.0
                with driver.changed:
                    driver.eager = False
                    if rest and self._idle():
                        driver.changed.wait(rest)
                    driver.eager = eager
                    if not (eager and driver.come()) and pause > rest and self._idle():
                        driver.changed.wait(pause - rest)
            driver.settle()
            driver.save(finished=self._state != "stopped")
            if self._state != "stopped":
                self._state = "finished"
        except BaseException as error:
            self._error = error
            self._state = "failed"
        finally:
            try:
                driver.close()
            except Exception as error:
                if self._error is None:
                    self._error, self._state = error, "failed"
            self._done.set()
            with driver.changed:
                driver.changed.notify_all()

    def _do(self, epoch: EpochPlan) -> None:
        driver = self._driver
        before = driver.metrics.rows_out
        driver.run(epoch)
        if self._until_firing:
            driver.settle()
        with driver.changed:
            self._steps = max(0, self._steps - 1)
            if driver.metrics.rows_out > before:
                self._until_firing = False

    def _idle(self) -> bool:
        """Whether no epoch was asked for by `step`."""
        return not self._steps and not self._until_firing

    def _may_go_on(self) -> bool:
        while self._state == "paused" and self._idle():
            self._driver.settle()
            with self._driver.changed:
                if self._state == "paused" and self._idle():
                    self._parked = True
                    self._driver.changed.notify_all()
                    self._driver.changed.wait()
        with self._driver.changed:
            self._parked = False
        return self._state in ("running", "paused")


def start(
    outputs: Sequence[Node],
    *,
    name: str | None = None,
    executor: object = "embedded",
    display: Display | None = None,
    **options: object,
) -> Run:
    """Start a run of ``outputs``; see ``Stream.run`` for the options."""
    return Run(outputs, Options.make(**options), name, executor, display)  # type: ignore[arg-type]


def alive() -> list[Run]:
    """The runs of this process that are not over."""
    return [run for run in list(_alive) if not run._done.is_set()]


class Runs(tuple[Run, ...]):
    """Runs, shown as a table."""

    __slots__ = ()

    @property
    def frame(self) -> pd.DataFrame:
        """A row for each: its name, state, rows and watermark."""
        told = [
            {
                "run": run.name,
                "state": run.state,
                "rows in": run.metrics.rows_in,
                "rows out": run.metrics.rows_out,
                "watermark": dict(run.metrics.lines())["watermark"],
            }
            for run in self
        ]
        return pd.DataFrame(told, columns=["run", "state", "rows in", "rows out", "watermark"])

    def __repr__(self) -> str:
        return self.frame.to_string(index=False) if self else "no runs"


def known() -> Runs:
    """The runs that go on, and those that somebody holds, oldest first."""
    return Runs(sorted(_alive, key=lambda run: run._number))


@atexit.register
def _stop_all() -> None:
    """A thread that computes while the interpreter goes away could crash it."""
    for run in alive():
        run.stop()
