"""Tables of what is remembered of keys: whatever is put in, taken out and put in again, each key has its newest."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from scripted import examples

from flower.engine.kept import NEVER, Kept, Remembered, due, found, with_more
from flower.engine.keys import encode

epochs = st.lists(
    st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(st.integers(0, 3), st.none() | st.integers(0, 9))),
    max_size=12,
)


def records(of: dict[str, tuple[int, int | None]], *, alike: bool) -> Remembered:
    """What is to be remembered; ``alike``: the hashes of different keys may be the same."""
    encoded = encode([pa.array(list(of), pa.large_string())], len(of), exact=False)
    values = [of[key.as_py()] for key in encoded.keys[0]]
    hash_ = np.zeros(len(of), np.int64) if alike else encoded.hash
    times = np.array([NEVER if time is None else time for _, time in values], np.int64)
    column = pa.array([value or None for value, _ in values], pa.int64())
    return Remembered(hash_, encoded.keys, (column,), (times,), (times,))


@examples(200)
@given(epochs, st.booleans())
def test_tables_are_a_mapping_of_keys(told: Any, alike: bool) -> None:
    tables: tuple[Kept, ...] = ()
    model: dict[str, tuple[int, int | None]] = {}
    for epoch in told:
        new = records(epoch, alike=alike)
        left = list(tables)
        seen: dict[str, tuple[int | None, int]] = {}
        for number, table in enumerate(tables):
            which, where = found(table, new.hash, new.keys, exact=False)
            there = table.records.take(where)
            for i, value, time in zip(
                which.tolist(), there.values[0].to_pylist(), there.times[0].tolist(), strict=True
            ):
                assert new.keys[0][i].as_py() not in seen
                seen[new.keys[0][i].as_py()] = value, time
            left[number] = table.without(where)
        assert seen == {
            key: (model[key][0] or None, NEVER if model[key][1] is None else model[key][1])
            for key in epoch
            if key in model
        }
        tables = with_more(left, new.take(np.flatnonzero(new.told())))
        model |= epoch
        model = {key: value for key, value in model.items() if value[0] or value[1] is not None}
        assert sum(int(table.live.sum()) for table in tables) == len(model)
        alive = [int(table.live.sum()) for table in tables]
        assert all(older >= 2 * newer for older, newer in itertools.pairwise(alive))
        for limit in (0, 4, 9):
            asked = [key for t in tables for key in t.records.take(due(t, [limit])).keys[0].to_pylist()]
            assert sorted(asked) == sorted(k for k, (_, time) in model.items() if time is not None and time <= limit)
        times = [time for _, time in model.values() if time is not None]
        assert min((table.hold for table in tables), default=NEVER) == min(times, default=NEVER)
