"""The oracle's models that learn: one row after another, with a copy of the model put aside before each."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from flower.model.reference.aggregates import missing
from flower.model.reference.rows import Row, shown
from flower.model.time import MAX_TIME, MIN_TIME


class LearningOracle:
    """What models say of rows before they learn from them.

    Parameters
    ----------
    keys : sequence of str
        Key columns; each key has a model of its own, missing values are equal.
    fresh : callable
        Makes a model that has learnt nothing.
    ask : callable
        Of a model, and the values of a row, what the model says; after that it has learnt. It may raise.
    together : callable or None
        The same of the values of several rows: a list. None: rows are asked about one by one.
    waits : bool
        Whether rows wait for the watermark.
    at_end : bool
        Whether all rows come before a model learns.
    """

    def __init__(
        self,
        keys: Sequence[str],
        fresh: Callable[[], Any],
        ask: Callable[[Any, Any], Any],
        together: Callable[[Any, list[Any]], list[Any]] | None = None,
        *,
        waits: bool,
        at_end: bool,
    ) -> None:
        self.keys, self.fresh, self.waits, self.at_end = tuple(keys), fresh, waits, at_end
        self.ask, self.together = ask, together
        self.watermark = MIN_TIME
        """Of the output, after the last epoch."""
        self.failed: list[tuple[Row, Exception]] = []
        """The rows of the last epoch on which models raised."""
        self._models: dict[tuple[Any, ...], Any] = {}
        self._waiting: list[Row] = []

    def epoch(self, rows: Sequence[Row], w1: int) -> tuple[list[tuple[Row, Any]], list[dict[str, Any]]]:
        """Rows, each with the watermark it meets, and the step's watermark after them: what is given, and dropped."""
        dropped = []
        for row in rows:
            if self.waits and row.met > row.time:
                why = {"reason": "the row came after the watermark", "watermark": shown(row.met)}
                dropped.append({f"input_{n}" if n in why else n: value for n, value in row.values.items()} | why)
            else:
                self._waiting.append(row)
        self.failed = []
        ready: dict[tuple[Any, ...], list[Row]] = {}
        for row in sorted(self._waiting, key=_order):
            if w1 == MAX_TIME or not (self.at_end or (self.waits and row.time >= w1)):
                self._waiting.remove(row)
                key = tuple(None if missing(row.values[name]) else row.values[name] for name in self.keys)
                ready.setdefault(key, []).append(row)
        said = [each for key, some in ready.items() for each in self._of_key(key, some)]
        self.watermark = max(self.watermark, w1)
        return sorted(said, key=lambda each: _order(each[0])), dropped

    def _of_key(self, key: tuple[Any, ...], rows: list[Row]) -> list[tuple[Row, Any]]:
        """What the model of a key says of some rows."""
        model = self._models[key] if key in self._models else self.fresh()
        before = copy.deepcopy(model)
        if self.together is not None:
            try:
                answers = self.together(model, [row.values for row in rows])
                self._models[key] = model
                return list(zip(rows, answers, strict=True))
            except Exception:  # some row is at fault: which?
                model = before
        said = []
        for row in rows:
            before = copy.deepcopy(model)
            try:
                said.append((row, self.ask(model, row.values)))
            except Exception as error:  # a model may raise anything
                self.failed.append((row, error))
                model = before
        self._models[key] = model
        return said


def _order(row: Row) -> tuple[int, int, int]:
    return row.time, row.partition, row.position
