"""Pipelines as pictures: a layered SVG made in Python, steps from top to bottom, that needs no other tool.

The layers are those of Sugiyama, Tagawa and Toda (1981): a step lies below its inputs, edges that pass a layer get a
place in it, each layer is ordered by the mean place of its neighbours, and then moved as near to them as fits.
"""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from flower.graph.format import Text, graph_text, step_line
from flower.graph.nodes import Aggregate, Node, Read, WindowInto, Write, step_names, walk

CHARACTERS, LINES = 46, 3
"""How much of a step's arguments is shown; the rest is in its tooltip."""

NAME = 36
CHARACTER, BOLD, LINE, PAD = 6.7, 8.2, 15.0, 10.0
GAP_X, GAP_Y = 28.0, 30.0
SWEEPS = 6

_MONO = "font-family: var(--jp-code-font-family, ui-monospace, 'DejaVu Sans Mono', monospace); font-size: 11px"
_SANS = "font-family: var(--jp-ui-font-family, system-ui, sans-serif); font-size: 12px; font-weight: 600"


class Graph(Text):
    """The steps of a pipeline: text in a terminal, drawn in a notebook.

    Parameters
    ----------
    roots : Node or sequence of Node
        The last steps.
    """

    __slots__ = ("_roots",)

    _roots: Node | Sequence[Node]

    def __new__(cls, roots: Node | Sequence[Node]) -> Graph:
        """The text of ``graph_text``."""
        made = super().__new__(cls, graph_text(roots))
        made._roots = roots
        return made

    @property
    def svg(self) -> str:
        """The picture, as text of an SVG element."""
        return drawing(self._roots)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        # As HTML, not as image/svg+xml: that one becomes an <img>, which sees neither the page's colours nor changes.
        return {"text/plain": str(self), "text/html": drawing(self._roots, secrets.token_hex(4))}


@dataclass(eq=False)
class _Box:
    """A step, or the place of an edge in a layer that it passes."""

    layer: int
    width: float
    height: float
    above: list[_Box] = field(default_factory=list)
    below: list[_Box] = field(default_factory=list)
    x: float = 0.0
    y: float = 0.0


def drawing(roots: Node | Sequence[Node], prefix: str = "flow", *, counted: bool = False) -> str:
    """Draw the steps that ``roots`` need, inputs above.

    Parameters
    ----------
    roots : Node or sequence of Node
        The last steps.
    prefix : str
        Begins the ids of the steps' elements, ``prefix-0`` and so on in order of `walk`: unique within a page. Each has
        its step's name as ``data-step``.
    counted : bool
        Whether steps that read or aggregate have a line more, empty, for what a run counts there: a text with the class
        ``flower-count``.

    Returns
    -------
    str
        An SVG element in the colours of what is around it, readable on light and on dark; every text is escaped.

    Examples
    --------
    >>> import pandas as pd, flower as fl
    >>> drawing(fl.read.frame(pd.DataFrame({"v": [1, 2]})).filter("v > 1").node).count("<g ")
    2
    """
    nodes = list(walk(roots))
    names = step_names(roots)
    texts = {node: _wrapped(step_line(node)) for node in nodes}
    longest = max(max(CHARACTER * max(map(len, texts[node])), BOLD * min(len(names[node]), NAME)) for node in nodes)
    width = max(150.0, longest + 2 * PAD + 6)
    lines = {node: len(texts[node]) + (1 if counted and isinstance(node, Read | Aggregate) else 0) for node in nodes}
    boxes = {node: _Box(0, width, LINE * (1 + lines[node]) + 2 * PAD) for node in nodes}
    layers = _layered(nodes, boxes)
    _order(layers)
    total_width, total_height = _place(layers)
    paths = [_path(edge) for node in nodes for edge in _edges(boxes[node], list(boxes.values()))]
    steps = [
        _step(boxes[node], node, names[node], texts[node], f"{prefix}-{index}", lines[node] > len(texts[node]))
        for index, node in enumerate(nodes)
    ]
    label = escape("Steps: " + "; ".join(_printable(f"{names[node]}: {step_line(node)}") for node in nodes))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{label}" class="flower-graph" '
        f'width="{total_width:.0f}" height="{total_height:.0f}" viewBox="0 0 {total_width:.0f} {total_height:.0f}" '
        'style="max-width: 100%; height: auto; color: var(--jp-content-font-color1, currentColor)">\n'
        + "\n".join([*paths, *steps])
        + "\n</svg>"
    )


# -- layout


def _layered(nodes: Sequence[Node], boxes: dict[Node, _Box]) -> list[list[_Box]]:
    """Put each box below its inputs, a source just above its readers; an edge gets a place in each layer between."""
    for node in nodes:
        boxes[node].layer = 1 + max((boxes[each].layer for each in node.inputs), default=-1)
    for node in nodes:
        if not node.inputs and (users := [boxes[each].layer for each in nodes if node in each.inputs]):
            boxes[node].layer = min(users) - 1
    layers: list[list[_Box]] = [[] for _ in range(1 + max(box.layer for box in boxes.values()))]
    for node in nodes:
        box = boxes[node]
        layers[box.layer].append(box)
        for each in dict.fromkeys(node.inputs):
            before = boxes[each]
            for layer in range(before.layer + 1, box.layer):
                between = _Box(layer, 12.0, 0.0)
                layers[layer].append(between)
                _join(before, between)
                before = between
            _join(before, box)
    return layers


def _join(above: _Box, below: _Box) -> None:
    above.below.append(below)
    below.above.append(above)


def _order(layers: list[list[_Box]]) -> None:
    """Order each layer by the mean place of its neighbours, downwards and upwards in turn, to avoid crossings."""
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            place = {id(box): index for each in layers for index, box in enumerate(each)}
            means = {}
            for box in layer:
                near = box.above if down else box.below
                means[id(box)] = sum(place[id(each)] for each in near) / len(near) if near else place[id(box)]
            layer.sort(key=lambda box, means=means: means[id(box)])  # type: ignore[misc]


def _place(layers: list[list[_Box]]) -> tuple[float, float]:
    """Give every box its place; returns width and height of the whole."""
    y = 1.0
    for layer in layers:
        height = max(box.height for box in layer)
        for box in layer:
            box.y, box.height = y, box.height or height
        y += height + GAP_Y
    for sweep in range(3 * SWEEPS):
        for layer in reversed(layers) if sweep % 3 == 1 else layers:
            near = [(box.above, box.below, box.above + box.below)[sweep % 3] for box in layer]
            wanted = [
                sum(each.x for each in others) / len(others) if others else box.x
                for box, others in zip(layer, near, strict=True)
            ]
            for box, x in zip(layer, _apart(wanted, [box.width for box in layer]), strict=True):
                box.x = x
    boxes = [box for layer in layers for box in layer]
    left = min(box.x - box.width / 2 for box in boxes) - 1
    for box in boxes:
        box.x -= left
    return max(box.x + box.width / 2 for box in boxes) + 1, y - GAP_Y + 1


def _apart(wanted: list[float], widths: list[float]) -> list[float]:
    """Centres as near as possible to those wanted, in order and without overlap (least squares: pool the violators)."""
    offsets = [0.0]
    for before, after in itertools.pairwise(widths):
        offsets.append(offsets[-1] + (before + after) / 2 + GAP_X)
    pools: list[tuple[float, int]] = []  # mean, count
    for x, offset in zip(wanted, offsets, strict=True):
        mean, count = x - offset, 1
        while pools and pools[-1][0] >= mean:
            before, many = pools.pop()
            mean, count = (before * many + mean * count) / (many + count), many + count
        pools.append((mean, count))
    means = [mean for mean, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _edges(box: _Box, real: list[_Box]) -> list[list[_Box]]:
    """The ways from a step to those below it, through the places between."""
    ways = []
    for below in box.below:
        way = [box, below]
        while way[-1] not in real:
            way.append(way[-1].below[0])
        ways.append(way)
    return ways


# -- SVG


def _path(way: list[_Box]) -> str:
    first, last = way[0], way[-1]
    x, y = first.x, first.y + first.height
    parts = [f"M{x:.1f} {y:.1f}"]
    for box in way[1:]:
        bottom = box.y - (6 if box is last else 0)
        middle = (y + bottom) / 2
        parts.append(f"C{x:.1f} {middle:.1f} {box.x:.1f} {middle:.1f} {box.x:.1f} {bottom:.1f}")
        if box is not last:
            parts.append(f"V{box.y + box.height:.1f}")
        x, y = box.x, box.y + box.height
    head = f"M{last.x - 4:.1f} {last.y - 7:.1f}L{last.x:.1f} {last.y - 0.5:.1f}L{last.x + 4:.1f} {last.y - 7:.1f}Z"
    return (
        f'<path d="{" ".join(parts)}" fill="none" stroke="currentColor" stroke-opacity="0.55" stroke-width="1.3"/>'
        f'<path d="{head}" fill="currentColor" fill-opacity="0.65"/>'
    )


def _step(box: _Box, node: Node, name: str, lines: list[str], identity: str, counted: bool) -> str:
    left, top = box.x - box.width / 2, box.y
    rect = f'x="{left:.1f}" y="{top:.1f}" height="{box.height:.1f}"'
    parts = [
        f'<g id="{escape(identity)}" class="flower-step" data-step="{escape(_printable(name))}">'
        f"<title>{escape(_printable(step_line(node)))}</title>",
        f'<rect {rect} width="{box.width:.1f}" rx="5" fill="currentColor" fill-opacity="0.05" stroke="currentColor" '
        'stroke-opacity="0.35"/>',
        f'<rect {rect} width="4" rx="2" style="fill: {_color(node)}"/>',
    ]
    x, y = left + PAD + 4, top + PAD + 9
    short = _cut(_printable(name), NAME)
    parts.append(f'<text x="{x:.1f}" y="{y:.1f}" fill="currentColor" style="{_SANS}">{escape(short)}</text>')
    for number, line in enumerate(lines, 1):
        parts.append(
            f'<text x="{x:.1f}" y="{y + number * LINE:.1f}" fill="currentColor" fill-opacity="0.8" '
            f'style="{_MONO}; white-space: pre">{escape(line)}</text>'
        )
    if counted:
        y += (len(lines) + 1) * LINE
        parts.append(
            f'<text class="flower-count" x="{x:.1f}" y="{y:.1f}" fill="currentColor" style="{_SANS}; font-weight: 400">'
            "</text>"
        )
    return "".join(parts) + "</g>"


def _color(node: Node) -> str:
    """What kind of step it is, at a glance; told by its verb as well."""
    match node:
        case Read():
            return "var(--jp-success-color1, #388e3c)"
        case Aggregate() | WindowInto():
            return "var(--jp-warn-color1, #e08600)"
        case Write():
            return "var(--jp-error-color1, #c2185b)"
    return "var(--jp-brand-color1, #1976d2)"


def _wrapped(text: str) -> list[str]:
    """Lines of arguments, broken where a blank, a bracket or a comma lets them."""
    lines = [""]
    for piece in re.findall(r"[^\s(,]+[(,]*\s*|[(,]+\s*|\s+", _printable(text)):
        if lines[-1] and len(lines[-1] + piece.rstrip()) > CHARACTERS:
            lines.append("")
        lines[-1] += piece
    lines = [_cut(line.strip(), CHARACTERS) for line in lines]
    return lines if len(lines) <= LINES else [*lines[: LINES - 1], _cut(lines[LINES - 1], CHARACTERS - 2) + " …"]


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _printable(text: str) -> str:
    """Control characters, which no SVG may hold, and those that turn text around, made visible."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
