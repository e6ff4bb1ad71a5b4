"""The state of a keyed step as a file: an Arrow stream of its columns, with a description of their places and a
checksum of the whole. Nothing in it is executed when it is read.

The file is ``FLOWER01``, the SHA-256 of what follows, the length of a JSON text, that text, and one Arrow IPC stream a
table. A file that is cut off, changed or of another kind is refused with its name.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import uuid
from typing import Any

import numpy as np
import pyarrow as pa

from flower.engine.aligned import AlignedState, Records, Timer
from flower.engine.groups import Groups
from flower.engine.runs import Run
from flower.engine.sessions import SessionRun, SessionState
from flower.engine.state import KeyedState
from flower.errors import RunError
from flower.model.arrays import Column

MAGIC = b"FLOWER01"


def save(state: KeyedState, path: str) -> str:
    """Write a state to a file, which is there as a whole or not at all; the file's checksum."""
    tables: list[bytes] = []
    text = json.dumps(_described(state, tables)).encode()
    sizes = np.array([len(text), *map(len, tables)], np.int64)
    body = b"".join([np.array([len(sizes)], np.int64).tobytes(), sizes.tobytes(), text, *tables])
    digest = hashlib.sha256(body)
    temporary = f"{path}.{uuid.uuid4().hex}"
    with open(temporary, "wb") as file:
        file.write(MAGIC + digest.digest())
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    return digest.hexdigest()


def load(path: str) -> KeyedState:
    """Read a state.

    Raises
    ------
    RunError
        If the file is not there, or not what `save` wrote.
    """
    try:
        with open(path, "rb") as file:
            head, body = file.read(40), file.read()
    except OSError as error:
        raise RunError(
            f"the saved state {path!r} must be readable on every worker",
            got=error.strerror or str(error),
            hint="give run(scratch=...) a directory that all workers share",
        ) from error
    if head[:8] != MAGIC or hashlib.sha256(body).digest() != head[8:]:
        raise RunError(f"the saved state {path!r} must be as it was written", got="another checksum, or a cut-off file")
    count = int(np.frombuffer(body, np.int64, 1)[0])
    sizes = np.frombuffer(body, np.int64, count, offset=8).tolist()
    starts = np.cumsum([8 + 8 * count, *sizes]).tolist()
    parts = [memoryview(body)[start : start + size] for start, size in zip(starts, sizes, strict=False)]
    return _state(json.loads(bytes(parts[0])), parts[1:])


def _described(state: KeyedState, tables: list[bytes]) -> dict[str, Any]:
    if isinstance(state, SessionState):
        live = None
        if state.live is not None:
            live = _groups_out(state.live.groups, tables)
            live["window"] = _table([state.live.start, state.live.end, state.live.absorbs], tables)
        return {"kind": "sessions", "watermark": state.watermark, "live": live}
    return {
        "kind": "aligned",
        "watermark": state.watermark,
        "blind": [_run_out(run, tables) for run in state.blind],
        "open": _records_out(state.open, tables),
        "passed": _records_out(state.passed, tables),
    }


def _records_out(records: Records, tables: list[bytes]) -> dict[str, Any]:
    return {
        "runs": [_run_out(run, tables) for run in records.runs],
        "timers": [{"due": timer.due, "run": _run_out(timer.run, tables)} for timer in records.timers],
    }


def _run_out(run: Run, tables: list[bytes]) -> dict[str, Any]:
    told = _groups_out(run.groups, tables)
    told["window"] = _table([run.start, run.end, run.offsets[1:]], tables)
    return told


def _groups_out(groups: Groups, tables: list[bytes]) -> dict[str, Any]:
    stamp = [] if groups.stamp is None else [groups.stamp]
    columns = [groups.hash, groups.rows, groups.since, groups.panes, *stamp, *groups.keys]
    columns += [column for state in groups.states for column in state]
    return {
        "groups": _table(columns, tables),
        "stamp": groups.stamp is not None,
        "keys": len(groups.keys),
        "states": [len(state) for state in groups.states],
    }


def _table(columns: list[Column], tables: list[bytes]) -> dict[str, Any]:
    """Write columns as one table; which of them are NumPy's, and of what dtype."""
    dtypes = [column.dtype.str if isinstance(column, np.ndarray) else None for column in columns]
    arrays = [pa.array(column) if isinstance(column, np.ndarray) else column for column in columns]
    batch = pa.RecordBatch.from_arrays(arrays, names=[str(number) for number in range(len(arrays))])
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    tables.append(sink.getvalue())
    return {"table": len(tables) - 1, "dtypes": dtypes}


def _state(told: dict[str, Any], tables: list[memoryview]) -> KeyedState:
    if told["kind"] == "sessions":
        live = None
        if told["live"] is not None:
            start, end, absorbs = _columns(told["live"]["window"], tables)
            live = SessionRun(start, end, absorbs, _groups_in(told["live"], tables))
        return SessionState(told["watermark"], live)
    return AlignedState(
        told["watermark"],
        tuple(_run_in(run, tables) for run in told["blind"]),
        _records_in(told["open"], tables),
        _records_in(told["passed"], tables),
    )


def _records_in(told: dict[str, Any], tables: list[memoryview]) -> Records:
    return Records(
        tuple(_run_in(run, tables) for run in told["runs"]),
        tuple(Timer(timer["due"], _run_in(timer["run"], tables)) for timer in told["timers"]),
    )


def _run_in(told: dict[str, Any], tables: list[memoryview]) -> Run:
    start, end, ends = _columns(told["window"], tables)
    return Run(start, end, np.concatenate((np.zeros(1, np.int64), ends)), _groups_in(told, tables))


def _groups_in(told: dict[str, Any], tables: list[memoryview]) -> Groups:
    hash_, rows, since, panes, *rest = _columns(told["groups"], tables)
    stamp = rest.pop(0) if told["stamp"] else None
    keys = tuple(rest.pop(0) for _ in range(told["keys"]))
    states = tuple(tuple(rest.pop(0) for _ in range(width)) for width in told["states"])
    return Groups(hash_, keys, states, rows, since, panes, stamp)


def _columns(told: dict[str, Any], tables: list[memoryview]) -> list[Column]:
    with pa.ipc.open_stream(pa.py_buffer(tables[told["table"]])) as reader:
        batch = reader.read_next_batch()
    return [
        column if dtype is None else np.asarray(column.to_numpy(zero_copy_only=False)).astype(dtype, copy=False)
        for column, dtype in zip(batch.columns, told["dtypes"], strict=True)
    ]
