"""The clock that moves by hand."""

import pytest

from flower.errors import GraphError
from flower.model.time import instant_us
from flower.testing import ManualClock


def test_it_shows_what_it_was_set_to():
    clock = ManualClock("2000-01-01T12:00:00Z")
    assert clock.now_us() == clock.now_us() == instant_us("2000-01-01T12:00:00Z", "noon")
    clock.advance("90s")
    assert repr(clock) == "ManualClock('2000-01-01T12:01:30Z')"
    clock.set("2000-01-02T00:00:00Z")
    assert repr(clock) == "ManualClock('2000-01-02T00:00:00Z')"


def test_it_does_not_go_back():
    with pytest.raises(GraphError, match="cannot go back"):
        ManualClock("2000-01-01T12:00:00Z").set("2000-01-01T11:59:59Z")
