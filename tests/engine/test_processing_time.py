"""Windows of processing time make epochs of the clock alone."""

import flower as fl
from flower.engine.embedded import Driver, Options
from flower.testing import ManualClock


def planned(windows: fl.FixedWindows) -> bool:
    """Whether an epoch is planned when only the clock has moved."""
    clock = ManualClock()
    stream = fl.read.rate(1, start="2000-01-01T00:00:00Z")
    driver = Driver([stream.window(windows).agg(n="count").node], Options.make(clock=clock))
    try:
        clock.advance("1ms")
        return driver.next_epoch() is not None
    finally:
        driver.close()


def test_an_epoch_comes_of_the_clock_alone_where_it_completes_windows() -> None:
    assert planned(fl.FixedWindows("1s", time="processing"))
    assert not planned(fl.FixedWindows("1s"))
