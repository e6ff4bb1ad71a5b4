"""The aggregates of one step, applied together: a state is one tuple of columns per aggregate, those that share one
(standard deviation and variance, all that need the values of a column) together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from flower.errors import CombinerError
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
        The input columns' fields; a struct where a combiner takes several.
    step : str
        The step's name, for errors.
    """

    parts: tuple[tuple[str, Combiner, str | None], ...]
    inputs: tuple[pa.Field | None, ...]
    step: str = ""
    _place: tuple[int, ...] = field(init=False, repr=False, compare=False)
    """For each part, which of the states it is extracted from."""
    _each: tuple[tuple[Combiner, pa.Field | None, tuple[pa.DataType, ...] | None], ...] = field(
        init=False, repr=False, compare=False
    )
    """The combiners that keep states, and the types of these."""

    def __post_init__(self) -> None:
        first: dict[object, int] = {}
        slots = [first.setdefault((law.basis, column), i) for i, (_, law, column) in enumerate(self.parts)]
        kept = list(dict.fromkeys(slots))
        object.__setattr__(self, "_place", tuple(kept.index(slot) for slot in slots))
        each = tuple((self.parts[i][1], self.inputs[i], self.parts[i][1].state_types(self.inputs[i])) for i in kept)
        object.__setattr__(self, "_each", each)

    def create(self, n: int) -> States:
        """States of ``n`` empty groups."""
        return tuple(self._checked(law, kinds, law.create(n, column), n) for law, column, kinds in self._each)

    def add(self, states: States, codes: I64, rows: pa.RecordBatch, order: Order) -> States:
        """Row i of ``rows`` into group ``codes[i]``."""
        return tuple(
            self._checked(law, kinds, law.add(state, codes, _taken(column, rows), order), _length(state))
            for (law, column, kinds), state in zip(self._each, states, strict=True)
        )

    def subtract(self, states: States, codes: I64, rows: pa.RecordBatch, order: Order) -> States:
        """Row i of ``rows`` out of group ``codes[i]``."""
        return tuple(
            self._checked(law, kinds, law.subtract(state, codes, _taken(column, rows), order), _length(state))
            for (law, column, kinds), state in zip(self._each, states, strict=True)
        )

    def merge(self, states: States, others: States, codes: I64) -> States:
        """Group i of ``others`` into group ``codes[i]``."""
        return tuple(
            self._checked(law, kinds, law.merge(state, other, codes), _length(state))
            for (law, _, kinds), state, other in zip(self._each, states, others, strict=True)
        )

    def extract(self, states: States, ends: tuple[I64, I64] | None = None) -> list[pa.Array]:
        """The result columns; ``ends`` are start and end of each group's window, which some combiners need."""
        results = []
        for (_, law, _), column, place in zip(self.parts, self.inputs, self._place, strict=True):
            state = states[place]
            result = law.extract(state, column) if ends is None else law.extract_over(state, column, *ends)
            results.append(self._result(law, column, result, _length(state)))
        return results

    def _checked(self, law: Combiner, kinds: tuple[pa.DataType, ...] | None, state: State, n: int) -> State:
        """The state that a combiner gave, if it is one as it declared."""
        if kinds is None:
            return state
        if not isinstance(state, tuple) or len(state) != len(kinds):
            got = f"{len(state)} columns" if isinstance(state, tuple) else type(state).__name__
            raise self._wrong(law, f"keep a state of {len(kinds)} columns, in a tuple", got)
        for part, kind in zip(state, kinds, strict=True):
            if not isinstance(part, np.ndarray | pa.Array):
                raise self._wrong(law, "keep a state of NumPy or Arrow arrays", type(part).__name__)
            if len(part) != n:
                raise self._wrong(law, f"keep a state as long as there are groups, {n}", f"{len(part)} values")
            have = pa.from_numpy_dtype(part.dtype) if isinstance(part, np.ndarray) else part.type
            if have != kind:
                raise self._wrong(law, f"keep a state of the types that it declared, {kind}", str(have))
        return state

    def _result(self, law: Combiner, column: pa.Field | None, result: pa.Array, n: int) -> pa.Array:
        field = law.schema(column)
        if not isinstance(result, pa.Array):
            raise self._wrong(law, "give an Arrow array as its result", type(result).__name__)
        if len(result) != n:
            raise self._wrong(law, f"give a value for each of {n} groups", f"{len(result)} values")
        if result.type != field.type:
            raise self._wrong(law, f"give what it declared, {field.type}", str(result.type))
        if result.null_count and not field.nullable:
            raise self._wrong(law, "give no missing values, as it declared", f"{result.null_count} of them")
        return result

    def _wrong(self, law: Combiner, must: str, got: str) -> CombinerError:
        return CombinerError(f"combiner {law.name!r} must {must}", got=got, step=repr(self.step))


def _taken(column: pa.Field | None, rows: pa.RecordBatch) -> pa.Array | None:
    """The input of a combiner."""
    if column is None or not pa.types.is_struct(column.type):
        return None if column is None else rows.column(column.name)
    parts = [rows.column(part.name) for part in column.type]
    return pa.StructArray.from_arrays(parts, fields=list(column.type))


def _length(state: State) -> int:
    return len(state[0]) if state else 0


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
