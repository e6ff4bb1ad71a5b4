"""Approximate aggregates: a state of bounded size, kept as the bytes of Apache DataSketches.

The library is the extra ``sketches``. It is called for each group of an epoch's rows, and for each distinct value that
is counted; everything around it is arrays. A sketch cannot take rows back.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from flower.errors import GraphError
from flower.model.arrays import distinct, group_starts, joined, missing, numbers, take
from flower.model.combiners.base import Combiner, Order, State
from flower.model.time import I64


def _library(who: str) -> Any:
    """DataSketches.

    Raises
    ------
    GraphError
        If it is not installed.
    """
    try:
        import datasketches
    except ImportError as error:
        raise GraphError(
            f"{who} needs datasketches", got=str(error), hint="pip install 'flower-streams[sketches]'"
        ) from error
    return datasketches


PARTS = 16
"""How many sketches a group may have before they are put together: so an epoch costs no more for large ones."""


class Sketched(Combiner):
    """A combiner whose state is the bytes of a few sketches a group, which are put together when they are many."""

    @abstractmethod
    def sketches(self, groups: I64, column: pa.Array) -> tuple[I64, list[bytes]]:
        """The groups that rows belong to, ascending, and a sketch of each; none of the values is missing."""

    @abstractmethod
    def together(self, sketches: Sequence[bytes]) -> bytes:
        """One sketch of what several are of."""

    def create(self, n: int, column: pa.Field | None) -> State:
        return (_lists(np.zeros(n + 1, np.int64), pa.array([], pa.large_binary())),)

    def state_types(self, column: pa.Field | None) -> tuple[pa.DataType, ...]:
        return (pa.large_list(pa.large_binary()),)

    def add(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        assert column is not None
        gone = missing(column)
        if gone is not None:
            kept = np.flatnonzero(~gone)
            codes, column = codes[kept], take(column, kept)
        groups, made = self.sketches(codes, column)
        return self.merge(state, (_lists(np.arange(len(groups) + 1), pa.array(made, pa.large_binary())),), groups)

    def merge(self, state: State, other: State, codes: I64) -> State:
        (mine, known), (theirs, more) = _flat(state[0]), _flat(other[0])
        group, parts = np.concatenate((mine, codes[theirs])), joined((known, more))
        order = np.argsort(group, kind="stable")
        group, parts = group[order], take(parts, order)
        starts = group_starts(group)
        sizes = np.diff(np.append(starts, len(group)))
        many = np.flatnonzero(sizes > PARTS)
        if len(many):
            at, stays = np.arange(len(group)), np.ones(len(group), np.bool_)
            made: list[bytes] = []
            for start, size in zip(starts[many].tolist(), sizes[many].tolist(), strict=True):
                at[start] = len(group) + len(made)
                stays[start + 1 : start + size] = False
                made.append(self.together(parts.slice(start, size).to_pylist()))
            group, parts = group[stays], take(joined((parts, pa.array(made, pa.large_binary()))), at[stays])
        return (_lists(np.searchsorted(group, np.arange(len(state[0]) + 1)), parts),)

    def told(self, state: State) -> list[bytes | None]:
        """One sketch of each group; None: no value has come."""
        every = state[0].to_pylist()
        return [None if not parts else parts[0] if len(parts) == 1 else self.together(parts) for parts in every]


def _lists(offsets: I64, parts: pa.Array) -> pa.Array:
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), parts)


def _flat(lists: pa.Array) -> tuple[I64, pa.Array]:
    """The group of each sketch, and the sketches."""
    return np.repeat(np.arange(len(lists)), np.diff(np.asarray(lists.offsets))), lists.flatten()


@dataclass(frozen=True, repr=False)
class ApproxDistinct(Sketched):
    """About how many distinct values there are, missing ones left out; exactly, if there are few.

    A theta sketch of Apache DataSketches: it remembers the ``2**lg_k`` values with the least hashes, so up to that many
    are counted exactly, beyond it with a standard error of ``2**(-lg_k / 2)`` of the number, 1.6 % by default. What it
    gives depends on the values only, not on the parts in which they come. A state takes 8 bytes for each value that it
    remembers. It needs the extra ``sketches``.

    Parameters
    ----------
    lg_k : int
        From 5 to 26.

    Examples
    --------
    >>> import flower as fl, pandas as pd
    >>> stream = fl.read.frame(pd.DataFrame({"v": [n % 1000 for n in range(5000)]}))
    >>> stream.agg(about=("v", fl.ApproxDistinct())).collect()["about"].tolist()
    [1000]
    """

    lg_k: int = 12
    name = "approximate distinct"

    def __post_init__(self) -> None:
        if isinstance(self.lg_k, bool) or not isinstance(self.lg_k, int) or not 5 <= self.lg_k <= 26:
            raise GraphError("`lg_k` of ApproxDistinct must be an integer from 5 to 26", got=repr(self.lg_k))

    def schema(self, column: pa.Field | None) -> pa.Field:
        assert column is not None
        _library("ApproxDistinct()")
        if pa.types.is_nested(column.type) or pa.types.is_dictionary(column.type):
            raise self.refuse(column, "a column of numbers, bools, times or text")
        return pa.field("", pa.int64(), nullable=False)

    def sketches(self, groups: I64, column: pa.Array) -> tuple[I64, list[bytes]]:
        if pa.types.is_floating(column.type):
            column = pa.array(numbers(column).astype(np.float64) + 0.0)  # -0.0 is 0.0
        elif not pa.types.is_large_string(column.type):
            column = pa.array(numbers(column).astype(np.int64, copy=False))
        encoded = column.dictionary_encode()
        width = max(len(encoded.dictionary), 1)
        pairs = distinct(groups * width + np.asarray(encoded.indices, np.int64))
        values, at = encoded.dictionary.to_pylist(), (pairs % width).tolist()
        starts = group_starts(pairs // width)
        ends = [*starts.tolist()[1:], len(pairs)]
        return (pairs // width)[starts], [
            self._made([values[i] for i in at[start:end]]) for start, end in zip(starts.tolist(), ends, strict=False)
        ]

    def _made(self, values: Sequence[Any]) -> bytes:
        sketch = _library("ApproxDistinct()").update_theta_sketch(self.lg_k)
        for value in values:
            sketch.update(value)
        sketch.trim()  # to the least hashes, whatever the order in which they came
        return bytes(sketch.compact().serialize())

    def together(self, sketches: Sequence[bytes]) -> bytes:
        library = _library("ApproxDistinct()")
        union = library.theta_union(self.lg_k)
        for each in sketches:
            union.update(library.compact_theta_sketch.deserialize(each))
        return bytes(union.get_result().serialize())

    def extract(self, state: State, column: pa.Field | None) -> pa.Array:
        read = _library("ApproxDistinct()").compact_theta_sketch.deserialize
        told = (0 if each is None else round(read(each).get_estimate()) for each in self.told(state))
        return pa.array(list(told), pa.int64())

    def __repr__(self) -> str:
        return f"ApproxDistinct({'' if self.lg_k == 12 else self.lg_k})"


@dataclass(frozen=True, repr=False)
class ApproxQuantile(Sketched):
    """About the value below which a share ``q`` of the values lies, as float64; missing ones are left out.

    A t-digest of Apache DataSketches (Dunning and Ertl, 2019), most exact at both ends: it remembers some ``2 * k``
    means of values that are near one another, so few values are told exactly, without interpolation. Beyond them the
    value is one of nearly that share, in the middle off by up to 0.02 (30,000 values in 40 parts, measured), and what
    it is depends on the parts in which values come: so it may differ from run to run. It needs the extra
    ``sketches``.

    Parameters
    ----------
    q : float
        Between 0 and 1.
    k : int
        From 10 to 65535: the more, the more exact, and the larger.

    Examples
    --------
    >>> import flower as fl, pandas as pd
    >>> stream = fl.read.frame(pd.DataFrame({"v": range(100_001)}))
    >>> stream.agg(p99=("v", fl.ApproxQuantile(0.99))).collect()["p99"].round(-3).tolist()
    [99000.0]
    """

    q: float
    k: int = 200
    name = "approximate quantile"

    def __post_init__(self) -> None:
        if isinstance(self.q, bool) or not isinstance(self.q, int | float) or not 0 <= self.q <= 1:
            raise GraphError("`q` of ApproxQuantile must be between 0 and 1", got=repr(self.q))
        if isinstance(self.k, bool) or not isinstance(self.k, int) or not 10 <= self.k <= 65535:
            raise GraphError("`k` of ApproxQuantile must be an integer from 10 to 65535", got=repr(self.k))

    @property
    def basis(self) -> object:
        return (ApproxQuantile, self.k)

    def schema(self, column: pa.Field | None) -> pa.Field:
        assert column is not None
        _library("ApproxQuantile()")
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            raise self.refuse(column, "a column of numbers")
        return pa.field("", pa.float64(), nullable=True)

    def sketches(self, groups: I64, column: pa.Array) -> tuple[I64, list[bytes]]:
        library = _library("ApproxQuantile()")
        order = np.argsort(groups, kind="stable")
        values, groups = numbers(column).astype(np.float64)[order], groups[order]
        starts = group_starts(groups)
        made: list[bytes] = []
        for some in np.split(values, starts[1:]) if len(starts) else []:
            sketch = library.tdigest_double(self.k)
            sketch.update(some)
            made.append(bytes(sketch.serialize()))
        return groups[starts], made

    def together(self, sketches: Sequence[bytes]) -> bytes:
        read = _library("ApproxQuantile()").tdigest_double.deserialize
        first, *others = map(read, sketches)
        for each in others:
            first.merge(each)
        return bytes(first.serialize())

    def extract(self, state: State, column: pa.Field | None) -> pa.Array:
        read = _library("ApproxQuantile()").tdigest_double.deserialize
        told = (float("nan") if each is None else read(each).get_quantile(self.q) for each in self.told(state))
        return pa.array(list(told), pa.float64())

    def __repr__(self) -> str:
        return f"ApproxQuantile({self.q!r}{'' if self.k == 200 else f', k={self.k}'})"
