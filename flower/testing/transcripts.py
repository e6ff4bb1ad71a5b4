"""Transcripts: a stream told step by step in YAML, with the panes that each step must give.

A file is a list of transcripts. One looks like this::

    - name: a late row inside the allowed lateness refines the pane
      windows: FixedWindows("2min")
      allowed_lateness: 1min
      schema: {k: str, v: int64}
      keys: [k]
      aggregations: {total: [v, sum]}
      steps:
        - rows: [[12:00:30, a, 5]]
          watermark: 12:02
          panes: [{k: a, window: [12:00, 12:02], total: 5, timing: on_time}]
        - rows: [[12:01:00, a, 7]]
          panes: [{k: a, window: [12:00, 12:02], total: 12, timing: late, index: 1}]

Each step is an epoch; what happens in it happens in the order in which it is written. A row is its event time and then
the columns of the schema. A time of day is one of 2000-01-01, in UTC.

Keys of a transcript
    ``name``, ``windows``, ``schema``, ``aggregations`` (name: [column or null, aggregate]) and ``steps``, and if needed
    ``keys``, ``partitions``, ``must_fail`` (what the error must say) and the arguments of ``stream.window``:
    ``trigger``, ``accumulation``, ``allowed_lateness``, ``allow_finishing`` and so on.
Keys of a step
    ``rows``, ``watermark``, ``clock``, ``end`` (true: the stream ends), ``partition`` (of the rows and the watermark),
    or ``epoch``: a list of steps that are one epoch; and what comes of it: ``panes`` and ``dropped``, nothing if left
    out.
Keys of a pane
    The keys and aggregates, ``window`` ([start, end], or global), ``timing``, and unless they are 0, false, none and
    the end of the window less one microsecond: ``index``, ``final``, ``absorbs`` (a list of windows), ``event_time``.
Keys of a dropped pair
    ``row``, ``window``, the ``watermark`` that the row met (left out: none), and the ``reason`` unless it is that the
    window had expired.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from flower.api.stream import Stream
from flower.engine.holding import gap_for, holds_for
from flower.errors import FlowerError, TranscriptError
from flower.graph.nodes import Aggregate
from flower.graph.schema import names_text, schema_of
from flower.model.canonical import value_of
from flower.model.panes import ABSORBS, EVENT_TIME, FINAL, INDEX, RETRACTION, TIMING, TIMINGS, WINDOW_END, WINDOW_START
from flower.model.reference import KeyedOracle, Row, WatermarkOracle
from flower.model.time import instant_us
from flower.model.watermarks import ManualWatermark
from flower.model.windowing import Windowing
from flower.model.windows import Sessions
from flower.testing.epochs import by_epoch
from flower.testing.panes import Plain, assert_panes, compare_rows, plain_rows
from flower.testing.stream import TestStream

_TIME = "t"
"""The event-time column of a transcript's stream."""
_WINDOW = tuple(name for name in inspect.signature(Windowing.make).parameters if name != "windows")
_NEEDED = ("name", "windows", "schema", "aggregations", "steps")
_TRANSCRIPT = (*_NEEDED, "keys", "partitions", "must_fail", *_WINDOW)
_EVENTS = ("rows", "watermark", "clock", "end")
_STEP = (*_EVENTS, "partition", "epoch", "panes", "dropped")
_OWN = ("name", "schema", "steps")
_SHORT = {"timing": TIMING, "index": INDEX, "final": FINAL, "absorbs": ABSORBS}
_TIMES = (_TIME, WINDOW_START, WINDOW_END, EVENT_TIME, "watermark")


def load_transcripts(path: str | Path) -> list[dict[str, Any]]:
    """The transcripts of a YAML file, to be run one by one with `run_transcript`.

    Raises
    ------
    TranscriptError
        If it is no list of transcripts, or a mapping names a key twice.
    """
    from flower.testing.documents import load

    loaded = load(Path(path).read_text(encoding="utf-8"), str(path))
    if not isinstance(loaded, list) or not all(isinstance(each, dict) for each in loaded):
        raise TranscriptError(f"{path} must be a list of transcripts", got=type(loaded).__name__)
    return loaded


def run_transcript(
    transcript: Mapping[str, Any] | str | Path,
    executor: Any = "embedded",
    *,
    pipeline: Callable[[TestStream], Stream] | None = None,
) -> None:
    """Play a transcript, and check every pane and dropped row of every step.

    Parameters
    ----------
    transcript : mapping, str or pathlib.Path
        As the module says; or a file of transcripts, all of which are played.
    executor : str or distributed.Client
        ``"reference"`` is the oracle; others are those of ``stream.collect``.
    pipeline : callable, optional
        A pipeline of your own: takes the stream of the steps, whose event time is the column ``t``, and gives the one
        to be checked. The transcript then has only ``name``, ``schema``, ``steps``, ``partitions`` and ``must_fail``;
        ``panes`` are its rows, of which the columns that are named are compared.

    Raises
    ------
    TranscriptError
        If something is not as the transcript says, or the transcript has keys that nobody knows, or it must fail and
        does not.
    FlowerError
        If the pipeline that it describes is refused.
    """
    if isinstance(transcript, str | Path):
        for each in load_transcripts(transcript):
            run_transcript(each, executor, pipeline=pipeline)
        return
    reason = transcript.get("must_fail")
    try:
        if pipeline is None:
            _run(transcript, executor)
        else:
            _run_pipeline(transcript, executor, pipeline)
    except FlowerError as error:
        if reason is None or reason not in str(error):
            raise
        return
    if reason is not None:
        raise TranscriptError(f"transcript {transcript['name']!r} must fail", got="all as expected")


@dataclass(frozen=True)
class _Outcome:
    panes: list[Plain]
    dropped: list[Plain]


def _run(transcript: Mapping[str, Any], executor: Any) -> None:
    _only(transcript, _TRANSCRIPT, "a transcript")
    if lacking := [key for key in _NEEDED if key not in transcript]:
        raise TranscriptError(f"a transcript must have {names_text(lacking)}")
    if not transcript["steps"]:
        raise TranscriptError("a transcript must have at least one step")
    play = _Play(transcript)
    expected = [play.expected(step) for step in transcript["steps"]]
    actual = play.on_oracle() if executor == "reference" else play.on(executor)
    for number, (step, want, got) in enumerate(zip(transcript["steps"], expected, actual, strict=True), 1):
        for what in ("panes", "dropped"):
            try:
                compare_rows(getattr(got, what), getattr(want, what), _TIMES, rtol=1e-9)
            except TranscriptError as error:
                raise _at_step(error, what, number, transcript, step) from None


def _at_step(
    error: TranscriptError, what: str, number: int, transcript: Mapping[str, Any], step: Mapping[str, Any]
) -> TranscriptError:
    """The same error, which says at which step."""
    said = ", ".join(f"{key}: {value}" for key, value in step.items() if key not in ("panes", "dropped"))
    required = f"{what} of step {number} of {transcript['name']!r} must be as expected ({said})"
    return TranscriptError(required, got=error.got or error.required)


def _run_pipeline(transcript: Mapping[str, Any], executor: Any, pipeline: Callable[[TestStream], Stream]) -> None:
    _only(transcript, (*_OWN, "partitions", "must_fail"), "a transcript of a pipeline")
    if lacking := [key for key in _OWN if key not in transcript]:
        raise TranscriptError(f"a transcript must have {names_text(lacking)}")
    if not transcript["steps"]:
        raise TranscriptError("a transcript must have at least one step")
    steps = transcript["steps"]
    for step in steps:
        if "dropped" in step:
            raise TranscriptError("a step of a pipeline has no `dropped`", hint="give `stream.dropped` as the pipeline")
    told = by_epoch(pipeline(_Script(transcript).stream), executor)
    for number, (step, rows) in enumerate(zip(steps, told, strict=True), 1):
        try:
            assert_panes(rows, [_named_as_columns(row) for row in step.get("panes", ())])
        except TranscriptError as error:
            raise _at_step(error, "panes", number, transcript, step) from None


def _named_as_columns(pane: Mapping[str, Any]) -> dict[str, Any]:
    """What a transcript says of a pane, by the names of its columns."""
    row = {_SHORT.get(key, key): value for key, value in pane.items() if key != "window"}
    if "window" in pane:
        row[WINDOW_START], row[WINDOW_END] = _window(pane["window"])
    if ABSORBS in row:
        row[ABSORBS] = [_window(window) for window in row[ABSORBS]]
    if EVENT_TIME in row:
        row[EVENT_TIME] = _us(row[EVENT_TIME])
    return row


class _Script:
    """The stream that the steps of a transcript tell."""

    def __init__(self, transcript: Mapping[str, Any]) -> None:
        self.columns = schema_of(transcript["schema"]).names
        stream = TestStream(transcript["schema"], _TIME, transcript.get("partitions", 1))
        for step in transcript["steps"]:
            stream = stream.epoch(partial(self._epoch, step))
        self.stream = stream

    def _epoch(self, step: Mapping[str, Any], stream: TestStream) -> TestStream:
        _only(step, _STEP, "a step")
        if "epoch" in step:
            _only(step, ("epoch", "panes", "dropped"), "a step with an epoch")
            for part in step["epoch"]:
                _only(part, (*_EVENTS, "partition"), "a part of an epoch")
                stream = self._events(stream, part)
            return stream
        return self._events(stream, step)

    def _events(self, stream: TestStream, step: Mapping[str, Any]) -> TestStream:
        partition = step.get("partition", 0)
        before = stream
        for key, value in step.items():
            if key == "rows":
                stream = stream.add([self._row(row) for row in value], partition)
            elif key == "watermark":
                stream = stream.watermark(_instant(value), partition)
            elif key == "clock":
                stream = stream.clock(_instant(value))
            elif key == "end":
                stream = stream.end()
        if stream is before:
            raise TranscriptError("a step must have " + " or ".join(_EVENTS), got=names_text(step))
        return stream

    def _row(self, row: Sequence[Any]) -> dict[str, Any]:
        if len(row) != 1 + len(self.columns):
            raise TranscriptError(f"a row must be its time, {', '.join(self.columns)}", got=str(list(row)))
        return {_TIME: _instant(row[0]), **dict(zip(self.columns, row[1:], strict=True))}


class _Play(_Script):
    """A transcript, understood."""

    def __init__(self, transcript: Mapping[str, Any]) -> None:
        self.name = str(transcript["name"])
        self.windows = _value(transcript["windows"])
        options = {key: transcript[key] for key in _WINDOW if key in transcript}
        self.options = {key: _value(value) if key == "trigger" else value for key, value in options.items()}
        self.windowing = Windowing.make(self.windows, **self.options)
        self.keys = tuple(transcript.get("keys", ()))
        self.aggregations = {
            name: (column, _value(how) if "(" in how else how)
            for name, (column, how) in transcript["aggregations"].items()
        }
        super().__init__(transcript)

    # What is expected

    def expected(self, step: Mapping[str, Any]) -> _Outcome:
        panes = [self._pane(pane) for pane in step.get("panes", ())]
        return _Outcome(panes, [self._dropped(pair) for pair in step.get("dropped", ())])

    def _pane(self, pane: Mapping[str, Any]) -> Plain:
        needed = (*self.keys, "window", *self.aggregations, "timing")
        _only(pane, (*needed, "index", "final", "retraction", "absorbs", "event_time"), "a pane")
        if lacking := [key for key in needed if key not in pane]:
            raise TranscriptError(f"a pane must have {names_text(lacking)}", got=str(dict(pane)))
        if pane["timing"] not in TIMINGS:
            raise TranscriptError(f"`timing` must be {' or '.join(TIMINGS)}", got=repr(pane["timing"]))
        start, end = _window(pane["window"])
        plain = {key: pane[key] for key in self.keys}
        plain |= {WINDOW_START: start, WINDOW_END: end}
        plain |= {name: pane[name] for name in self.aggregations}
        plain |= {TIMING: pane["timing"], INDEX: pane.get("index", 0), FINAL: pane.get("final", False)}
        if self.windowing.accumulation == "retracting":
            plain[RETRACTION] = pane.get("retraction", False)
        elif "retraction" in pane:
            raise TranscriptError("only retracting panes are taken back", got=str(dict(pane)))
        if self.windowing.windows.merging:
            plain[ABSORBS] = sorted(_window(window) for window in pane.get("absorbs", ()))
        elif "absorbs" in pane:
            raise TranscriptError("only sessions absorb windows", got=str(dict(pane)))
        plain[EVENT_TIME] = _us(pane["event_time"]) if "event_time" in pane else None if end is None else end - 1
        return plain

    def _dropped(self, pair: Mapping[str, Any]) -> Plain:
        _only(pair, ("row", "window", "watermark", "reason"), "a dropped pair")
        row = self._row(pair["row"])
        row[_TIME] = _us(row[_TIME])
        start, end = _window(pair["window"])
        watermark = _us(pair["watermark"]) if "watermark" in pair else None
        met = {"reason": pair.get("reason", "the window had expired"), "watermark": watermark}
        return {**row, WINDOW_START: start, WINDOW_END: end, **met}

    # What comes

    def on_oracle(self) -> list[_Outcome]:
        """Each epoch on the oracle alone."""
        source = self.stream.source
        watermarks = WatermarkOracle(ManualWatermark(), source.count)
        node = self._panes().node
        assert isinstance(node, Aggregate)
        holds = holds_for(node.schema, self.keys, self.name)
        # What `When` was given is an expression there, not text.
        windows = node.grouping.windows
        gap = gap_for(windows.gap, node.input.schema) if isinstance(windows, Sessions) else None
        gap_of = (lambda row: None) if gap is None else (lambda row: gap(row.values))
        keyed = KeyedOracle(node.grouping, self.keys, self.aggregations, holds, gap_of)
        outcomes, positions = [], (0,) * source.count
        for ends, now in source.epochs():
            before = watermarks.watermark
            ranges = list(enumerate(zip(positions, ends, strict=True)))
            tables = [source.read(p, start, end).to_pylist() for p, (start, end) in ranges]
            times = [[_us(row[_TIME]) for row in table] for table in tables]
            marks = [(list(m), last) for m, last in (source.marks(p, start, end) for p, (start, end) in ranges)]
            ended = [source.ended(p, end) for p, end in enumerate(ends)]
            met = watermarks.epoch(times, now, ended, marks=marks)
            rows = [
                Row(row, times[p][i], met[p][i], p, positions[p] + i)
                for p, table in enumerate(tables)
                for i, row in enumerate(table)
            ]
            panes, dropped, _ = keyed.epoch(rows, before, watermarks.watermark, now)
            outcomes.append(_Outcome(plain_rows(panes), plain_rows(dropped)))
            positions = ends
        return outcomes

    def _panes(self) -> Stream:
        windowed = self.stream.window(self.windows, **self.options)
        return (windowed.groupby(*self.keys) if self.keys else windowed).agg(**self.aggregations)

    def on(self, executor: Any) -> list[_Outcome]:
        """A run of all epochs on an executor."""
        panes = self._panes()
        told, gone = by_epoch(panes, executor), by_epoch(panes.dropped, executor)
        return [
            _Outcome(plain_rows(some.to_dict("records")), plain_rows(others.to_dict("records")))
            for some, others in zip(told, gone, strict=True)
        ]


def _only(mapping: Mapping[str, Any], known: Sequence[str], what: str) -> None:
    if unknown := [str(key) for key in mapping if key not in known]:
        raise TranscriptError(f"{what} has only the keys {', '.join(known)}", got=names_text(unknown))


def _value(text: object) -> Any:
    return value_of(str(text))


def _instant(text: object) -> str:
    """Text of an instant; a time of day is one of 2000-01-01."""
    text = str(text)
    return text if "-" in text else f"2000-01-01T{text}Z"


def _us(text: object) -> int:
    return instant_us(_instant(text) if isinstance(text, str) else text, "time")


def _window(window: object) -> tuple[Any, Any]:
    if window == "global":
        return None, None
    if not isinstance(window, Sequence) or len(window) != 2:
        raise TranscriptError("a window must be [start, end] or global", got=repr(window))
    return _us(window[0]), _us(window[1])
