"""The files of what is large in a checkpoint, or in a run's scratch: the states of keyed steps, a file for each step or
shard, and the parts of values that do not change, written once and referred to by every checkpoint after.

A file is named by who wrote it first and by the checksum of its content. Whoever knows the place may read and write
there, the driver and workers alike; which files are still of use, the driver decides.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any, cast, get_args

import pyarrow as pa

from flower.engine.blocks import SessionRun
from flower.engine.checkpoint import Stored, packed, referred, unpacked
from flower.engine.runs import Run
from flower.engine.state import KeyedState
from flower.errors import RunError
from flower.io.storage import Storage

SMALL = 16_384
"""Bytes below which a part is written into what refers to it."""

_STATES = get_args(KeyedState)


class Parts:
    """The parts at one place.

    Parameters
    ----------
    files : Storage
        The place; the parts are in its directory ``parts``.
    """

    def __init__(self, files: Storage) -> None:
        self.files = files
        self.known: dict[int, tuple[weakref.ref[Any], str]] = {}
        """Per part in memory, by its identity, the file that has it."""

    def bytes_of(self, name: str) -> bytes:
        """The content of a file.

        Raises
        ------
        RunError
            If it is not there.
        """
        try:
            return self.files.get(f"parts/{name}")
        except FileNotFoundError:
            raise RunError(
                f"the part {self.path(name)!r} of a checkpoint must be there",
                got="no such file",
                hint="on Dask, give run(checkpoint=..., or scratch=...) a directory that all workers share",
            ) from None

    def path(self, name: str) -> str:
        """A file as a person finds it."""
        return f"{self.files!r}/parts/{name}"

    def state(self, name: str) -> tuple[KeyedState, Stored]:
        """A state with all its parts, and which these are."""
        found = Found(self)
        state = cast("KeyedState", found({"state": name}))
        return state, Stored(name, frozenset(found.names - {name}))

    def keep(self, names: Iterable[str], attempt: str) -> None:
        """Let go of all files but some; those of a later attempt are none of ours."""
        kept = set(names)
        for name in self.files.names("parts"):
            if name not in kept and name[: len(attempt)] <= attempt:
                self.files.remove(f"parts/{name}")

    def missing(self, names: Iterable[str]) -> list[str]:
        """Which files are not there."""
        return sorted(set(names).difference(self.files.names("parts")))

    def remember(self, part: Any, name: str) -> None:
        """Note which file has a part, as long as the part is in memory."""
        number = id(part)
        self.known[number] = weakref.ref(part, lambda gone: self.known.pop(number, None)), name


class Found:
    """Reads the parts of a value as it refers to them, each once.

    Parameters
    ----------
    parts : Parts
        Where they are.
    whole : bool
        Whether states are read as well; else it is only seen whether they are whole, one file after another, and a
        `Stored` stands for each.

    Attributes
    ----------
    names : set of str
        The files that were read.
    """

    def __init__(self, parts: Parts, *, whole: bool = True) -> None:
        self._parts, self._whole = parts, whole
        self._values: dict[str, Any] = {}
        self._whole_files: dict[str, frozenset[str]] = {}
        self.names: set[str] = set()

    def __call__(self, told: Any) -> Any:
        """The part that is meant.

        Raises
        ------
        RunError
            If its file is damaged or gone; names it.
        """
        name = _name(told)
        self.names.add(name)
        if "state" in told and not self._whole:
            below = self._seen(name)
            self.names |= below
            return Stored(name, below)
        if name not in self._values:
            data = self._parts.bytes_of(name)
            part = unpacked(data, self._parts.path(name), self)
            self._same(data, name)
            if not isinstance(part, _STATES):
                self._parts.remember(part, name)
            self._values[name] = part
        part = self._values[name]
        return part.windows(told["from"], told["to"]) if "from" in told else part

    def _seen(self, name: str) -> frozenset[str]:
        """What a file refers to, when it and that are whole."""
        if name not in self._whole_files:
            data = self._parts.bytes_of(name)
            names = {_name(told) for told in referred(data, self._parts.path(name))}
            self._same(data, name)
            del data
            self._whole_files[name] = frozenset(names).union(*map(self._seen, sorted(names)))
        return self._whole_files[name]

    def _same(self, data: bytes, name: str) -> None:
        if data[8:40].hex() != name.partition("-")[2]:
            got = "the content of another file"
            raise RunError(f"the saved state {self._parts.path(name)!r} must be as it was written", got=got)


def _name(told: Any) -> str:
    return str(told["state"] if "state" in told else told["part"])


class Writing:
    """Writes the large parts of a value that no file has yet.

    Parameters
    ----------
    parts : Parts
        Where.
    attempt : str
        Who writes; begins the names of new files.

    Attributes
    ----------
    used : set of str
        The files that the value refers to, those that were there included.
    written : int
        Bytes of new files.
    """

    def __init__(self, parts: Parts, attempt: str) -> None:
        self._parts, self._attempt = parts, attempt
        self.used: set[str] = set()
        self.written = 0

    def __call__(self, value: Any) -> Any:
        """By what a part is found; None: it is so small that it needs no file."""
        if isinstance(value, Stored):
            self.used |= {value.name, *value.parts}
            return {"state": value.name}
        if isinstance(value, _STATES):
            return {"state": self.state(value).name} if value.nbytes >= SMALL else None
        if isinstance(value, Run):
            whole, first = value.whole or (value, 0)
            name = self._name(whole, value.groups.nbytes)
            return name and {"part": name, "from": first, "to": first + len(value.end)}
        if isinstance(value, SessionRun):
            name = self._name(value, value.groups.nbytes)
            return name and {"part": name}
        if isinstance(value, pa.RecordBatch):
            name = self._name(value, value.nbytes)
            return name and {"part": name}
        return None

    def state(self, state: KeyedState) -> Stored:
        """Write a state, whatever its size."""
        inner = Writing(self._parts, self._attempt)
        name = inner._file(packed(state, lambda value: None if value is state else inner(value)))
        self.written += inner.written
        self.used |= {name, *inner.used}
        return Stored(name, frozenset(inner.used))

    def _name(self, whole: Any, size: int) -> str | None:
        """The file of a part."""
        known = self._parts.known.get(id(whole))
        if known is None or known[0]() is not whole:
            if size < SMALL:
                return None
            name = self._file(packed(whole))
            self._parts.remember(whole, name)
        else:
            name = known[1]
        self.used.add(name)
        return name

    def _file(self, data: bytes) -> str:
        name = f"{self._attempt}-{data[8:40].hex()}"
        self._parts.files.put(f"parts/{name}", data)
        self.written += len(data)
        return name
