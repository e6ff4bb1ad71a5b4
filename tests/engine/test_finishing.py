"""How a run counts the pairs that come after a trigger has finished."""

import pytest

import flower as fl
from flower.testing import TestStream


@pytest.mark.parametrize("windows", [fl.FixedWindows("1h"), fl.Sessions("1h")])
def test_pairs_that_come_after_a_trigger_has_finished_are_counted_as_dropped_and_as_nothing_else(windows):
    def row(minute):
        return {"v": 1, "t": f"2000-01-01T12:{minute:02}:00Z"}

    stream = TestStream(schema={"v": "int64"}, event_time="t").add([row(1), row(2)]).add([row(3), row(4), row(5)])
    panes = stream.window(windows, trigger=fl.AfterCount(2), allow_finishing=True).agg(n="count")
    run = panes.run()
    run.wait(timeout=30)
    assert (run.metrics.on_time, run.metrics.late, run.metrics.dropped) == (2, 0, 3)
