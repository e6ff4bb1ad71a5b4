"""Progress below a cell that waits: a bar and a line of numbers; taken away when it is over."""

from __future__ import annotations

import itertools

from flower.engine.metrics import Metrics
from flower.notebook import showing
from flower.notebook.markup import text_html

_numbers = itertools.count(1)


class CellProgress:
    """Progress in the output of the cell that runs."""

    def __init__(self) -> None:
        self._id = f"flower-progress-{next(_numbers)}"
        self._update = False

    def show(self, name: str, metrics: Metrics) -> None:
        """Show it, in place of what was shown."""
        told = dict(metrics.lines())
        bar, share = "", ""
        if metrics.share is not None:
            share = f"{metrics.share:.0%}, "
            bar = f'<progress aria-label="progress" max="1" value="{metrics.share:.3f}"></progress> '
        text = f"{name}: {share}{told['rows']}, {told['epochs']}"
        self._publish({"text/html": f"<div>{bar}{text_html(text)}</div>", "text/plain": text})

    def close(self) -> None:
        """Leave nothing."""
        self._publish({"text/html": "", "text/plain": ""})

    def _publish(self, data: dict[str, str]) -> None:
        showing.screen.publish(data, {}, self._id, update=self._update)
        self._update = True


def cell_progress() -> CellProgress | None:
    """The cell that runs, if one does."""
    return CellProgress() if showing.screen.busy() else None
