"""The machine of a whole trigger: what a step asks."""

from __future__ import annotations

import numpy as np

from flower.model.time import I64, MAX_TIME
from flower.model.triggers.base import Asked, Bools, Machine, Marks, Trigger


class Finishing(Machine):
    """A machine that remembers, in its last column, that it has finished."""

    def __init__(self, part: Machine) -> None:
        self.part = part
        self.initial = (*part.initial, 0)

    def on_rows(self, marks: Marks, added: I64, now: int) -> Marks:
        return (*self.part.on_rows(marks[:-1], added, now), marks[-1])

    def on_merge(self, marks: Marks, codes: I64, n: int) -> Marks:
        finished = np.zeros(n, np.int64)
        np.maximum.at(finished, codes, marks[-1])
        return (*self.part.on_merge(marks[:-1], codes, n), finished)

    def due(self, marks: Marks, asked: Asked) -> I64:
        return np.where(marks[-1] > 0, MAX_TIME, self.part.due(marks[:-1], asked))

    def on_fire(self, marks: Marks, fired: Bools, asked: Asked) -> tuple[Marks, Bools]:
        own, finished = self.part.on_fire(marks[:-1], fired, asked)
        return (*own, np.where(finished, 1, marks[-1])), finished

    @staticmethod
    def finished(marks: Marks) -> Bools:
        """Which windows have finished."""
        return marks[-1] > 0


def machine_of(trigger: Trigger) -> Machine:
    """What a step asks about its windows."""
    machine = trigger.machine()
    return Finishing(machine) if trigger.finishes else machine
