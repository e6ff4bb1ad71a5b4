"""The directory of a run with a checkpoint: what was planned, what is committed, and whole states every so often.

- ``job.json``: which job this is; its identity never changes.
- ``attempts/N.json``: one for each process that worked on it. The newest is the one that may commit.
- ``plans/E.json``: an epoch's ranges and clock, there before the epoch runs.
- ``commits/E.json``: the same with what the sinks had staged. Whoever creates it has committed the epoch; what sinks
  show follows, and can be done again.
- ``checkpoints/E.flower``: the state after E epochs, as `flower.engine.checkpoint` writes it; ``parts/`` holds the
  states of keyed steps, and what of them does not change (see `flower.engine.parts`). A checkpoint is there once all
  its parts are. The two newest are kept.
- ``journals/STEP/``: the rows of live sources.

Recovery takes the newest whole checkpoint and runs the logged epochs after it again. Steps and stages are named, never
numbered, so that a pipeline may change in what holds no state; nothing says which executor wrote it. The state of a
keyed step is one or several, each of some keys: whoever goes on deals them anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flower.engine.checkpoint import packed, unpacked
from flower.engine.parts import Found, Parts, Writing
from flower.errors import FlowerError, RunError
from flower.io.storage import Storage, storage

FORMAT = 1
KEPT = 2
"""Whole states that are kept: if the newest is damaged, the one before does."""
DIRECTORIES = ("attempts", "plans", "commits", "checkpoints", "parts")

Place = tuple[str, int, int, int, bool]
"""Of a range, the step, partition, start, end, and whether no row will follow."""


@dataclass(frozen=True, slots=True)
class Logged:
    """An epoch in the log.

    Parameters
    ----------
    epoch, now : int
        Its number and clock.
    attempt : int
        Who planned or committed it.
    ranges : tuple of Place
        What it reads.
    staged : mapping of str to list of str, or None
        Per sink, the tokens; None: it is not committed.
    """

    epoch: int
    now: int
    attempt: int
    ranges: tuple[Place, ...]
    staged: Mapping[str, list[str]] | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint.

    Parameters
    ----------
    epoch : int
        Epochs done.
    value : dict
        What was saved.
    parts : frozenset of str
        The files it refers to.
    size : int
        Its bytes, without those.
    """

    epoch: int
    value: dict[str, Any]
    parts: frozenset[str]
    size: int


class Ledger:
    """A run's directory, for one driver.

    Parameters
    ----------
    path : str
        A local directory, or any address that fsspec reaches.
    whole : bool
        Whether the states of keyed steps are read; else workers will read them, and a `Stored` stands for each.

    Raises
    ------
    RunError
        If another run has it, or it holds something else, or all its checkpoints are damaged.
    """

    def __init__(self, path: str, *, whole: bool = True) -> None:
        self.files: Storage = storage(path)
        self.address = self.files.local or path
        """By which other processes find it."""
        self.notes: list[str] = []
        self._lock = _locked(self.files)
        try:
            if self._lock is not None:
                self.files.tidy(("", *DIRECTORIES))
            self.job = self._identity()
            self._reader = Reader(self.files, whole=whole)
            self.saved = self._newest()
            self.log = self._read_log()
            self.attempt = self._claim()
        except BaseException:
            self.close()
            raise
        self._kept = [] if self.saved is None else [self.saved]
        self.bytes_written = 0
        """Bytes of the last checkpoint that were new."""

    def __repr__(self) -> str:
        return repr(self.files)

    def close(self) -> None:
        """Let another run have it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    # -- opening

    def _identity(self) -> str:
        try:
            data = self.files.get("job.json")
        except FileNotFoundError:
            foreign = self.files.names("")
            if foreign:
                raise RunError(
                    f"the checkpoint {self.files!r} must be an empty directory, or one of Flower's",
                    got=f"files such as {foreign[0]!r}",
                    hint="give a directory of its own",
                ) from None
            self.files.create("job.json", record("job", {"job": uuid.uuid4().hex, "created_us": _now()}))
            data = self.files.get("job.json")
        job: str = opened(data, "job", f"{self.files!r}/job.json")["job"]
        return job

    def _claim(self) -> int:
        attempt = int(([*self._attempts(), "0"])[0])
        who = {"host": socket.gethostname(), "process": os.getpid(), "started_us": _now()}
        while True:
            attempt += 1
            if self.files.create(f"attempts/{attempt:08}.json", record("attempt", who)):
                return attempt

    def _attempts(self) -> list[str]:
        """Newest first."""
        return [name.removesuffix(".json") for name in reversed(self.files.names("attempts"))]

    def _newest(self) -> Saved | None:
        """The newest checkpoint that is whole; those that are not are told of."""
        epochs = self._reader.epochs()
        broken = []
        for epoch in reversed(epochs):
            try:
                found = self._reader.checkpoint(epoch)
            except (FlowerError, OSError) as error:
                broken.append(str(error))
                continue
            self.notes += [f"went back to the checkpoint of epoch {epoch}: {why}" for why in broken]
            return found
        if broken:
            raise RunError(
                f"a checkpoint in {self.files!r} must be whole to go on with it",
                got="; ".join(broken),
                hint="begin anew with another directory",
            )
        return None

    def _read_log(self) -> dict[int, Logged]:
        """The epochs from the newest checkpoint on, without a gap."""
        first = 0 if self.saved is None else self.saved.epoch
        plans = self._reader.numbers("plans")
        commits = self._reader.numbers("commits")
        log: dict[int, Logged] = {}
        for epoch in range(first, max([*plans, *commits, first - 1]) + 1):
            kind = "commits" if epoch in commits else "plans"
            if epoch not in commits and epoch not in plans:
                raise RunError(
                    f"the log in {self.files!r} must have every epoch from {first} on", got=f"none of epoch {epoch}"
                )
            try:
                log[epoch] = self._reader.logged(kind, epoch)
            except RunError as error:
                if kind == "plans":
                    self._forget_plans([each for each in plans if each >= epoch], error)
                    break
                if epoch == max(commits) or epoch not in plans:
                    raise
                # What it had staged is out: a later epoch is committed.
                log[epoch] = replace(self._reader.logged("plans", epoch), staged={})
                self.notes.append(f"an epoch that is over was read from its plan: {error}")
        return log

    def _forget_plans(self, epochs: list[int], error: RunError) -> None:
        """Take away plans of which nothing has come."""
        for epoch in epochs:
            self.files.remove(f"plans/{epoch:012}.json")
        self.notes.append(f"epoch {epochs[0]} was planned anew: {error}")

    def needed(self, step: str) -> int:
        """Up to which position the rows of a live source are known to have been there."""
        ends = [place[3] for each in self.log.values() for place in each.ranges if place[0] == step]
        if self.saved is not None and step in self.saved.value["state"]["sources"]:
            ends += self.saved.value["state"]["sources"][step].positions
        return max(ends, default=0)

    def forgettable(self, step: str) -> int:
        """Up to which position no checkpoint that is kept needs the rows of a source."""
        positions = [saved.value["state"]["sources"][step].positions for saved in self._kept]
        return min((min(each) for each in positions if each), default=0)

    # -- the log

    @property
    def last_commit(self) -> Logged | None:
        """The last epoch that is committed, if the log has it."""
        committed = [each for each in self.log.values() if each.staged is not None]
        return max(committed, key=lambda each: each.epoch, default=None)

    def plan(self, planned: Logged) -> None:
        """Log an epoch before it runs."""
        self._append("plans", planned)

    def commit(self, done: Logged) -> None:
        """Commit an epoch.

        Raises
        ------
        RunError
            If another run has this job: nothing of the epoch counts.
        """
        self._append("commits", done)

    def _append(self, kind: str, entry: Logged) -> None:
        self._fence()
        name = f"{kind}/{entry.epoch:012}.json"
        if not self.files.create(name, record(kind, as_json(entry))) and (
            self._reader.logged(kind, entry.epoch).attempt != self.attempt
        ):
            raise self._fenced()
        self.log[entry.epoch] = entry

    def _fence(self) -> None:
        if self._attempts()[0] != f"{self.attempt:08}":
            raise self._fenced()

    def _fenced(self) -> RunError:
        return RunError(
            f"a job must have one run at a time; another has gone on with {self.files!r}",
            got=f"attempt {int(self._attempts()[0])}, this is attempt {self.attempt}",
            hint="this one has stopped, and nothing of its last epoch was written",
        )

    # -- checkpoints

    @property
    def mark(self) -> str:
        """Begins the names of the parts that this attempt writes."""
        return f"{self.attempt:08}"

    def writing(self) -> Writing:
        """Writes parts; those that no checkpoint refers to are let go with the next one."""
        return Writing(self._reader.parts, self.mark)

    def save(self, epoch: int, value: dict[str, Any]) -> None:
        """Write the state after ``epoch`` epochs: new parts, then what refers to them; then let go of old ones."""
        self._fence()
        parts = self.writing()
        head = {"format": FORMAT, "job": self.job, "attempt": self.attempt, "epoch": epoch, "written_us": _now()}
        data = packed({**head, **value}, parts)
        if missing := self._reader.parts.missing(parts.used):
            raise RunError(
                f"all parts of a checkpoint must be in {self.files!r} before it counts",
                got=f"no {missing[0]!r}",
                hint="workers on other machines must write into the same directory as this process",
            )
        self.files.put(f"checkpoints/{epoch:012}.flower", data)
        self.bytes_written = parts.written + len(data)
        saved = Saved(epoch, {"state": {"sources": value["state"]["sources"]}}, frozenset(parts.used), len(data))
        self._kept = [*(each for each in self._kept if each.epoch != epoch), saved][-KEPT:]
        self._let_go()

    def _let_go(self) -> None:
        oldest = self._kept[0].epoch
        for epoch in self._reader.epochs():
            if epoch < oldest:
                self.files.remove(f"checkpoints/{epoch:012}.flower")
        self._reader.parts.keep(frozenset[str]().union(*(each.parts for each in self._kept)), self.mark)
        for kind in ("plans", "commits"):
            for epoch in self._reader.numbers(kind):
                if epoch < oldest:
                    self.files.remove(f"{kind}/{epoch:012}.json")
        self.log = {epoch: each for epoch, each in self.log.items() if epoch >= oldest}


class Reader:
    """Reads what is there, and changes nothing.

    Parameters
    ----------
    files : Storage
        Where.
    whole : bool
        As `Ledger` has it.
    """

    def __init__(self, files: Storage, *, whole: bool = True) -> None:
        self.files, self._whole = files, whole
        self.parts = Parts(files)

    def epochs(self) -> list[int]:
        """The checkpoints."""
        return self.numbers("checkpoints")

    def numbers(self, kind: str) -> list[int]:
        """The epochs of which there is something."""
        stems = [name.partition(".")[0] for name in self.files.names(kind)]
        return [int(stem) for stem in stems if stem.isdigit()]

    def logged(self, kind: str, epoch: int) -> Logged:
        """An epoch in the log."""
        name = f"{kind}/{epoch:012}.json"
        told = opened(self.files.get(name), kind, f"{self.files!r}/{name}")
        ranges = tuple((str(step), *map(int, numbers), bool(ended)) for step, *numbers, ended in told["ranges"])
        return Logged(told["epoch"], told["now"], told["attempt"], ranges, told.get("staged"))  # type: ignore[arg-type]

    def checkpoint(self, epoch: int) -> Saved:
        """A checkpoint with all its parts.

        Raises
        ------
        RunError
            If it, or a part, is damaged or gone; names the file.
        """
        name = f"checkpoints/{epoch:012}.flower"
        data = self.files.get(name)
        found = Found(self.parts, whole=self._whole)
        value = unpacked(data, f"{self.files!r}/{name}", found)
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise RunError(
                f"the checkpoint {name!r} must be of format {FORMAT}",
                got=repr(value.get("format") if isinstance(value, dict) else type(value).__name__),
            )
        return Saved(epoch, value, frozenset(found.names), len(data))


def record(kind: str, of: Mapping[str, Any]) -> bytes:
    """A JSON text with its checksum."""
    text = json.dumps(of, sort_keys=True)
    digest = hashlib.sha256(f"{kind} {text}".encode()).hexdigest()
    return json.dumps({"flower": FORMAT, "kind": kind, "sha256": digest, "of": of}, sort_keys=True).encode() + b"\n"


def opened(data: bytes, kind: str, name: str) -> dict[str, Any]:
    """What `record` wrote.

    Raises
    ------
    RunError
        If it is damaged, or something else.
    """
    try:
        whole = json.loads(data)
        of: dict[str, Any] = whole["of"]
        if whole["flower"] != FORMAT:
            raise RunError(f"{name!r} must be of format {FORMAT}", got=repr(whole["flower"]))
        if record(kind, of) != data:
            raise ValueError("another checksum")
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{name!r} must be as it was written", got=f"{error or 'another file'}") from error
    return of


def as_json(entry: Logged) -> dict[str, Any]:
    """An epoch of the log, as JSON."""
    told = {"epoch": entry.epoch, "now": entry.now, "attempt": entry.attempt, "ranges": list(map(list, entry.ranges))}
    return told if entry.staged is None else {**told, "staged": dict(entry.staged)}


def _locked(files: Storage) -> Any:
    """A lock on a local directory, for as long as the process lives."""
    if files.local is None:
        return None
    try:
        import fcntl
    except ImportError:  # Windows: the attempts alone decide
        return None
    os.makedirs(files.local, exist_ok=True)
    lock = open(os.path.join(files.local, ".lock"), "a")  # noqa: SIM115
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise RunError(
            f"a job must have one run at a time; another has the checkpoint {files!r}",
            hint="stop that run, or give a directory of its own",
        ) from None
    return lock


def _now() -> int:
    return time.time_ns() // 1000


def refuse(changes: Iterable[str], files: object) -> None:
    """Refuse to go on with a pipeline that is another.

    Raises
    ------
    RunError
        If there are changes.
    """
    told = list(changes)
    if told:
        raise RunError(
            f"a pipeline must be what it was to go on with the checkpoint {files!r}",
            got="; ".join(told),
            hint="undo that, or begin anew with another directory",
        )
