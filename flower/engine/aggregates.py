"""The aggregates of one step, applied together: a state is one tuple of columns per aggregate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from flower.model import arrays
from flower.model.combiners import Combiner, Order, State
from flower.model.time import I64

States = tuple[State, ...]


@dataclass(frozen=True, slots=True)
class Aggregates:
    """Which combiner makes which result of which column.

    Parameters
    ----------
    parts : tuple of (str, Combiner, str or None)
        Name of the result, its law, the input column.
    inputs : tuple of (pyarrow.Field or None)
        The input columns' fields.
    """

    parts: tuple[tuple[str, Combiner, str | None], ...]
    inputs: tuple[pa.Field | None, ...]

    def _each(self) -> Sequence[tuple[Combiner, pa.Field | None]]:
        return [(law, column) for (_, law, _), column in zip(self.parts, self.inputs, strict=True)]

    def create(self, n: int) -> States:
        """States of ``n`` empty groups."""
        return tuple(law.create(n, column) for law, column in self._each())

    def add(self, states: States, codes: I64, rows: pa.RecordBatch, order: Order) -> States:
        """Row i of ``rows`` into group ``codes[i]``."""
        return tuple(
            law.add(state, codes, None if name is None else rows.column(name), order)
            for state, (_, law, name) in zip(states, self.parts, strict=True)
        )

    def subtract(self, states: States, codes: I64, rows: pa.RecordBatch, order: Order) -> States:
        """Row i of ``rows`` out of group ``codes[i]`` again."""
        return tuple(
            law.subtract(state, codes, None if name is None else rows.column(name), order)
            for state, (_, law, name) in zip(states, self.parts, strict=True)
        )

    def merge(self, states: States, others: States, codes: I64) -> States:
        """Group i of ``others`` into group ``codes[i]``."""
        return tuple(
            law.merge(state, other, codes) for (law, _), state, other in zip(self._each(), states, others, strict=True)
        )

    def extract(self, states: States) -> list[pa.Array]:
        """The result columns."""
        return [law.extract(state, column) for (law, column), state in zip(self._each(), states, strict=True)]


def take(states: States, indices: I64) -> States:
    """The groups at ``indices``."""
    return tuple(tuple(arrays.take(column, indices) for column in state) for state in states)


def cut(states: States, start: int, stop: int) -> States:
    """The groups of ``[start, stop)``, not copied."""
    return tuple(tuple(arrays.cut(column, start, stop) for column in state) for state in states)


def joined(states: Sequence[States]) -> States:
    """The groups of several states one after another."""
    return tuple(
        tuple(arrays.joined(columns) for columns in zip(*same, strict=True)) for same in zip(*states, strict=True)
    )


def size_of(states: States) -> int:
    """Bytes of all columns."""
    return sum(arrays.size_of(column) for state in states for column in state)
