"""How a graph of frozen nodes is changed: bottom up, each node once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from flower.graph.nodes import Node, walk

Rule = Callable[[tuple[Node, ...]], Mapping[Node, Node]]
"""Given the outputs of a graph, which nodes to replace by which; nothing if there is nothing to do."""


def rebuilt(outputs: Iterable[Node], build: Callable[[Node, tuple[Node, ...]], Node]) -> tuple[Node, ...]:
    """Give the outputs with every node made anew by ``build(node, new inputs)``; equal nodes become one object."""
    outputs = tuple(outputs)
    made: dict[Node, Node] = {}
    for node in walk(outputs):
        made[node] = build(node, tuple(made[each] for each in node.inputs))
    return tuple(made[node] for node in outputs)


def substituted(outputs: tuple[Node, ...], replacements: Mapping[Node, Node]) -> tuple[Node, ...]:
    """Give the outputs with each key of ``replacements`` replaced by its value, whose inputs are replaced in turn."""
    made: dict[Node, Node] = {}

    def make(node: Node) -> Node:
        if node not in made:
            # A replacement may contain the node itself, which there stays what it is.
            made[node] = node.with_inputs(tuple(make(each) for each in node.inputs))
            if node in replacements:
                made[node] = make(replacements[node])
        return made[node]

    return tuple(make(node) for node in outputs)


def uses(outputs: tuple[Node, ...]) -> Counter[Node]:
    """Count how many nodes take the rows of each node; being an output counts as one."""
    return Counter([*outputs, *(each for node in walk(outputs) for each in node.inputs)])


def everywhere(rule: Callable[[Node], Node | None]) -> Rule:
    """Try a rule for single nodes on each whose inputs nobody else takes: what is shared stays computed once."""

    def apply(outputs: tuple[Node, ...]) -> Mapping[Node, Node]:
        taken = uses(outputs)
        alone = (node for node in walk(outputs) if all(taken[each] == 1 for each in node.inputs))
        return {node: new for node in alone if (new := rule(node)) is not None}

    apply.__name__ = rule.__name__
    apply.__doc__ = rule.__doc__
    return apply
