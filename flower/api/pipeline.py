"""What streams and sinks have in common: they can be shown, explained, named and run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Self

from flower.api import running
from flower.errors import FlowerError, GraphError
from flower.graph.nodes import Node, step_names, walk
from flower.model.time import Duration

# What plans, prints and draws is imported by the methods that need it: `import flower` has a budget.
if TYPE_CHECKING:
    from flower.engine.clock import Clock
    from flower.engine.run import Run
    from flower.graph.drawing import Graph
    from flower.graph.format import Text


class Pipeline:
    """A graph of steps with one last step; immutable.

    Parameters
    ----------
    node : Node
        The last step.
    """

    __slots__ = ("_node",)

    def __init__(self, node: Node) -> None:
        # Derived here, an error is raised by the verb that adds the step, and deep graphs are derived a step at a time.
        hash(node)
        assert node.schema is not None
        self._node = node

    @property
    def node(self) -> Node:
        """The last step; it names its inputs."""
        return self._node

    @property
    def graph(self) -> Graph:
        """The steps: as text, and drawn in a notebook.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> fl.read.frame(pd.DataFrame({"v": [1, 2]})).filter("v > 1").graph
        read-1    read frame of 2 rows
        filter-1  filter "v > 1"
        """
        from flower.graph.drawing import Graph

        return Graph(self._node)

    def explain(self, stage: Literal["logical", "optimized", "physical"] | None = None) -> Text:
        """Tell how it will be run: the steps as written, as optimised (with the rules that applied), and as stages.

        Parameters
        ----------
        stage : {"logical", "optimized", "physical"}, optional
            The one to show; None: all three.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> frame = pd.DataFrame({"k": ["a", "b"], "v": [1, 2], "w": [3, 4]})
        >>> fl.read.frame(frame).filter("v > 1").groupby("k").agg(rows="count").explain("optimized")
        read-1    read frame of 2 rows, columns k, v
        filter-1  filter "v > 1"
        agg-1     agg by k: rows='count'
        <BLANKLINE>
        rules applied:
          prune_columns on 'read-1' (read): now read frame of 2 rows, columns k, v
        """
        from flower.graph.format import explain
        from flower.graph.plan import plan

        return explain(plan([self._node]), stage)

    def named(self, name: str) -> Self:
        """Give the last step a name, by which errors cite it, runs show it and its state is kept.

        Parameters
        ----------
        name : str
            Not the name of another step before it.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> fl.read.frame(pd.DataFrame({"v": [1, 2]})).filter("v > 1").named("large").graph
        read-1  read frame of 2 rows
        large   filter "v > 1"
        """
        if not isinstance(name, str) or not name.strip():
            raise GraphError("the name of a step must be text", got=repr(name), hint="write .named('delays')")
        node = replace(self._node, name=name)
        step_names(node)  # refuses a name that another step has
        return type(self)(node)

    def run(
        self,
        executor: str | running.Client = "embedded",
        *,
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
        """Run it in the background; see `flower.run` for the options.

        Returns
        -------
        Run
            ``run.wait()`` waits for the end, ``run.results`` is the view so far, ``run.stop()`` stops.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> fl.read.frame(pd.DataFrame({"v": [1, 2]})).filter("v > 1").run().wait().results
           v
        0  2
        """
        return running.run(
            self,
            executor=executor,
            latency=latency,
            clock=clock,
            epoch_rows=epoch_rows,
            on_error=on_error,
            max_errors=max_errors,
            keep_rows=keep_rows,
            scratch=scratch,
            checkpoint=checkpoint,
            state_budget=state_budget,
            name=name,
        )

    def to_script(self, path: str | os.PathLike[str]) -> Text:
        r"""Write it as a Python script, which runs without a notebook: ``python delays.py --scheduler ADDRESS``.

        Functions and plain values of the notebook that its steps need are carried along. The script prints the rows, or
        writes to the sink. What looks like a secret is read from the environment instead, and said.

        Parameters
        ----------
        path : str or os.PathLike
            The file; replaced if it is there.

        Raises
        ------
        GraphError
            If something cannot be written as source, such as a frame in memory or a function that holds an open file;
            names the step.

        Examples
        --------
        >>> import flower as fl, pathlib, tempfile
        >>> late = fl.read.parquet(fl.datasets.flights).filter("delay > 400")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "late.py")
        ...     _ = late.to_script(file)
        ...     file.read_text().split("\n\n\n")[1]
        'def pipeline():\n    flights = fl.read.parquet(fl.datasets.flights)\n    return flights.filter("delay > 400")'
        """
        from flower.api.script import to_script

        return to_script(path, self)

    def __repr__(self) -> str:
        from flower.graph.format import stream_text

        return stream_text(self._node)


class Written(Pipeline):
    """A stream that goes to a sink, made by ``stream.write``; run it with ``.run()``, or several with ``fl.run``."""

    __slots__ = ()


@contextmanager
def step_errors(before: Node, verb: str) -> Iterator[None]:
    """Make errors cite the step that ``verb`` is about to add to ``before``."""
    try:
        yield
    except FlowerError as error:
        count = 1 + sum(node.verb == verb for node in walk(before))
        raise error.at(f"'{verb}-{count}' ({verb})") from error.__cause__
