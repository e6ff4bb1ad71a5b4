"""What can come next in a ``%%flow`` cell or a ``%flow`` line; nothing of a person's own code is called to find out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult

from flower.api.grouped import Grouped
from flower.api.stream import Stream
from flower.graph.format import STAGES
from flower.model.combiners import names as combiners
from flower.notebook.cell import CellError, CellStep, steps_of
from flower.notebook.evaluation import arguments, flower_names
from flower.notebook.magics import COMMANDS, streams_of
from flower.notebook.verbs import Steps, VerbError, choices, gives_steps, is_namespace, parameters, result_of, verbs

_STRING = re.compile(r"\"[^\"\\]*(?:\\.[^\"\\]*)*\"|'[^'\\]*(?:\\.[^'\\]*)*'")
_LINE = re.compile(r"\s*([^\W\d][\w.]*)(\s+)(.*)", re.DOTALL)


class FlowMatcher:
    """A matcher for IPython's completer.

    Parameters
    ----------
    namespace : dict
        The notebook's variables.
    """

    # What IPython's decorator `context_matcher` sets on a function.
    matcher_api_version = 2
    matcher_identifier = "flower.flow"
    matcher_priority = 10.0

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace

    def __call__(self, context: CompletionContext) -> SimpleMatcherResult:
        """What may come at the cursor; nothing outside of a cell or line of Flower's."""
        before = _until_cursor(context)
        line = before.rpartition("\n")[2]
        if before.lstrip().startswith("%%flow"):
            head, newline, body = before.lstrip().partition("\n")
            words = self._header(head) if not newline else self._body(head, body)
        elif re.match(r"\s*(?:[\w, ]+=\s*)?%flow\s", line):
            words = self._command(line[line.index("%flow") + 5 :])
        elif "\n" not in context.full_text:
            words = self._lone(line)  # some front ends show no more of a cell than the line of the cursor
        else:
            words = None
        if words is None:
            return {"completions": [], "suppress": False}
        found, only = words
        matches = [SimpleCompletion(text=each, type=kind) for each, kind in found if each.startswith(context.token)]
        return {"completions": matches, "suppress": bool(matches) and only is not None}

    def _header(self, head: str) -> tuple[list[tuple[str, str]], str | None]:
        streams = [(name, "stream") for name in streams_of(self._namespace)]
        done = head.split() if head.endswith(" ") else head.split()[:-1]
        if "--from" in done:
            return streams, None
        return [("--from", "option")] if len(done) == 2 else [], None

    def _command(self, text: str) -> tuple[list[tuple[str, str]], str | None]:
        words = text.split()
        if len(words) < 1 or (len(words) == 1 and not text.endswith(" ")):
            return [(name, "command") for name in COMMANDS], "command"
        command, last = words[0], "" if text.endswith(" ") else words[-1]
        if command == "explain" and (words[-2:-1] == ["--stage"] or (words[-1] == "--stage" and not last)):
            return [(stage, "stage") for stage in STAGES], "stage"
        if len(words) == 1 or (len(words) == 2 and last):
            names = [(name, "stream") for name in streams_of(self._namespace)]
            return names + ([("--all", "option")] if command == "stop" else []), "name"
        if command == "explain":
            return [("--stage", "option")], "option"
        if command == "run" and isinstance(stream := self._namespace.get(words[1]), Stream):
            return self._arguments(stream, "run", " ".join(words[2:]))
        return [], None

    def _body(self, head: str, body: str) -> tuple[list[tuple[str, str]], str | None] | None:
        found = re.fullmatch(r"%%flow\s+(\w+)\s+--from[\s=]\s*(.*?)\s*", head)
        subject, known = self._so_far(found[2] if found else "", body)
        line = _logical_line(body)
        if not (split := _LINE.fullmatch(line)):
            return [(each, "verb") for each in self._expanded(subject, line.strip())], "verb"
        made = self._namespace.get(found[1]) if found else None
        others = [made] if isinstance(made, Stream) and not known else []
        return self._arguments(subject, split[1], split[3], others)

    def _lone(self, line: str) -> tuple[list[tuple[str, str]], str | None] | None:
        split = _LINE.fullmatch(line)
        streams = list(streams_of(self._namespace).values())
        if split is None or not streams or not any(parameters(each, split[1]) for each in _subjects(streams[0])):
            return None
        if re.match(r"[=.,:;+\-*/%<>|&]|(in|is|and|or|if|as|import)\b", split[3]):
            return None
        subject = next(each for each in _subjects(streams[0]) if parameters(each, split[1]))
        return self._arguments(subject, split[1], split[3], streams)

    def _arguments(
        self, subject: object, verb: str, text: str, others: Iterable[Stream] = ()
    ) -> tuple[list[tuple[str, str]], str | None]:
        """What may be among a verb's arguments: its names and Flower's, in a text columns and what the text can be."""
        columns = list(dict.fromkeys(name for each in (subject, *others) for name in _columns(each)))
        inside = _STRING.sub("''", text)
        quote = re.search(r"(?:(\w+)\s*=\s*)?[\"'][^\"']*\Z", inside.replace("''", "__"))
        if quote is not None:
            values = choices(subject, verb, quote[1]) if quote[1] else []
            if values:
                return [(each, "value") for each in values], "text"
            hows = [(each, "aggregation") for each in combiners()] if verb.endswith("agg") else []
            return [(each, "column") for each in columns if not re.search(r"[\"'\\\n]", each)] + hows, "text"
        names = [
            (f"{each.name}=", "argument")
            for each in parameters(subject, verb)
            if each.kind in (each.KEYWORD_ONLY, each.POSITIONAL_OR_KEYWORD)
            and f"{each.name}=" not in text.replace(" ", "")
        ]
        renamed = [(f"{each}=", "column") for each in columns if verb in ("rename", "assign") and each.isidentifier()]
        return names + renamed + [(each, "Flower") for each in flower_names() if each != "fl"], None

    def _so_far(self, source: str, body: str) -> tuple[Steps | None, bool]:
        """The stream before the line of the cursor, as far as it can be told without calling a person's code."""
        subject: Any = self._namespace.get(source)
        if not isinstance(subject, Stream):
            return None, False
        try:
            steps = steps_of(body[: len(body) - len(_logical_line(body))])
        except CellError:
            return subject, False
        for step in steps:
            made = self._made(subject, step)
            if made is None:
                return subject, False
            subject = made
        return subject, True

    def _made(self, subject: Steps, step: CellStep) -> Steps | None:
        try:
            call = step.call()
            if not gives_steps(subject, step.verb) or not all(map(_is_plain, (*call.args, *call.keywords))):
                return None
            made = result_of(subject, step.verb, *arguments(call, {}, "<completion>"))
        except (CellError, VerbError, Exception):
            return None
        return made if isinstance(made, Stream | Grouped) else None

    def _expanded(self, subject: Steps | None, begun: str) -> list[str]:
        """The verbs, and behind a dot those of ``plot`` and ``write``."""
        if subject is None:
            return verbs(Stream)
        space, dot, _ = begun.partition(".")
        known = verbs(type(subject))
        if (
            dot
            and space in known
            and not gives_steps(subject, space)
            and is_namespace(owner := getattr(subject, space))
        ):
            return [f"{space}.{each}" for each in verbs(type(owner))]
        return known


def _until_cursor(context: CompletionContext) -> str:
    """The text before the cursor."""
    lines = context.full_text.split("\n")
    at = min(context.cursor_line, len(lines) - 1)
    return "\n".join([*lines[:at], lines[at][: context.cursor_position]])


def _logical_line(body: str) -> str:
    """The step that the cursor is in, from its verb to the cursor: lines that are indented more belong to it."""
    lines = body.split("\n")
    contents = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    base = len(contents[0]) - len(contents[0].lstrip()) if contents else 0
    start = len(lines) - 1
    while start > 0 and lines[start][: base + 1].isspace() and len(lines[start]) > base:
        start -= 1
    return "\n".join(lines[start:])


def _columns(subject: object) -> list[str]:
    if isinstance(subject, Grouped):
        subject = subject._stream
    return list(subject.schema.names) if isinstance(subject, Stream) else []


def _subjects(stream: Stream) -> list[Steps]:
    return [stream, stream.groupby(stream.schema.names[0])]


def _is_plain(node: ast.AST) -> bool:
    """Whether evaluating it calls nothing but Flower's own constructors of windows and the like."""
    match node:
        case ast.keyword():
            return _is_plain(node.value)
        case ast.Constant():
            return True
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return all(map(_is_plain, parts))
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(value=ast.Name(id="fl"), attr=name)):
            made = flower_names().get(name)
            values = (*node.args, *node.keywords)
            return isinstance(made, type) and made is not Stream and all(map(_is_plain, values))
    return False
