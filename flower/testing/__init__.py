"""For tests of one's own pipelines: scripted streams, a manual clock, transcripts, and panes compared."""

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
