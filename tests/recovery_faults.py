"""Faults for tests of recovery: at the n-th thing that is asked of the disk, an error, a torn write, or death."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import pytest

from flower.io import disk

KINDS = ("die before", "die after", "torn", "fail before", "fail after")
NAMES = ("new", "append", "flush", "sync", "rename", "link", "cut", "remove")


class Death(BaseException):
    """The process is gone: nobody catches this."""


class Gone(OSError):
    """The same on a worker that is a thread of this process: the loops of Dask take no other error across."""


def death(text: str) -> BaseException:
    """What ends the thread that asks."""
    name = threading.current_thread().name
    return Gone(text) if "Dask" in name or name == "IO loop" else Death(text)


@dataclass
class Faults:
    """Counts what is asked of the disk, and has the ``at``-th go wrong; after a death everything does.

    Parameters
    ----------
    at : int
        Which; -1: none.
    kind : str
        One of `KINDS`.
    """

    at: int = -1
    kind: str = "die before"
    count: int = 0
    fired: str = ""
    dead: bool = False
    asked: list[str] = field(default_factory=list)
    _lock: Any = field(default_factory=threading.RLock)

    def due(self, name: str, path: str) -> bool:
        with self._lock:
            if self.dead:
                raise death(f"{name} of a process that is dead")
            number, self.count = self.count, self.count + 1
            self.asked.append(f"{name} {os.path.basename(path)}")
            if number == self.at:
                self.fired = f"{self.kind} {name} {path}"
            return number == self.at

    def go_wrong(self) -> None:
        if self.kind.startswith("fail"):
            raise OSError(5, "Input/output error")
        self.dead = True
        raise death(self.fired)

    @contextmanager
    def new(self, path: str, real: Any) -> Iterator[BinaryIO]:
        due = self.due("new", path)
        if due and self.kind.endswith("before"):
            self.go_wrong()
        with real(path) as file:
            yield file
            if due and self.kind == "torn":
                self.tear(file)
        if due:
            self.go_wrong()

    def append(self, file: BinaryIO, data: bytes, real: Any) -> None:
        due = self.due("append", file.name)
        if due and self.kind.endswith("before"):
            self.go_wrong()
        real(file, data[: len(data) // 2] if due and self.kind == "torn" else data)
        if due:
            self.go_wrong()

    def tear(self, file: BinaryIO) -> None:
        file.flush()
        file.truncate(file.tell() // 2)
        self.go_wrong()

    def other(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def asked(thing: Any, *more: Any) -> Any:
            due = self.due(name, getattr(thing, "name", thing))
            if due and self.kind != "die after" and self.kind != "fail after":
                self.go_wrong()
            done = real(thing, *more)
            if due:
                self.go_wrong()
            return done

        return asked

    @contextmanager
    def at_work(self) -> Iterator[Faults]:
        """Stand between Flower and the disk."""
        with pytest.MonkeyPatch.context() as patch:
            for name in NAMES:
                real = getattr(disk, name)
                if name == "new":
                    patch.setattr(disk, name, lambda path, real=real: self.new(path, real))
                elif name == "append":
                    patch.setattr(disk, name, lambda file, data, real=real: self.append(file, data, real))
                else:
                    patch.setattr(disk, name, self.other(name, real))
            yield self
