"""Frozen values as bytes, and back: JSON that describes them and Arrow IPC streams of their columns, with a checksum of
the whole. Nothing in it is executed when it is read.

The bytes are ``FLOWER02``, the SHA-256 of what follows, the number of parts that follow and the size of each, then the
parts, each padded to 64 bytes: the JSON text first, then the streams. What is cut off, changed or of another kind is
refused with its name.

What may be stored is in `STORED`: frozen dataclasses of columns (NumPy's or Arrow's), record batches, numbers, text,
None, tuples, mappings, and one another. A new field of one of them needs no code here; one with a default may be
missing in what was stored before.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from flower.engine.aligned import AlignedState, Records, Timer
from flower.engine.asof import AsofState
from flower.engine.blocks import Block, SessionRun
from flower.engine.bloom import Generation
from flower.engine.counted import CountedState
from flower.engine.counts import Counts
from flower.engine.deduplication import DistinctState
from flower.engine.epoch import EpochPlan, Range
from flower.engine.groups import Groups
from flower.engine.interval import IntervalState
from flower.engine.inwindow import InWindowState
from flower.engine.job import JobState, SourceState
from flower.engine.joined import JoinedState
from flower.engine.kept import Kept
from flower.engine.learning import LearnedState
from flower.engine.metrics import Metrics, StepMetrics
from flower.engine.pairs import Pairs
from flower.engine.processed import ProcessedState
from flower.engine.runs import Run
from flower.engine.sessions import SessionState
from flower.engine.slices import Slices
from flower.engine.standing import Standing
from flower.engine.touched import Touched
from flower.engine.waiting import Held
from flower.errors import RunError
from flower.graph.batch import Batch
from flower.model.watermarks import Estimate

MAGIC = b"FLOWER02"
_PAD = 64


@dataclasses.dataclass(frozen=True, slots=True)
class Stored:
    """A state of a keyed step, or of a shard of one, that is in a file of its own.

    Parameters
    ----------
    name : str
        The file.
    parts : frozenset of str
        The files that it refers to.
    """

    name: str
    parts: frozenset[str] = frozenset()


STORED: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        *(AlignedState, Records, Timer, Touched, Slices, Run, Groups, Standing, SessionState, Block, SessionRun),
        *(JoinedState, IntervalState, AsofState, InWindowState, Held),
        *(CountedState, DistinctState, Generation, ProcessedState, LearnedState, Kept, Batch, Pairs),
        *(JobState, SourceState, Estimate, EpochPlan, Range, Counts, Metrics, StepMetrics, Stored),
    )
}
"""The classes that are stored, by name."""

Apart = Callable[[Any], Any]
"""Given a dataclass or record batch, a JSON value by which it is found elsewhere; None: it is stored here."""


def packed(value: object, apart: Apart = lambda _: None) -> bytes:
    """A value as bytes.

    Raises
    ------
    RunError
        If a part of it cannot be stored; names it.

    Examples
    --------
    >>> unpacked(packed((1, "a", None, {"b": np.array([True])})), "an example")
    (1, 'a', None, {'b': array([ True])})
    """
    writer = _Writer(apart)
    text = json.dumps(writer.described(value, type(value).__name__), allow_nan=False).encode()
    parts = [text, *writer.streams()]
    sizes = np.array([len(parts), *map(len, parts)], np.int64).tobytes()
    body = _padded(sizes, 40) + b"".join(_padded(part) for part in parts)
    return MAGIC + hashlib.sha256(body).digest() + body


def unpacked(data: bytes, name: str, found: Callable[[Any], Any] | None = None) -> Any:
    """The value that bytes are; ``found`` gives the parts that were stored elsewhere.

    Raises
    ------
    RunError
        If they are not what `packed` made.
    """
    text, *parts = _parts(data, name)
    tables = []
    for part in parts:
        with pa.ipc.open_stream(pa.py_buffer(part)) as stream:
            tables.append(stream.read_next_batch())
    return _Reader(name, tables, found).value(json.loads(bytes(text)))


def referred(data: bytes, name: str) -> list[Any]:
    """By what the parts are found that were stored elsewhere; nothing else of the value is made.

    Raises
    ------
    RunError
        If the bytes are not what `packed` made.
    """
    return list(_apart(json.loads(bytes(_parts(data, name)[0]))))


def _apart(told: Any) -> Iterator[Any]:
    if isinstance(told, list):
        for each in told:
            yield from _apart(each)
    elif isinstance(told, dict):
        if "apart" in told:
            yield told["apart"]
        for each in told["of"].values() if "is" in told else [value for _, value in told.get("map", ())]:
            yield from _apart(each)


def _parts(data: bytes, name: str) -> list[memoryview]:
    """The parts of the bytes, the text first; the checksum is that of the whole."""
    if data[:8] != MAGIC or hashlib.sha256(memoryview(data)[40:]).digest() != data[8:40]:
        raise RunError(f"the saved state {name!r} must be as it was written", got=_damage(data))
    count = int(np.frombuffer(data, np.int64, 1, offset=40)[0])
    sizes = np.frombuffer(data, np.int64, count, offset=48).tolist()
    parts, at = [], _rounded(48 + 8 * count)
    for size in sizes:
        parts.append(memoryview(data)[at : at + size])
        at += _rounded(size)
    return parts


def _damage(data: bytes) -> str:
    if data[:6] != MAGIC[:6]:
        return "no file of Flower's" if data else "an empty file"
    if data[:8] != MAGIC:
        return f"format {data[6:8].decode('ascii', 'replace')}, where this version reads {MAGIC[6:].decode()}"
    return "another checksum, or a cut-off file"


def _rounded(size: int) -> int:
    return -(-size // _PAD) * _PAD


def _padded(data: bytes, before: int = 0) -> bytes:
    return data + b"\0" * (_rounded(before + len(data)) - before - len(data))


class _Writer:
    """Describes a value; its columns of one length are one table."""

    def __init__(self, apart: Apart) -> None:
        self._apart = apart
        self._numbers: dict[int | None, int] = {}  # of the table, by length
        self._tables: list[list[pa.Array] | pa.RecordBatch] = []

    def described(self, value: Any, path: str) -> Any:
        match value:
            case None | bool() | str():
                return value
            case np.bool_():
                return bool(value)
            case int() | np.integer():
                return int(value)
            case float() | np.floating():
                return float(value) if math.isfinite(value) else {"float": str(float(value))}
            case tuple():
                return [self.described(each, f"{path}[{i}]") for i, each in enumerate(value)]
            case np.ndarray():
                return self._array(value, path)
            case pa.Array():
                return {"column": self._column(value)}
            case pa.RecordBatch():
                elsewhere = self._apart(value)
                if elsewhere is not None:
                    return {"apart": elsewhere}
                self._tables.append(value)
                return {"batch": len(self._tables) - 1}
            case Mapping():
                items = [(key, self.described(each, f"{path}[{key!r}]")) for key, each in value.items()]
                for key, _ in items:
                    if type(key) not in (str, int):
                        raise self._refused(key, f"a key of {path}")
                return {"map": items}
        kind: Any = STORED.get(type(value).__name__)
        if kind is not type(value):
            raise self._refused(value, path)
        elsewhere = self._apart(value)
        if elsewhere is not None:
            return {"apart": elsewhere}
        fields = {
            field.name: self.described(getattr(value, field.name), f"{path}.{field.name}")
            for field in dataclasses.fields(kind)
            if field.init
        }
        return {"is": kind.__name__, "of": fields}

    def _array(self, value: np.ndarray, path: str) -> dict[str, Any]:
        if value.dtype.kind not in "biufmM" or value.dtype.itemsize > 8 or not value.dtype.isnative:
            raise self._refused(value, f"{path} (dtype {value.dtype})")
        flat = value.ravel()
        flat = flat.view(np.int64) if value.dtype.kind in "mM" else flat
        told = {"column": self._column(pa.array(flat)), "dtype": value.dtype.str}
        return told if value.ndim == 1 else {**told, "shape": list(value.shape)}

    def _column(self, column: pa.Array) -> list[int]:
        if len(column) not in self._numbers:
            self._numbers[len(column)] = len(self._tables)
            self._tables.append([])
        number = self._numbers[len(column)]
        columns = self._tables[number]
        assert isinstance(columns, list)
        columns.append(column)
        return [number, len(columns) - 1]

    def _refused(self, value: object, path: str) -> RunError:
        return RunError(
            "state must be made of columns, numbers, text, tuples, mappings and the classes that are stored",
            got=f"a {type(value).__name__} at {path}",
        )

    def streams(self) -> list[bytes]:
        """The tables, written."""
        return [_stream(table) for table in self._tables]


def _stream(table: list[pa.Array] | pa.RecordBatch) -> bytes:
    if isinstance(table, list):
        table = pa.RecordBatch.from_arrays(table, names=[str(number) for number in range(len(table))])
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_batch(table)
    return sink.getvalue()


class _Reader:
    def __init__(self, name: str, tables: list[pa.RecordBatch], found: Callable[[Any], Any] | None) -> None:
        self._name, self._tables, self._found = name, tables, found

    def value(self, told: Any) -> Any:
        if isinstance(told, list):
            return tuple(map(self.value, told))
        if not isinstance(told, dict):
            return told
        if "is" in told:
            return self._made(told["is"], {name: self.value(each) for name, each in told["of"].items()})
        if "column" in told:
            return self._column(told)
        if "map" in told:
            return {key: self.value(each) for key, each in told["map"]}
        if "batch" in told:
            return self._tables[told["batch"]]
        if "float" in told:
            return float(told["float"])
        assert self._found is not None
        return self._found(told["apart"])

    def _column(self, told: dict[str, Any]) -> Any:
        table, index = told["column"]
        column = self._tables[table].column(index)
        if "dtype" not in told:
            return column
        array = np.asarray(column.to_numpy(zero_copy_only=False))
        array = array.view(told["dtype"]) if told["dtype"][1] in "mM" else array.astype(told["dtype"], copy=False)
        return array.reshape(told["shape"]) if "shape" in told else array

    def _made(self, kind: str, fields: dict[str, Any]) -> Any:
        made = STORED.get(kind)
        known = {} if made is None else {field.name: field for field in dataclasses.fields(made) if field.init}
        lacking = [
            name
            for name, field in known.items()
            if name not in fields
            and field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
        ]
        strange = sorted(set(fields) - set(known))
        if made is None or lacking or strange:
            raise RunError(
                f"the saved state {self._name!r} must be of this version of Flower",
                got=f"a {kind}" + (f" without {lacking}" if lacking else "") + (f" with {strange}" if strange else ""),
                hint="go on with the version that wrote it, or begin anew with another path",
            )
        return made(**fields)
