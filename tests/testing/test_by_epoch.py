"""What each epoch gives."""

import pytest

import flower as fl
from flower.testing import TestStream, by_epoch


def rows(*seconds):
    return [{"v": 1, "event_time": f"2000-01-01T00:00:{second:02d}Z"} for second in seconds]


@pytest.mark.parametrize("executor", ["reference", "embedded"])
def test_rows_are_given_to_the_epoch_that_made_them(executor):
    stream = (
        TestStream({"v": "int64"})
        .add(rows(1, 2))
        .watermark("2000-01-01T00:00:04Z")
        .add(rows(5, 6, 7))
        .add(rows(8))
        .end()
    )
    panes = stream.window(fl.FixedWindows("4s")).agg(total=("v", "sum"))
    epochs = by_epoch(panes, executor)
    assert [frame["total"].tolist() for frame in epochs] == [[], [2], [], [], [3, 1]]
    assert all(list(frame.columns) == panes.schema.names for frame in epochs)


@pytest.mark.parametrize("executor", ["reference", "embedded"])
def test_dropped_rows_have_their_epoch_too(executor):
    stream = TestStream({"v": "int64"}).watermark("2000-01-01T00:00:04Z").add(rows(1)).add(rows(5))
    dropped = stream.window(fl.FixedWindows("4s")).agg(total=("v", "sum")).dropped
    assert [len(frame) for frame in by_epoch(dropped, executor)] == [0, 1, 0]
