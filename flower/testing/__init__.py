"""For tests of one's own pipelines: scripted streams, a manual clock, transcripts, and panes compared.

A pipeline is written as a function of its source, so that a test can give it a `TestStream`: rows, watermarks and the
clock as told, epoch by epoch. `by_epoch` gives what came of each; `assert_panes` compares it with what is expected, and
shows the difference as a table of a line a pane, with stars around what differs. Whole cases can be told in YAML:
`run_transcript` plays them. All of it runs on any executor; ``"reference"`` is the oracle.

Examples
--------
>>> import flower as fl
>>> def delays(flights):
...     windowed = flights.window(fl.FixedWindows("1h"), allowed_lateness="30min")
...     return windowed.groupby("carrier").agg(mean=("delay", "mean"))
>>> def flight(time, delay):
...     return {"t": f"2000-01-01T{time}Z", "carrier": "AA", "delay": delay}
>>> flights = (
...     TestStream({"carrier": "str", "delay": "int64"}, "t")
...     .epoch(lambda s: s.add([flight("12:10", 4)]).watermark("2000-01-01T13:00Z"))
...     .epoch(lambda s: s.add([flight("12:50", 8)]))  # late
... )
>>> first, second = by_epoch(delays(flights))
>>> assert_panes(first, [{"carrier": "AA", "mean": 4.0, "pane_timing": "on_time"}])
>>> assert_panes(second, [{"carrier": "AA", "mean": 6.0, "pane_timing": "late"}])

The same as a transcript, with a mistake in it:

>>> step = {"rows": [["12:10", "AA", 4]], "watermark": "13:00"}
>>> step["panes"] = [{"carrier": "AA", "window": ["12:00", "13:00"], "mean": 5.0}]
>>> case = {"name": "a mean", "schema": {"carrier": "str", "delay": "int64"}, "steps": [step]}
>>> run_transcript(case, pipeline=delays)  # doctest: +ELLIPSIS
Traceback (most recent call last):
flower.errors.TranscriptError: panes of step 1 of 'a mean' must be as expected (...); got 1 different:
           carrier  window_start          window_end            mean
different  AA       2000-01-01T12:00:00Z  2000-01-01T13:00:00Z  *4.0 (expected 5.0)*
"""

from flower.testing.clock import ManualClock
from flower.testing.epochs import by_epoch
from flower.testing.panes import assert_panes
from flower.testing.stream import TestStream
from flower.testing.transcripts import load_transcripts, run_transcript

__all__ = [
    "ManualClock",
    "TestStream",
    "assert_panes",
    "by_epoch",
    "load_transcripts",
    "run_transcript",
]
