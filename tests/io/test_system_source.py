"""The machine as a source, measured by a script instead."""

import pytest

import flower as fl
from flower.errors import DurationError
from flower.io.system import SCHEMA, SystemSource


def scripted(counted, cpu):
    """What measures by a list, on a clock that each look moves by a second."""
    samples = iter([{"cpu": c, "memory": 50.0, "load": 0.1, "sent": n} for n, c in zip(counted, cpu, strict=True)])
    seconds = iter(range(0, 1000))
    return SystemSource("500ms", lambda: next(samples), lambda: next(seconds) * 1_000_000)


def test_a_row_has_what_was_counted_since_the_row_before_as_a_rate():
    source = scripted([100, 300, 350], [1.0, 2.0, 3.0])
    rows = source.open()
    table = source.table([next(rows), next(rows)], [0, 0])
    assert table.schema == SCHEMA
    assert table["cpu"].to_pylist() == [2.0, 3.0]
    sent, times = table["sent"].to_pylist(), table["time"].to_pylist()
    assert sent[1] == 50 / (times[1] - times[0]).total_seconds() and sent[0] > 0
    assert table["received"].to_pylist() == [None, None]


def test_a_counter_that_began_anew_gives_no_rate():
    source = scripted([100, 50], [1.0, 2.0])
    assert source.table([next(source.open())], [0])["sent"].to_pylist() == [None]


def test_cancel_ends_a_wait():
    rows = SystemSource("1h", lambda: {"cpu": 1.0}, lambda: 0).open()
    rows.cancel()
    with pytest.raises(StopIteration):
        next(rows)


def test_this_machine_can_be_measured_recorded_and_aggregated():
    machine = fl.read.system("10ms")
    busiest = machine.window(fl.FixedWindows("1h")).agg(rows="count", cpu=("cpu", "max"))
    panes = busiest.on(fl.record(machine, "1min", rows=4).wait()).collect()
    assert panes["rows"].sum() == 4 and panes["cpu"].between(0, 100).all()


def test_measuring_all_the_time_is_refused():
    with pytest.raises(DurationError, match="every"):
        fl.read.system("1ms")
