"""The groups of a keyed step dealt into shards by key, so that several workers hold its state."""

from __future__ import annotations

from flower.engine.keys import shard_of
from flower.engine.runs import Run
from flower.engine.sessions import SessionRun


def split(groups: Run | SessionRun, shards: int) -> list[Run | SessionRun | None]:
    """The groups of each shard; None where it has none."""
    if not len(groups):
        return [None] * shards
    if shards == 1:
        return [groups]
    shard = shard_of(groups.groups.hash, shards)
    return [groups.where(mask) if (mask := shard == number).any() else None for number in range(shards)]
