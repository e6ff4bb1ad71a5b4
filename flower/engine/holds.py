"""How far a keyed step's output watermark may go: what its open windows hold would make panes of earlier event times.

With the timestamp combiner ``end_of_window`` nothing is held: an open window ends after the watermark. Otherwise a
window holds it at the event time that its pane would have if it fired now; a pane to come can only be later, unless a
late row joins it. (Beam lets go of a hold when a pane fires. Here the time of an accumulating pane is that of all its
rows, so they go on holding.)

Runs know the least stamp of each of their windows, so an epoch looks at windows, not at groups; only where a run's
stamp may be out of date (a newer run has more of the group) are the groups of those windows that could hold it furthest
back looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from flower.engine.groups import Law, in_order, joined
from flower.engine.runs import Run, numbered
from flower.model import arrays
from flower.model.arrays import Bools
from flower.model.time import I64, MAX_TIME


def held(runs: Sequence[Run], law: Law, *, newest_wins: bool) -> int:
    """The earliest stamp of the groups of some runs, given oldest first; `MAX_TIME` if none has rows.

    ``newest_wins`` as for `flower.engine.runs.merge`.
    """
    if law.stamp is None or not runs:
        return MAX_TIME
    low = np.concatenate([run.lows(law.no_stamp) for run in runs])
    if len(runs) == 1 or (law.stamp == "earliest" and not (newest_wins and (law.discarding or law.ttl))):
        return int(low.min(initial=MAX_TIME))
    _, end, numbers = numbered(runs)
    least = np.full(len(end), MAX_TIME)
    np.minimum.at(least, np.concatenate(numbers), low)
    first = np.arange(len(end)) == int(least.argmin())
    bound = _least_of(runs, numbers, first, law, newest_wins)
    nearer = ~first & (least < bound)
    return min(bound, _least_of(runs, numbers, nearer, law, newest_wins)) if nearer.any() else bound


def _least_of(runs: Sequence[Run], numbers: Sequence[I64], chosen: Bools, law: Law, newest_wins: bool) -> int:
    """The earliest stamp in the chosen windows, each group's being what all runs together make it."""
    parts, windows = [], []
    for run, number in zip(runs, numbers, strict=True):
        at = np.flatnonzero(chosen[number])
        if len(at):
            cuts = [run.groups.cut(int(run.offsets[i]), int(run.offsets[i + 1])) for i in at.tolist()]
            parts += [replace(groups, states=()) for groups in cuts]
            windows.append(np.repeat(number[at], [len(groups) for groups in cuts]))
    groups = joined(parts)
    hold = groups.hold
    assert hold is not None
    order, change = in_order(groups, np.concatenate(windows), law.exact)
    heads = np.flatnonzero(change)
    if newest_wins:
        stamp = hold[order[arrays.group_ends(heads, len(order))]]
    else:
        stamp = (np.minimum if law.stamp == "earliest" else np.maximum).reduceat(hold[order], heads)
    return int(stamp[stamp != law.no_stamp].min(initial=MAX_TIME))
