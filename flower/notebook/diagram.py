"""Time diagrams in a notebook: they step, follow a run, answer why a window waits, and replay rows as one chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from flower.charts.diagram import Diagram, Published, run_title
from flower.engine.history import History, of_run, of_stream
from flower.engine.metrics import Metrics
from flower.engine.run import Run
from flower.engine.why import instant
from flower.errors import FlowerError
from flower.model.time import MAX_TIME, MIN_TIME
from flower.notebook.bokeh_document import whole
from flower.notebook.showing import Live, over
from flower.notebook.view_widget import Message

if TYPE_CHECKING:
    from flower.api.stream import Stream

FPS = 2.0
"""Updates a second, at most: each is a figure of its own."""

FOLLOWED = 1_000_000
"""Rows up to which a run is followed: to run the epochs of a larger one again would slow it."""


class _Replayed:
    """Stands where a live view has its run: a stream that was run to its end."""

    state = "finished"
    error = None
    metrics = Metrics()

    def __init__(self, name: str) -> None:
        self.name = name

    def stop(self) -> None:
        """It is over."""


class LiveDiagram(Live, Diagram):
    """A time diagram in a notebook."""

    kind = "diagram"
    share = 4  # a figure of its own takes longer than a patch, and whoever looks at a diagram looks at little else

    def __init__(
        self,
        history: History,
        *,
        key: object = None,
        value: str | None = None,
        title: str | None = None,
        line: pd.DataFrame | None = None,
        run: Run | None = None,
    ) -> None:
        self._asked = key
        self._value = value
        self._said: list[str] = []
        self._new = True
        self._left = False
        Diagram.__init__(self, history, key=key, value=value, title=title, line=line)
        Live.__init__(self, run if run is not None else cast("Run", _Replayed(self.title)), owned=False, fps=FPS)
        self._followed = run

    # -- what the view shows

    def snapshot(self) -> dict[str, Any]:
        """The figure, the selects, and what was said last."""
        with self.lock:
            return {
                "doc": whole(self.figure),
                "selects": self._selects(),
                "said": self._said,
                "about": self._about(),
                **self._below(),
            }

    def changes(self) -> Message | None:
        """All of it, if the run has gone on."""
        with self.lock:
            self._follow()
            if not self._new:
                return None
            self._new = False
            return {"type": "snapshot", **self.snapshot()}, []

    def _follow(self) -> None:
        """Draw what the run has done since."""
        run = self._followed
        if run is None or self.closed:
            return
        self._left = run.metrics.rows_in > FOLLOWED
        if not self._left and self.history.follow(run._driver):
            self._redraw()

    def still(self) -> dict[str, Any] | None:
        """It can be stepped through when the run is over, so it stays."""
        return None

    def _below(self) -> dict[str, Any]:
        if self._followed is not None:
            told = self.about()
            if self._left:
                told["note"] += f" · the diagram follows it for {FOLLOWED:,} rows"
            return told
        return {"note": "click a window that fills, to hear what it waits for", "problem": False}

    def _about(self) -> list[tuple[str, str]]:
        return []

    def _selects(self) -> list[dict[str, Any]]:
        """Keys and values to choose from."""
        shown, made = self.timeline, []
        if len(shown.keys) > 1:
            made.append({"name": "key", "options": list(shown.keys), "chosen": shown.key})
        if len(shown.aggregates) > 1:
            chosen = shown.aggregates.index(shown.value) if shown.value is not None else 0
            made.append({"name": "value", "options": list(shown.aggregates), "chosen": chosen})
        return made

    # -- what a person asks for

    def command(self, name: str, value: object) -> None:
        """A select, or a window, was clicked; the text is not to be trusted."""
        match name.split(":"):
            case ["set", at, number] if _small(at) and _small(number):
                selects = self._selects()
                if int(at) < len(selects) and int(number) < len(selects[int(at)]["options"]):
                    self._choose(selects[int(at)]["name"], int(number))
            case ["why", epoch, start, end] if _small(epoch) and _instant(start) and _instant(end):
                self._answer(int(epoch), int(start), int(end))

    def _choose(self, name: str, number: int) -> None:
        if name == "key":
            self._asked = self.timeline.choices[number]
        else:
            self._value = self.timeline.aggregates[number]
        self._redraw()
        self._send()

    def _answer(self, epoch: int, start: int, end: int) -> None:
        if epoch >= len(self.timeline.clock):
            return
        try:
            self._said = list(self.why(epoch, (instant(start), instant(end))).reasons)
        except FlowerError as error:
            self._said = [str(error)]
        if self._view is not None:
            self._view.tell({"type": "patch", "said": self._said, **self._below()})

    def _redraw(self) -> None:
        self._said = []
        self._look(self.history, self._asked, self._value)
        self._new = True

    def _send(self) -> None:
        if self._view is not None:
            self._view.tell({"type": "snapshot", **self.snapshot()})
            self._new = False

    def tick(self, now: float) -> float | None:
        """Follow the run; what came with its end is drawn too."""
        if over(self.run):
            with self.lock:
                self._follow()
        return super().tick(now)


class LiveFigure(LiveDiagram):
    """A published figure in a notebook, with sliders and selects that treat its rows otherwise."""

    def __init__(self, figure: Published) -> None:
        self._published = figure
        self._chosen = {name: options.index(figure.chosen[name]) for name, options in figure.choices.items()}
        self._refused: str | None = None
        history = of_stream(figure.pipeline().node)
        super().__init__(history, title=figure.title, line=figure.line)

    def _about(self) -> list[tuple[str, str]]:
        return [(kind, text) for kind, text in self._published.about]

    def _below(self) -> dict[str, Any]:
        return {"note": self._refused, "problem": True} if self._refused is not None else super()._below()

    def _selects(self) -> list[dict[str, Any]]:
        return [
            {
                "name": control,
                "options": list(options),
                "chosen": self._chosen[control],
                "published": options.index(self._published.chosen[control]),
                "slides": control in self._published.ordered,
            }
            for control, options in self._published.choices.items()
        ]

    def _treated(self) -> list[tuple[str, str]]:
        options = self._published.choices
        return [(name, options[name][at]) for name, at in self._chosen.items()]

    def _choose(self, name: str, number: int) -> None:
        """Run the same rows again; what cannot be is said."""
        self._chosen[name] = number
        changes = {name.replace(" ", "_"): changed for name, changed in self._treated()}
        try:
            self.history = of_stream(self._published.changed(**changes).pipeline().node)
        except FlowerError as error:
            self._refused = str(error)
        else:
            self._refused = None
            chosen = self._published.chosen
            others = [f"{name} {changed}" for name, changed in self._treated() if changed != chosen[name]]
            self._name = "; ".join([self._published.title, *([f"now {', '.join(others)}"] if others else [])])
            self._redraw()
        self._send()


def live_diagram(stream: Stream) -> Any:
    """What ``stream.time_diagram`` makes in a notebook."""

    def made(*, key: object, value: str | None, step: str | None, epochs: int) -> LiveDiagram:
        return LiveDiagram(of_stream(stream.node, step, epochs=epochs), key=key, value=value)

    return made


def live_run_diagram(run: Run) -> Any:
    """What ``run.time_diagram`` makes in a notebook: it follows the run."""

    def made(*, key: object, value: str | None, step: str | None) -> LiveDiagram:
        return LiveDiagram(of_run(run._driver, step), key=key, value=value, title=run_title(run), run=run)

    return made


def live_figure(figure: Published) -> Any:
    """What the ``time_diagram`` of a published figure makes in a notebook."""
    return lambda: LiveFigure(figure)


def _small(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 8


def _instant(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < 20 and MIN_TIME <= int(text) <= MAX_TIME
