"""Applies the rules, in order and again until none finds anything, and keeps a record for ``explain()``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flower.errors import GraphError
from flower.graph.nodes import Node, step_text
from flower.graph.optimizer.merge_filters import merge_filters
from flower.graph.optimizer.merge_selects import drop_selects, merge_selects
from flower.graph.optimizer.move_filters import move_filters
from flower.graph.optimizer.prune_columns import prune_columns
from flower.graph.optimizer.rewrite import Rule, everywhere, substituted

RULES: tuple[Rule, ...] = (
    everywhere(move_filters),
    everywhere(merge_filters),
    everywhere(merge_selects),
    prune_columns,
    everywhere(drop_selects),
)
"""The rules, in the order in which they are tried."""

ROUNDS = 1000
"""More rounds than any graph needs: rules that undo each other are a bug."""


@dataclass(frozen=True)
class Application:
    """A rule that replaced a node."""

    rule: str
    before: Node
    after: Node


def optimize(
    outputs: tuple[Node, ...], rules: Sequence[Rule] = RULES
) -> tuple[tuple[Node, ...], tuple[Application, ...]]:
    """The outputs of a graph that gives the same rows at less cost, and what was done to get there.

    Raises
    ------
    GraphError
        If a rule changes the columns, windows or event times of an output, or the rules never end: a bug of Flower.
    """
    applications: list[Application] = []
    for _ in range(ROUNDS):
        before = outputs
        for rule in rules:
            replacements = rule(outputs)
            if replacements:
                changed = substituted(outputs, replacements)
                _check(rule, outputs, changed)
                applications += [Application(rule.__name__, old, new) for old, new in replacements.items()]
                outputs = changed
        if outputs == before:
            return outputs, tuple(applications)
    raise GraphError("the rules of the optimizer must end", got=f"{ROUNDS} rounds", hint="please report this bug")


def _check(rule: Rule, before: tuple[Node, ...], after: tuple[Node, ...]) -> None:
    for old, new in zip(before, after, strict=True):
        if not old.schema.equals(new.schema) or (old.windowing, old.timed) != (new.windowing, new.timed):
            raise GraphError(
                f"rule {rule.__name__} must not change what a step gives",
                got=f"columns {new.schema.names}, before {old.schema.names}",
                hint="please report this bug",
                step=step_text(old),
            )
