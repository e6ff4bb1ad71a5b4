"""The rows of a keyed step dealt into shards by key, so that several workers hold its state."""

from __future__ import annotations

from collections.abc import Sequence

from flower.engine.keys import shard_of
from flower.engine.pairs import Pairs
from flower.engine.state import Piece
from flower.engine.waiting import Held


def split(piece: Piece, shards: int) -> Sequence[Piece | None]:
    """What goes to each shard; None where nothing does."""
    if not len(piece):
        return [None] * shards
    if shards == 1:
        return [piece]
    shard = shard_of(piece.hash if isinstance(piece, Pairs | Held) else piece.groups.hash, shards)
    return [piece.where(mask) if (mask := shard == number).any() else None for number in range(shards)]
