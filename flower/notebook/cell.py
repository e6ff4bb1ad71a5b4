"""The text of a ``%%flow`` cell, cut into steps, and as the Python that it stands for.

A step is ``verb arguments`` on a line; it goes on while a bracket is open, and over lines that are indented more. The
arguments are those of a Python call: they are parsed by `ast` as such a call, and refused if they are more than that.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass

NAME = r"[^\W\d]\w*"
VERB = re.compile(rf"({NAME}(?:\.{NAME})*)(?:\s+|$)(.*)", re.DOTALL)
SUBJECT = "_"
"""What the verb's method is called on, in the Python of a step."""


class CellError(Exception):
    """What is wrong in a line of a cell.

    Parameters
    ----------
    number : int
        The line; the one of the magic itself is 1.
    message : str
        What is wrong.
    verb : str, optional
        The step's.
    """

    def __init__(self, number: int, message: str, verb: str | None = None) -> None:
        super().__init__(f"line {number}{f', {verb}' if verb else ''}: {message}")


@dataclass(frozen=True, slots=True)
class CellStep:
    """A step of a cell.

    Parameters
    ----------
    number : int
        Its first line; the one of the magic itself is 1.
    verb : str
        A method of the stream, as ``filter`` or ``plot.line``.
    text : str
        Its arguments as written, maybe over several lines.
    """

    number: int
    verb: str
    text: str

    @property
    def source(self) -> str:
        """The call that it is: ``.filter("delay > 15")``, on as many lines.

        Examples
        --------
        >>> CellStep(2, "filter", '"delay > 15"  # late').source
        '.filter("delay > 15")  # late'
        """
        before, after = _without_comment(self.text)
        return f".{self.verb}({before}){after}"

    def call(self) -> ast.Call:
        """The call as `ast` sees it, on its own lines of the cell.

        Raises
        ------
        CellError
            If the text is not the arguments of one call.
        """
        try:
            tree = ast.parse("\n" * (self.number - 2) + f"({SUBJECT}\n{self.source}\n)", mode="eval")
        except SyntaxError as error:
            raise self.error(f"{error.msg} in `{self._line(error.lineno)}`", error.lineno) from None
        except ValueError as error:  # null bytes
            raise self.error(str(error)) from None
        call = tree.body
        if isinstance(call, ast.Call) and ast.unparse(call.func) == f"{SUBJECT}.{self.verb}":
            return call
        raise self.error(f"the rest of the line must be arguments, separated by commas; got `{self._line(None)}`")

    def error(self, message: str, line: int | None = None) -> CellError:
        """What is wrong with it."""
        last = self.number + self.text.count("\n")
        return CellError(min(max(line or self.number, self.number), last), message, self.verb)

    def _line(self, number: int | None) -> str:
        lines = self.text.splitlines() or [""]
        return lines[min(max((number or self.number) - self.number, 0), len(lines) - 1)].strip()


def steps_of(body: str) -> list[CellStep]:
    r"""Cut the text below the magic's line into steps; empty lines and comments are none.

    Raises
    ------
    CellError
        If a line does not begin with a verb.

    Examples
    --------
    >>> steps = steps_of('filter "v > 1"\n\n# why\nagg n="count",\n  m="count"')
    >>> [(each.number, each.verb, each.text) for each in steps]
    [(2, 'filter', '"v > 1"'), (5, 'agg', 'n="count",\n  m="count"')]
    """
    lines = body.splitlines()
    steps: list[CellStep] = []
    base: int | None = None
    at = 0
    while at < len(lines):
        first = lines[at]
        if not first.strip() or first.strip().startswith("#"):
            at += 1
            continue
        base = _indent(first) if base is None else base
        number, end = at + 2, _end(lines, at, base)
        found = VERB.fullmatch("\n".join([first.strip(), *lines[at + 1 : end]]))
        if found is None:
            raise CellError(number, _no_verb(first.strip()))
        steps.append(CellStep(number, found[1], found[2].rstrip()))
        at = end
    return steps


def python_of(name: str, source: str, body: str, steps: list[CellStep]) -> str:
    r"""The cell as Python of the same lines, for tracebacks and for whoever asks for the source of a function.

    Examples
    --------
    >>> body = '# the late ones\nfilter "v > 1"'
    >>> print(python_of("late", "rows", body, steps_of(body)))
    late = (rows
    # the late ones
    .filter("v > 1")
    )
    """
    lines = [f"{name} = ({source}", *("" if not line.lstrip().startswith("#") else line for line in body.splitlines())]
    for step in steps:
        text = step.source.split("\n")
        lines[step.number - 1 : step.number - 1 + len(text)] = text
    return "\n".join([*lines, ")"])


def _end(lines: list[str], at: int, base: int) -> int:
    """Where the step that begins in line ``at`` ends: the number of the line after it."""
    end = at + 1
    while end < len(lines):
        rest = VERB.fullmatch("\n".join([lines[at].strip(), *lines[at + 1 : end]]))
        indented = lines[end].strip() and not lines[end].lstrip().startswith("#") and _indent(lines[end]) > base
        if not indented and not (rest and _is_open(rest[2])):
            break
        end += 1
    else:
        rest = VERB.fullmatch("\n".join([lines[at].strip(), *lines[at + 1 : end]]))
        if rest and _is_open(rest[2]):
            return at + 1  # never closed: it is this line that is wrong
    return end


def _is_open(text: str) -> bool:
    """Whether a bracket, or a text in three quotes, is still open at the end."""
    try:
        for _ in tokenize.generate_tokens(io.StringIO(text).readline):
            pass
    except tokenize.TokenError as error:
        return "multi-line" in error.args[0] or "triple-quoted" in error.args[0]
    except SyntaxError:
        return False
    return False


def _without_comment(text: str) -> tuple[str, str]:
    """The text and the comment that ends it, blanks between included."""
    lines = text.splitlines()
    try:
        for token in tokenize.generate_tokens(io.StringIO(f"({text}\n)").readline):
            if token.type == tokenize.COMMENT and token.start[0] == len(lines):
                column = token.start[1] - (1 if len(lines) == 1 else 0)
                before = lines[-1][:column].rstrip()
                return "\n".join([*lines[:-1], before]), lines[-1][len(before) :]
    except (tokenize.TokenError, SyntaxError):
        pass
    return text, ""


def _no_verb(line: str) -> str:
    if found := re.match(rf"\.?({NAME}(?:\.{NAME})*)\s*\((.*)\)\s*$", line):
        return f"a step is its verb, a space and its arguments; write `{found[1]} {found[2]}`"
    return f'a step begins with its verb, as in `filter "delay > 15"`; got `{line}`'


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
