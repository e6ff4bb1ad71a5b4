"""``stream.to_script(path)``: a pipeline as the script that a person would have written."""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from flower.api.carried import Carried
from flower.api.pipeline import Pipeline
from flower.errors import FlowerError, GraphError, SinkError
from flower.graph.calls import Call
from flower.graph.cogrouping import Sided, sides_of
from flower.graph.enriching import Enrich, EnrichInWindow, EnrichVersions
from flower.graph.format import Text
from flower.graph.joins import Joining
from flower.graph.nodes import Concat, Dropped, Errors, Node, Read, Write, step_names, step_text, walk
from flower.graph.optimizer.rewrite import uses
from flower.graph.source import call_source, cogroup_call, enrich_call, join_call, laid_out, parsed, quoted, step_call
from flower.io.recording import RecordingSource

_MAIN = """


def {main}() -> None:
    parser = argparse.ArgumentParser(description={description})
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        default="embedded",
        help="of the Dask cluster to run on; default: run in this process",
    )
{output}    arguments = parser.parse_args()

{run}

if __name__ == "__main__":
    {main}()
"""


@dataclass(frozen=True)
class Script:
    """A pipeline as a script.

    Parameters
    ----------
    text : str
        Its source.
    environment : mapping of str to str
        The variables of the environment that it reads in place of secrets, and what each stands for.
    """

    text: str
    environment: dict[str, str]


def to_script(path: str | os.PathLike[str], *pipelines: Pipeline) -> Text:
    """Write pipelines as one Python script, which runs without a notebook; see ``Stream.to_script``.

    Parameters
    ----------
    path : str or os.PathLike
        The file; replaced if it is there.
    *pipelines : Stream or Written
        What the script runs, at least one.

    Raises
    ------
    GraphError
        If something of a pipeline cannot be written as source; names the step.
    SinkError
        If the file cannot be written.

    Examples
    --------
    >>> import flower as fl, pathlib, tempfile
    >>> flights = fl.read.parquet(fl.datasets.flights)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "late.py")
    ...     _ = fl.to_script(file, flights.filter("delay > 400").named("late"), flights.agg(n="count").named("all"))
    ...     "fl.run(late, all_, executor=arguments.scheduler)" in file.read_text()
    True
    """
    for each in pipelines:
        if not isinstance(each, Pipeline):
            raise GraphError(
                "to_script() takes streams and sinks", got=type(each).__name__, hint="name them one by one"
            )
    name = os.fspath(path)
    script = script_of([each.node for each in pipelines], PurePath(name).stem)
    try:
        with open(name, "w", encoding="utf-8") as file:
            file.write(script.text)
    except OSError as error:
        raise SinkError(
            f"script: {name!r} must be writable", got=error.strerror, hint="write it to another directory"
        ) from error
    told = [f"set {variable} in the environment: it stands for {what}" for variable, what in script.environment.items()]
    return Text("\n".join([f"wrote {name}", *told]))


def script_of(outputs: Sequence[Node], title: str = "pipeline") -> Script:
    """The script that runs ``outputs``."""
    if not outputs:
        raise GraphError("a script needs at least one stream or sink", got="none", hint="write fl.to_script(path, one)")
    return _Writer(outputs, title).script()


class _Writer:
    """Writes one script: each step once, in variables what is used more than once or has a name in the notebook."""

    def __init__(self, outputs: Sequence[Node], title: str) -> None:
        self.outputs, self.title = list(outputs), title
        self.names = step_names(outputs)
        self.uses = uses(tuple(outputs))
        columns = {name for node in walk(outputs) for name in node.schema.names}
        self.carried = Carried(columns)
        self.notebook = _notebook_names()
        self.variables: dict[Node, str] = {}
        self.one_sink = self._one_sink()

    def script(self) -> Script:
        """Write it."""
        made: dict[Node, ast.expr] = {}
        statements: list[tuple[str, ast.expr]] = []
        for node in walk(self.outputs):
            expression = self._source(node, [made[each] for each in node.inputs])
            if self._needs_name(node):
                name = self._free(self._name(node))
                self.variables[node] = name
                statements.append((name, expression))
                expression = ast.Name(name)
            made[node] = expression
        several = len(self.outputs) > 1
        results = [made[node] for node in self.outputs]
        body = [f"    {name} = {laid_out(each, 7 + len(name), 4)}" for name, each in statements]
        body.append(f"    return {', '.join(map(laid_out, results)) if several else laid_out(results[0], 11, 4)}")
        return self._assembled(body)

    # -- steps

    def _source(self, node: Node, inputs: list[ast.expr]) -> ast.expr:
        """A step on its inputs, with the name that a person gave it."""
        step = step_text(node, self.names)
        self.carried.at(step)
        try:
            made = self._step(node, inputs)
        except FlowerError as error:
            raise error.at(step) from error.__cause__
        if node.name is None:
            return made
        return ast.Call(ast.Attribute(made, "named", ast.Load()), [ast.Constant(node.name)], [])

    def _step(self, node: Node, inputs: list[ast.expr]) -> ast.expr:
        match node:
            case Read():
                if node.call is None:
                    recorded = isinstance(node.source, RecordingSource)
                    raise GraphError(
                        "a script can only read what is stored somewhere, or made by a function",
                        got=f"{node.source.label}, which is in this process",
                        hint="save it with recording.save(path), and use fl.read.recording(path)"
                        if recorded
                        else "write it with frame.to_parquet(path), and use fl.read.parquet(path)",
                    )
                return self._call(node.call, ast.Name("fl"))
            case Write():
                if node.call is None:
                    raise GraphError("a script can only write to what stream.write makes", got=node.sink.label)
                call = self._call(node.call, inputs[0])
                if node is self.one_sink:
                    call.args[0] = ast.Name("output")
                return call
            case Sided():
                return inputs[0]
            case Concat() if (sides := sides_of(node)) is not None:
                return cogroup_call(sides, inputs)
            case Concat():
                return ast.Call(parsed("fl.concat"), inputs, [])
            case Enrich() | EnrichVersions() | EnrichInWindow():
                return enrich_call(node, inputs[0], inputs[1])
            case Joining():
                return join_call(node, inputs[0], inputs[1])
            case Dropped():
                return ast.Attribute(inputs[0], "dropped", ast.Load())
            case Errors():
                return ast.Attribute(inputs[0], "errors", ast.Load())
        return step_call(node, inputs[0], self.carried.source)

    def _call(self, call: Call, on: ast.expr) -> ast.Call:
        def render(value: object, name: str = "") -> ast.expr:
            return self._call(value, ast.Name("fl")) if isinstance(value, Call) else self.carried.source(value, name)

        made = call_source(call, on, render)
        for (name, value), keyword in zip(call.options, made.keywords, strict=True):
            keyword.value = render(value, name)  # by its name, a secret is known for what it is
        return made

    def _one_sink(self) -> Write | None:
        """The sink whose directory ``--output`` may change: the only one, if it has one."""
        sinks = [node for node in self.outputs if isinstance(node, Write)]
        one = sinks[0] if len(sinks) == len(self.outputs) == 1 else None
        return one if one is not None and one.call is not None and one.call.function != "write.foreach" else None

    # -- variables

    def _needs_name(self, node: Node) -> bool:
        if isinstance(node, Read) or self.uses[node] > 1:
            return True
        return (len(self.outputs) > 1 and node in self.outputs) or (node in self.notebook and node not in self.outputs)

    def _name(self, node: Node) -> str:
        if node in self.notebook:
            return self.notebook[node]
        if node.name is not None:
            return node.name
        if isinstance(node, Read):
            path = next(iter(node.call.arguments), None) if node.call is not None else None
            text = os.fspath(path) if isinstance(path, str | os.PathLike) else ""
            return PurePath(text).stem if text else getattr(path, "__name__", "rows")
        return self.names[node]

    def _free(self, text: str) -> str:
        """A name like ``text`` that nothing has yet."""
        base = re.sub(r"\W+", "_", text).strip("_").lower() or "rows"
        base = f"rows_{base}" if base[0].isdigit() else base
        own = {"main", "pipeline", "argparse", "arguments", "output", "run", "parser", "contextlib", "step", "frame"}
        if not base.isidentifier() or not parsable(base) or base in own or self.carried.taken(base):
            base += "_"
        name, count = base, 1
        while name in self.variables.values() or self.carried.taken(name):
            count += 1
            name = f"{base.rstrip('_')}_{count}"
        return name

    # -- the file

    def _assembled(self, body: list[str]) -> Script:
        carried = self.carried
        function = "pipeline" if not carried.taken("pipeline") else "made_pipeline"
        main = "main" if not carried.taken("main") else "run_script"
        unbounded = any(not node.bounded for node in self.outputs)
        carried.imports |= {"import argparse"} | ({"import contextlib"} if unbounded else set())
        verbs = dict.fromkeys(node.verb for node in walk(self.outputs))
        header = [f'"""{_plain(self.title)}: {", ".join(verbs)}. Written by Flower.']
        header += ["", "Reads from the environment, in place of what was written in the notebook:", ""] * bool(
            carried.environment
        )
        header += [f"{variable}: {_plain(what)}" for variable, what in carried.environment.items()]
        docstring = header[0] + '"""' if len(header) == 1 else "\n".join([*header, '"""'])
        parts = [docstring, _imports(carried.imports)]
        if carried.constants:
            parts.append("\n".join(carried.constants.values()))
        parameter = "output" if self.one_sink is not None else ""
        functions = [*carried.definitions.values(), f"def {function}({parameter}):\n" + "\n".join(body)]
        text = "\n\n".join(parts) + "\n\n\n" + "\n\n\n".join(functions)
        text += _MAIN.format(
            main=main,
            description=quoted(f"Run the pipeline {_plain(self.title)}."),
            output=self._output_option(),
            run=self._run(function, unbounded),
        )
        compile(text, f"{self.title}.py", "exec")
        return Script(text, dict(carried.environment))

    def _output_option(self) -> str:
        if self.one_sink is not None:
            call = self.one_sink.call
            assert call is not None
            default = laid_out(self.carried.source(call.arguments[0]))
            about = "directory to write to; default: %(default)s"
        elif all(isinstance(node, Write) for node in self.outputs):
            return ""
        else:
            default = ""
            about = "directory to write Parquet files to; default: print the rows"
        lines = ['"--output",', 'metavar="DIRECTORY",', *([f"default={default},"] if default else [])]
        lines.append(f'help="{about}",')
        inner = "".join(f"        {line}\n" for line in lines)
        short = "    parser.add_argument(" + " ".join(lines).rstrip(",") + ")"
        return (short if len(short) <= 100 else f"    parser.add_argument(\n{inner}    )") + "\n"

    def _run(self, function: str, unbounded: bool) -> str:
        views = [node for node in self.outputs if not isinstance(node, Write)]
        lines = []
        if len(self.outputs) == 1:
            lines.append(f"stream = {function}({'arguments.output' if self.one_sink is not None else ''})")
            if views:
                lines += ["if arguments.output is not None:", "    stream = stream.write.parquet(arguments.output)"]
            lines.append("run = stream.run(arguments.scheduler)")
        else:
            names = [self.variables[node] for node in self.outputs]
            lines.append(f"{', '.join(names)} = {function}()")
            if views:
                lines.append("if arguments.output is not None:")
                for node in views:
                    name, step = self.variables[node], self.names[node]
                    lines.append(f'    {name} = {name}.write.parquet(f"{{arguments.output}}/{_file(step)}")')
            call = parsed(f"fl.run({', '.join(names)}, executor=arguments.scheduler)")
            lines.append(f"run = {laid_out(call, 10, 4)}")
        if unbounded:
            lines += ["with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C ends it", "    run.wait()"]
        else:
            lines.append("run.wait()")
        if len(views) == 1:
            lines += ["if arguments.output is None:", "    print(run.results.to_string())"]
        elif views:
            lines += [
                "if arguments.output is None:",
                "    for step, rows in run.results.items():",
                '        print(f"{step}:\\n{rows.to_string()}")',
            ]
        return "\n".join(f"    {line}" for line in lines) + "\n"


def parsable(name: str) -> bool:
    """Whether a name may be assigned to."""
    try:
        ast.parse(f"{name} = 0")
    except SyntaxError:
        return False
    return True


def _plain(text: str) -> str:
    """Text that may stand in a docstring."""
    return re.sub(r"[^\w .,:;()`'-]", "_", text)


def _file(step: str) -> str:
    return re.sub(r"[^\w.-]+", "_", step)


def _notebook_names() -> dict[Node, str]:
    """The variables of the notebook, or of the script that runs, that hold streams; those of IPython left out."""
    main = vars(sys.modules["__main__"]) if "__main__" in sys.modules else {}
    return {value.node: name for name, value in list(main.items()) if isinstance(value, Pipeline) and name[:1] != "_"}


def _imports(lines: Iterable[str]) -> str:
    """Imports in two groups: the standard library, then the others; each sorted."""
    groups: tuple[list[str], list[str]] = ([], [])
    for line in lines:
        module = line.split()[1].split(".")[0]
        groups[module not in sys.stdlib_module_names].append(line)
    key = lambda line: (line.startswith("from"), line.split()[1].lower(), line)  # noqa: E731
    return "\n\n".join("\n".join(sorted(group, key=key)) for group in groups if group)
