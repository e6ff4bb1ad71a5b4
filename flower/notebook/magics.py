"""``%%flow`` and ``%flow``: a pipeline a line at a time, and its runs, by name."""

from __future__ import annotations

import ast
import difflib
import keyword
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from textwrap import shorten
from typing import Any, NoReturn, cast

import pandas as pd
from IPython.core import magic_arguments
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand

from flower.api.recordings import first_recording, live_reads
from flower.api.stream import Stream
from flower.engine.run import Run, alive
from flower.errors import FlowerError
from flower.model.time import instant_text
from flower.notebook.cell import CellError, CellStep, python_of, steps_of
from flower.notebook.evaluation import run_steps, stream_from
from flower.notebook.markup import without_formulas

COMMANDS = ("list", "show", "run", "pause", "resume", "stop", "graph", "explain", "export")
NAMELESS = ("list",)

# IPython's decorators, which have no types. They make the text of `%flow?`.
_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
_documented: Callable[[str], _Decorator] = magic_arguments.magic_arguments
_argument: Callable[..., _Decorator] = magic_arguments.argument


@dataclass(frozen=True, slots=True)
class Started:
    """A run of a stream, by name.

    Parameters
    ----------
    run : Run
        The run.
    options : CellStep
        What it was given.
    by_cell : bool
        Whether a cell that ran again started it, in place of an older one.
    """

    run: Run
    options: CellStep
    by_cell: bool = False


@magics_class
class FlowMagics(Magics):
    """The magics of one notebook, and the runs that they started."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._runs: dict[str, Started] = {}

    # -- %%flow

    @no_var_expand
    @cell_magic("flow")  # type: ignore[arg-type]
    @_documented("%flow")
    @_argument("name", help="the variable that the stream becomes")
    @_argument("--from", dest="source", metavar="SOURCE", help="a stream: its variable, or an expression")
    def flow_cell(self, line: str, body: str) -> Any:
        """Build a stream, a step a line.

        Each line is a verb and its arguments: a method of Stream, called with just these arguments::

            %%flow delays --from flights
            filter      "delay > 15"
            window      SlidingWindows("1h", every="10min"), allowed_lateness="1h"
            groupby     "carrier"
            agg         flights=("delay", "count"), mean_delay=("delay", "mean")
            plot.line   x="window_end", y="mean_delay", by="carrier"

        Arguments are Python and see the notebook's variables; Flower's names need no import. A step goes on while a
        bracket is open, and over lines that are indented more. Comments begin with #. The stream is shown, on recorded
        rows if its source is live (the first cell records some), or what the last line gives (plot, write, collect
        ...); the variable is then the stream before that line. Running the cell again replaces the stream and its run.
        `%flow?` tells about the runs.
        """
        name, source = self._header(line)
        before = alive()
        try:
            steps = steps_of(body)
            filename = self._remember(python_of(name, source, body, steps))
            stream = stream_from(source, self._namespace, filename)
            outcome = run_steps(stream, steps, self._namespace, filename)
        except CellError as error:
            _refuse(f"%%flow {name}, {error}")
        self._namespace[name] = outcome.stream
        if isinstance(outcome.result, Stream):
            _record(outcome.result)
        # A last line that runs the stream, or shows it live, is its run.
        run = outcome.result if isinstance(outcome.result, Run) else getattr(outcome.result, "run", None)
        if isinstance(run, Run):
            if name in self._runs:
                self._runs[name].run.stop()
            if run not in before and re.fullmatch(r"run-\d+", run.name):
                run.name = name  # as `%flow run` calls it
            self._runs[name] = Started(run, CellStep(1, "run", ""))
        else:
            self._replace_run(name, outcome.stream)
        return outcome.result

    def _header(self, line: str) -> tuple[str, str]:
        found = re.fullmatch(r"\s*(.*?)\s*--from(?:\s+|=)(.*)", line) or re.fullmatch(r"\s*(.*?)\s*(?:--from)?()", line)
        assert found is not None
        name, source = found[1], found[2].strip()
        if not name:
            _refuse("%%flow needs a name for the stream; write %%flow delays --from flights")
        if not name.isidentifier() or keyword.iskeyword(name):
            _refuse(f"%%flow: {name!r} cannot be the name of a variable; write %%flow delays --from flights")
        if not source:
            _refuse(f"%%flow {name} needs a stream to start from; write %%flow {name} --from flights")
        try:
            used = {node.id for node in ast.walk(ast.parse(source, mode="eval")) if isinstance(node, ast.Name)}
        except (SyntaxError, ValueError):
            used = set()
        if name in used:
            _refuse(
                f"%%flow {name} --from {source} would add its steps again with every run of the cell; "
                f"give the new stream another name than {name!r}"
            )
        return name, source

    def _replace_run(self, name: str, stream: Stream) -> None:
        """Let the new stream run if the old one does."""
        started = self._runs.get(name)
        if started is None:
            return
        # What a cell made is stopped when the cell runs again, so the run that it started last time is.
        if started.run.state in ("running", "paused") or (started.by_cell and started.run.state == "stopped"):
            started.run.stop()
            run = self._start(name, stream, started.options)
            self._runs[name] = Started(run, started.options, by_cell=True)
            print(f"The run of {name!r} was replaced.")

    # -- %flow

    @no_var_expand
    @line_magic("flow")  # type: ignore[arg-type]
    @_documented("flow")
    @_argument("command", help=", ".join(COMMANDS))
    @_argument("name", nargs="?", help="a stream, by its variable; for pause, resume and stop also a run")
    @_argument("options", nargs="*", help="what the command takes more")
    def flow_line(self, line: str) -> Any:
        """Show, run and export the streams of this notebook, by name.

        ::

            %flow list                              the streams and the runs
            %flow show delays                       its columns and first rows
            %flow run delays latency="1s"           run it, with the options of stream.run
            %flow pause delays                      let its run wait
            %flow resume delays                     let its run go on
            %flow stop delays                       stop its run; --all: every run
            %flow graph delays                      its steps, drawn
            %flow explain delays --stage physical   how it will be run; without --stage, all three plans
            %flow export delays delays.py           write it as a script of plain Python

        `%%flow?` tells how to build a stream in a cell.
        """
        command, _, rest = line.strip().partition(" ")
        if not command:
            _refuse(f"%flow needs a command: {', '.join(COMMANDS)}; %flow? tells what they do")
        if command not in COMMANDS:
            near = difflib.get_close_matches(command, COMMANDS, 1)
            known = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(COMMANDS)}"
            _refuse(f"%flow: {command!r} is not a command; {known}")
        name, _, options = rest.strip().partition(" ")
        if not name and command not in NAMELESS:
            _refuse(f"%flow {command} needs the name of a stream{self._known()}")
        try:
            return getattr(self, f"_{command}")(name, options.strip())
        except FlowerError as error:
            _refuse(f"%flow {command} {name}: {error}")
        except CellError as error:
            _refuse(f"%flow {command} {name}: {str(error).partition(': ')[2]}")

    def _list(self, name: str, options: str) -> Listing:
        if name:
            _refuse(f"%flow list takes no name; write %flow show {name}")
        runs = {name: started.run for name, started in self._runs.items()}
        runs |= {run.name: run for run in sorted(alive(), key=lambda run: run.name) if run not in runs.values()}
        rows = []
        streams = self._streams()
        for each in dict.fromkeys([*streams, *runs]):
            stream, run = streams.get(each), runs.get(each)
            rows.append(
                {
                    "name": each,
                    "stream": "" if stream is None else "bounded" if stream.node.bounded else "unbounded",
                    "columns": "" if stream is None else shorten(", ".join(stream.schema.names), 60, placeholder=" …"),
                    "run": "" if run is None else run.state,
                    "rows in": "" if run is None else f"{run.metrics.rows_in:,}",
                    "watermark": "" if run is None else instant_text(run.metrics.watermark),
                }
            )
        return Listing(rows)

    def _show(self, name: str, options: str) -> Stream:
        _no_options("show", options)
        return self._stream(name)

    def _run(self, name: str, options: str) -> Run:
        stream = self._stream(name)
        if name in self._runs:
            self._runs[name].run.stop()
        return self._start(name, stream, CellStep(1, "run", options))

    def _start(self, name: str, stream: Stream, options: CellStep) -> Run:
        if re.search(r"\bname\s*=", options.text) is None:
            named = CellStep(1, "run", ", ".join(filter(None, [options.text, f"name={name!r}"])))
        else:
            named = options
        run = run_steps(stream, [named], self._namespace, "<%flow run>").result
        assert isinstance(run, Run)
        self._runs[name] = Started(run, options)
        return run

    def _pause(self, name: str, options: str) -> Run:
        _no_options("pause", options)
        return self._found_run(name).pause()

    def _resume(self, name: str, options: str) -> Run:
        _no_options("resume", options)
        return self._found_run(name).resume()

    def _stop(self, name: str, options: str) -> Run | None:
        _no_options("stop", options)
        for each, started in self._runs.items():
            if name in (each, "--all"):
                self._runs[each] = replace(started, by_cell=False)
        if name != "--all":
            return self._found_run(name).stop()
        runs = sorted(alive(), key=lambda run: run.name)
        for run in runs:
            run.stop()
        print(f"stopped: {', '.join(run.name for run in runs)}" if runs else "nothing was running")
        return None

    def _graph(self, name: str, options: str) -> Any:
        _no_options("graph", options)
        return self._stream(name).graph

    def _explain(self, name: str, options: str) -> str:
        found = re.fullmatch(r"(?:--stage(?:\s+|=)(\w+))?", options)
        if found is None:
            _refuse(f"%flow explain takes --stage logical, optimized or physical; got {options!r}")
        return self._stream(name).explain(cast("Any", found[1]))

    def _export(self, name: str, options: str) -> Any:
        stream = self._stream(name)
        path = options[1:-1] if len(options) > 1 and options[0] == options[-1] and options[0] in "'\"" else options
        if not path:
            _refuse(f"%flow export needs a file to write; write %flow export {name} {name}.py")
        return stream.to_script(path)

    # -- names

    @property
    def _namespace(self) -> dict[str, Any]:
        return cast("dict[str, Any]", self._shell.user_ns)

    @property
    def _shell(self) -> InteractiveShell:
        assert self.shell is not None
        return self.shell

    def _streams(self) -> dict[str, Stream]:
        return streams_of(self._namespace)

    def _stream(self, name: str) -> Stream:
        found = self._namespace.get(name)
        if not isinstance(found, Stream):
            _refuse(f"%flow: {name!r} is not a stream{self._known()}")
        return found

    def _known(self) -> str:
        names = list(self._streams())
        return f"; there are {', '.join(names)}" if names else "; make one with %%flow"

    def _found_run(self, name: str) -> Run:
        """The run of a stream, or one that a variable holds, or of that name."""
        if name in self._runs:
            return self._runs[name].run
        if isinstance(held := self._namespace.get(name), Run):
            return held
        runs = {run.name: run for run in alive()}
        if name not in runs:
            known = f"; running are {', '.join(runs)}" if runs else "; nothing is running"
            _refuse(f"%flow: no run of {name!r}{known}")
        return runs[name]

    def _remember(self, code: str) -> str:
        """Make a cell's Python known to tracebacks, as IPython does with any cell."""
        return self._shell.compile.cache(code, self._shell.execution_count, raw_code=code)

    def forget(self) -> None:
        """Stop the runs that were started here."""
        for started in self._runs.values():
            started.run.stop()
        self._runs.clear()


class Listing:
    """What ``%flow list`` shows: a table, as text or HTML.

    Parameters
    ----------
    rows : list of dict
        Streams and runs.
    """

    def __init__(self, rows: list[dict[str, str]]) -> None:
        self.frame = pd.DataFrame(rows, columns=["name", "stream", "columns", "run", "rows in", "watermark"])

    def __repr__(self) -> str:
        return self.frame.to_string(index=False) if len(self.frame) else "no streams yet; make one with %%flow"

    def _repr_html_(self) -> str | None:
        return without_formulas(self.frame.to_html(index=False, border=0)) if len(self.frame) else None


def streams_of(namespace: dict[str, Any]) -> dict[str, Stream]:
    """The streams that variables hold; not IPython's own ``_`` and ``_3``."""
    return {name: each for name, each in list(namespace.items()) if isinstance(each, Stream) and name[0] != "_"}


def _record(stream: Stream) -> None:
    """Have rows of its live sources at hand, on which it is shown; one that fails is shown without."""
    if live_reads(stream.node):
        try:
            first_recording(stream, "2s", lambda _: True)
        except Exception as error:
            print(f"No rows to show: {type(error).__name__}: {error}")


def _no_options(command: str, options: str) -> None:
    if options:
        _refuse(f"%flow {command} takes a name and no more; got {options!r}")


def _refuse(message: str) -> NoReturn:
    """Say what is wrong, without a traceback."""
    raise UsageError(message) from None
