"""How a stream looks in a notebook: its columns, its windows in words, and its first rows if they are at hand."""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass
from html import escape

import pandas as pd

from flower.api.recordings import Recording, live_reads, recordings
from flower.api.stream import Stream
from flower.graph.nodes import Aggregate, Dropped, Errors, Node, Read, walk
from flower.graph.optimizer.rewrite import substituted
from flower.graph.schema import dtype_name
from flower.io.recording import RecordingSource
from flower.io.replay import ReplaySource
from flower.model.calendar import CalendarWindows
from flower.model.custom import WindowFn
from flower.model.time import MAX_TIME, duration_text
from flower.model.triggers import AfterWatermark
from flower.model.windowing import Windowing
from flower.model.windows import CountWindows, FixedWindows, GlobalWindows, Sessions, SlidingWindows, by_clock
from flower.notebook.markup import without_formulas

ROWS = 5
WITHIN = 0.8
"""Seconds that a display waits for rows."""


@dataclass(frozen=True)
class Preview:
    """What is shown of a stream.

    Parameters
    ----------
    about : str
        The stream in a line.
    frame : pandas.DataFrame
        Its columns, and the rows that are at hand.
    types : list of str
        The columns' dtypes.
    said : str
        What there is to say about the rows.
    """

    about: str
    frame: pd.DataFrame
    types: list[str]
    said: str

    @property
    def html(self) -> str:
        """It as HTML that needs no kernel."""
        return f"<div>{escape(self.about)}</div>{_table(self.frame, self.types)}{_note(self.said)}"


_SMALL = "font-size: 85%; opacity: 0.75"


def stream_html(stream: Stream) -> str:
    """Show a stream; whatever fails is told in its place, nothing is raised, and nothing waits longer than a second."""
    try:
        return html_of(preview_of(stream))
    except Exception as error:
        return failed_html(stream, error)


def html_of(preview: Preview) -> str:
    """What is shown of a stream, as HTML."""
    return f'<div class="flower-stream">{without_formulas(preview.html)}</div>'


def failed_html(stream: Stream, error: Exception) -> str:
    """A stream that cannot be shown otherwise."""
    shown = f"<pre>{escape(repr(stream))}</pre>{_note(error_text(error))}"
    return f'<div class="flower-stream">{without_formulas(shown)}</div>'


def preview_of(stream: Stream) -> Preview:
    """What there is to show of a stream; waits no longer than a second.

    Rows are read of sources that end: those of a replay as they were recorded. Live ones are not opened: their rows are
    those of a recording, if there is one.
    """
    node = stream.node
    types = [dtype_name(field) for field in node.schema]
    rows, said = _shown(node)
    frame = pd.DataFrame(columns=node.schema.names) if rows is None else rows
    return Preview(_described(node), frame, types, said)


def windows_text(windowing: Windowing) -> str:
    """Windows in words.

    Examples
    --------
    >>> windows_text(Windowing.make(SlidingWindows("1h", every="10min"), allowed_lateness="1h"))
    'windows of 1h, one every 10min; rows are admitted until 1h past the end'
    """
    match windowing.windows:
        case SlidingWindows(size_us=size, every_us=every):
            text = f"windows of {duration_text(size)}, one every {duration_text(every)}"
        case FixedWindows(size_us=size):
            text = f"windows of {duration_text(size)}, one after the other"
        case CalendarWindows(unit=unit, n=n, tz=tz):
            text = f"windows of a {unit} in {tz}" if n == 1 else f"windows of {n} {unit}s in {tz}"
        case Sessions(gap=gap) if gap is not None:
            text = f"sessions that end when nothing came for {gap}"
        case Sessions(gap_us=gap):
            text = f"sessions that end when nothing came for {duration_text(gap)}"
        case CountWindows(n=n):
            text = f"windows of {n:,} rows a key"
        case WindowFn():
            text = f"windows of {windowing.windows!r}"
        case GlobalWindows():
            text = "one window of all time"
    parts = [f"{text}, by the clock" if by_clock(windowing.windows) else text]
    if not isinstance(windowing.trigger, AfterWatermark):
        parts.append(f"results by {windowing.trigger!r}")
    elif windowing.trigger.early is not None:
        parts.append(f"early results by {windowing.trigger.early!r}")
    if windowing.allowed_lateness_us == MAX_TIME:
        parts.append("rows are admitted however late")
    elif windowing.allowed_lateness_us:
        parts.append(f"rows are admitted until {duration_text(windowing.allowed_lateness_us)} past the end")
    if windowing.accumulation == "discarding":
        parts.append("each result holds what came since the one before")
    return "; ".join(parts)


def _described(node: Node) -> str:
    steps = len(list(walk(node)))
    parts = ["bounded" if node.bounded else "unbounded", "1 step" if steps == 1 else f"{steps} steps", _grouping(node)]
    return " · ".join(filter(None, parts))


def _table(frame: pd.DataFrame, types: list[str]) -> str:
    """The columns, their dtypes, and rows if there are some."""
    small = "".join(f'<td style="{_SMALL}; white-space: nowrap">{escape(each)}</td>' for each in types)
    html = frame.to_html(index=False, border=0).replace("</thead>", f"<tr>{small}</tr></thead>", 1)
    # On the cells themselves: JupyterLab's style of tables lets times wrap.
    return '<div style="overflow-x: auto">' + html.replace("<td>", '<td style="white-space: nowrap">') + "</div>"


def _grouping(node: Node) -> str | None:
    """The windows of the rows, or those that the next aggregation will have."""
    if node.windowing is not None:
        return f"to be aggregated in {windows_text(node.windowing)}"
    steps = list(walk(node))
    if any(isinstance(each, Dropped | Errors) for each in steps):
        return None  # rows, not results
    keyed = [each for each in steps if isinstance(each, Aggregate)]
    return f"aggregated in {windows_text(keyed[-1].grouping)}" if keyed else None


def _shown(node: Node) -> tuple[pd.DataFrame | None, str]:
    """The rows, if some are at hand, and what there is to say about them."""
    said = "."
    if live_reads(node):
        recording = recordings.of(node)
        if recording is None:
            return None, "Its rows come over time: .preview() records some, .table() shows them as they come."
        said = f" on the recording {recording.name!r} of {_length(recording)}."
        node = recording.under(node)
    rows = _first(node, [each for each in walk(node) if isinstance(each, Read)])
    match rows:
        case None:
            return None, "Its first rows take a while: .preview(within='10s') waits for them."
        case Exception():
            return None, f"No rows to show: {error_text(rows)}"
    if not len(rows):
        return None, "No rows came while the display waited."
    return rows, (f"The first {len(rows)} rows" if len(rows) > 1 else "The first row") + said


def _first(node: Node, reads: list[Read]) -> pd.DataFrame | Exception | None:
    """The first rows; None if they do not come in time. A thread that is late ends by itself after its epoch."""
    recorded: dict[Node, Node] = {
        read: dataclasses.replace(read, source=read.source.recording)
        for read in reads
        if isinstance(read.source, ReplaySource | RecordingSource)
    }
    (node,) = substituted((node,), recorded) if recorded else (node,)
    got: list[pd.DataFrame | Exception] = []

    def read_some() -> None:
        try:
            got.append(Stream(node).preview(ROWS, within=f"{WITHIN:g}s"))
        except Exception as error:
            got.append(error)

    reader = threading.Thread(target=read_some, name="flower-display", daemon=True)
    reader.start()
    reader.join(WITHIN + 0.1)
    return got[0] if got else None


def _length(recording: Recording) -> str:
    """To a tenth of a second."""
    return duration_text(max(100_000, round(recording.duration.total_seconds() * 10) * 100_000))


def _note(text: str) -> str:
    return f'<div style="{_SMALL}">{escape(text)}</div>'


def error_text(error: Exception) -> str:
    """What failed, in a line."""
    return f"{type(error).__name__}: {error}"
