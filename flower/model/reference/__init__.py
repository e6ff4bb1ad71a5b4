"""The oracle: the Dataflow Model row by row, one obvious loop a rule; slow, and shared with nothing.

It defines what panes a stream has, and every executor is tested against it. It knows windows, triggers and policies
only by their parameters, and computes everything else itself with plain Python integers, lists and dicts.

An epoch is asked in this order:

1. `InputOracle.epoch` reads the rows of all sources. A row meets the watermark that the rows before it in its
   partition have made, or less, where other partitions or sources were behind when the epoch started; but never less
   than what the step had been promised by then.
2. `KeyedOracle.epoch` puts rows into windows, each against the watermark that it meets, then moves the watermark and
   the clock, then asks each window once whether it fires, then lets expired windows go.

Sources: Akidau et al., VLDB 2015, sections 2.2, 2.3 and 3.2; where the paper is silent, Beam.

Examples
--------
>>> from flower.model.time import MIN_TIME
>>> from flower.model.windowing import Windowing
>>> from flower.model.windows import FixedWindows
>>> oracle = KeyedOracle(Windowing.make(FixedWindows("10us")), (), {"n": ("v", "sum")})
>>> rows = [Row({"v": 3}, time=4, met=MIN_TIME), Row({"v": 5}, time=9, met=4), Row({"v": 7}, time=10, met=9)]
>>> panes, dropped, counts = oracle.epoch(rows, MIN_TIME, 10, now=0)
>>> [(pane["window_end"], pane["n"], pane["pane_timing"]) for pane in panes], counts
([(10, 8, 'on_time')], {'on_time': 3, 'late': 0, 'dropped': 0})
"""

from flower.model.reference.keyed import KeyedOracle
from flower.model.reference.rows import Marks, Punctuations, Row, Window
from flower.model.reference.watermarks import InputOracle, WatermarkOracle
from flower.model.reference.windows import windows_of

__all__ = ["InputOracle", "KeyedOracle", "Marks", "Punctuations", "Row", "WatermarkOracle", "Window", "windows_of"]
