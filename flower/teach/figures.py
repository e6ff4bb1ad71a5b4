"""The figures of the paper, of Streaming 102 and of the book, as scripted streams and the panes they print.

``figures.json`` holds them as numbers: rows, the crossings of the watermark, every pane, the published errata and the
sources. A figure differs from Beam in known ways (its ``differs_from_beam``), all of which are options here: on-time
panes that add nothing are left out (``on_time_behavior="fire_if_non_empty"``), delays fire at the full minute
(``align=``), panes take back those before (``accumulation="retracting"``), sessions that touch merge
(``merge_touching=True``), and late rows are kept for ever (``allowed_lateness="unbounded"``).
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from flower.api.display import made
from flower.api.stream import Stream
from flower.errors import GraphError
from flower.model.triggers import AfterCount, AfterProcessingTime, AfterWatermark, Repeatedly, Trigger
from flower.model.windows import FixedWindows, GlobalWindows, Sessions, Windows
from flower.teach.choices import AS_IT_IS, CHOICES, ORDERED
from flower.testing.stream import TestStream

SCHEMA = {"id": "int64", "key": "str", "value": "int64", "event_time": "datetime64[us, UTC]"}


@cache
def _published() -> Mapping[str, Any]:
    path = Path(__file__).with_name("figures.json")
    content: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def figures() -> pd.DataFrame:
    """The figures there are: name, title and where each was published.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``name``; columns ``title``, ``published`` (str) and ``panes`` (int64).

    Examples
    --------
    >>> len(figures())
    34
    """
    rows = _published()["figures"].values()
    return pd.DataFrame(
        {
            "title": [row["title"] for row in rows],
            "published": [row["sources"][0] for row in rows],
            "panes": [len(row["panes"]) for row in rows],
        },
        index=pd.Index([row["id"] for row in rows], name="name"),
    )


def figure(name: str, variant: str | None = None) -> Figure:
    """A published figure.

    Parameters
    ----------
    name : str
        One of `figures`.
    variant : str, optional
        The same figure as another source draws it, or by another definition; see `Figure.variants`.

    Raises
    ------
    GraphError
        If there is no such figure or variant.

    Examples
    --------
    >>> panes = figure("paper_fig12_fixed_watermark_repeat").pipeline().collect(as_stream=True)
    >>> panes[["value", "pane_timing"]].values.tolist()[-1]
    [12, 'on_time']
    """
    known = _published()["figures"]
    if name not in known:
        raise GraphError(f"there is no figure {name!r}", hint=_hint(name, known))
    told = known[name]
    if variant is not None:
        others = {each["id"]: each for each in told["variants"]}
        if variant not in others:
            raise GraphError(
                f"figure {name!r} has no variant {variant!r}",
                hint=f"it has {', '.join(others)}" if others else "it has none",
            )
        told = {**told, **others[variant], "id": name}
    return Figure(name, variant, told)


def _hint(name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, n=3)
    return f"did you mean {' or '.join(close)}?" if close else "teach.figures() lists them"


@dataclass(frozen=True)
class Figure:
    """One figure: its rows, how it treats them, and the panes it prints.

    Parameters
    ----------
    name : str
        Its name among `figures`.
    variant : str or None
        Which drawing of it.
    """

    name: str
    variant: str | None
    _told: Mapping[str, Any] = field(repr=False)

    @property
    def title(self) -> str:
        """What it shows."""
        return str(self._told["title"])

    @property
    def sources(self) -> tuple[str, ...]:
        """Where it was published."""
        return tuple(self._told["sources"])

    @property
    def variants(self) -> tuple[str, ...]:
        """Other drawings or definitions of the same figure."""
        return tuple(each["id"] for each in self._told["variants"])

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known when one compares it with the publication, errata included."""
        errata = (
            f"Published erratum: {each['where']}: printed {each['printed']}, right is {each['right']}."
            for each in self._told["published_errata"]
        )
        return (*self._told["notes"], *errata)

    @property
    def differs_from_beam(self) -> tuple[str, ...]:
        """The ways in which it is not what Beam does."""
        return tuple(self._told["differs_from_beam"])

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The rows in the order of their arrival: ``id``, ``value``, ``event_time``, ``processing_time``."""
        rows = _published()["inputs"][self._told["inputs"]]["rows"]
        return pd.DataFrame(
            {
                "id": [row["id"] for row in rows],
                "value": [row["value"] for row in rows],
                "event_time": _instants([row["event_time"] for row in rows]),
                "processing_time": _instants([row["processing_time"] for row in rows]),
            }
        )

    @cached_property
    def watermark(self) -> pd.DataFrame:
        """The crossings that decide the panes: ``processing_time`` and ``event_time`` (NaT: the end of time)."""
        named = self._told["watermark"]
        crossings = _published()["watermarks"][named]["crossings"] if named else []
        return pd.DataFrame(
            {
                "processing_time": _instants([each["processing_time"] for each in crossings]),
                "event_time": _instants([each["event_time"] for each in crossings]),
            }
        )

    @cached_property
    def panes(self) -> pd.DataFrame:
        """The panes as published, in order: window, value, timing, and the processing time at which each comes.

        A pane that is taken back comes again as a row of its own with ``pane_retraction``, before its replacement.
        """
        told = []
        for pane in self._told["panes"]:
            again = [{**each, "timing": None, "taken_back": True} for each in pane.get("retracts", ())]
            told += [{**each, "at": pane["emit_processing_time"]} for each in (*again, pane)]
        return pd.DataFrame(
            {
                "window_start": _instants([pane["start"] for pane in told]),
                "window_end": _instants([pane["end"] for pane in told]),
                "value": [pane["value"] for pane in told],
                "pane_timing": [pane["timing"] and pane["timing"].replace("-", "_") for pane in told],
                "pane_retraction": ["taken_back" in pane for pane in told],
                "processing_time": _instants([pane["at"] for pane in told]),
            }
        )

    @property
    def line(self) -> pd.DataFrame | None:
        """The watermark as it was drawn, a curve: ``processing_time`` and ``event_time``; None: there is none."""
        named = self._told["watermark"]
        points = _published()["watermarks"][named].get("line") if named else None
        if not points:
            return None
        return pd.DataFrame(
            {
                "processing_time": _instants([point[0] for point in points]),
                "event_time": _instants([point[1] for point in points]),
            }
        )

    @property
    def about(self) -> tuple[tuple[str, str], ...]:
        """What is to be said of it: kinds and texts."""
        told = [("published in", source) for source in self.sources]
        told += [("note", note) for note in self._told["notes"]]
        told += [("erratum", note) for note in self.notes[len(self._told["notes"]) :]]
        known = _published()["about"]["differences_from_beam"]
        return (*told, *(("not as in Beam", known[name]) for name in self.differs_from_beam))

    @property
    def choices(self) -> dict[str, tuple[str, ...]]:
        """What `changed` can change, and into what, from little to much; first "as published" if that is none of them.

        Examples
        --------
        >>> figure("102_fig9_discarding").choices["accumulation"]
        ('discarding', 'accumulating', 'retracting')
        """
        return {
            control: (*(() if self.chosen[control] in some else (AS_IT_IS,)), *some)
            for control, some in CHOICES.items()
        }

    @property
    def chosen(self) -> dict[str, str]:
        """Which of its `choices` it is."""
        told = {**self._told, "allowed_lateness": self.options["allowed_lateness"]}
        return {
            control: next(
                (name for name, fields in some.items() if all(told[field] == of for field, of in fields.items())),
                AS_IT_IS,
            )
            for control, some in CHOICES.items()
        }

    @property
    def ordered(self) -> frozenset[str]:
        """Those of its `choices` that are an order."""
        return ORDERED

    def changed(self, **choices: str) -> Figure:
        """The same rows, treated otherwise.

        Parameters
        ----------
        **choices : str
            For some of `choices`, what to change it into; ``allowed_lateness`` stands for "allowed lateness".

        Raises
        ------
        GraphError
            If there is no such choice.

        Examples
        --------
        >>> per_row = figure("102_fig6left_perfect").changed(trigger="every row", accumulation="discarding")
        >>> per_row.pipeline().collect(as_stream=True)["value"].tolist() == per_row.rows["value"].tolist()
        True
        """
        told = dict(self._told)
        for name, choice in choices.items():
            some = CHOICES.get(name.replace("_", " "))
            if some is None or (choice != AS_IT_IS and choice not in some):
                known = CHOICES if some is None else (AS_IT_IS, *some)
                raise GraphError(
                    f"there is no {name!r} to change" if some is None else f"`{name}` has other choices",
                    got=repr(choice),
                    hint=f"there is {', '.join(map(repr, known))}",
                )
            told |= some.get(choice, {})
        return Figure(self.name, self.variant, told)

    def time_diagram(self) -> Any:
        """The figure drawn, epoch by epoch; in a notebook with sliders that change it.

        Examples
        --------
        >>> figure("102_fig9_discarding").time_diagram().title
        'Early, on-time and late panes, discarding'
        """
        return made("figure_diagram", self)()

    @property
    def dropped(self) -> tuple[int, ...]:
        """The ids of the rows that come too late."""
        return tuple(each["id"] for each in self._told["dropped"])

    @property
    def windows(self) -> Windows:
        """Where in event time."""
        told = self._told["windows"]
        match told["kind"]:
            case "global":
                return GlobalWindows()
            case "sessions":
                return Sessions(told["gap"], merge_touching=told["touching_merge"])
        return FixedWindows(told["size"], offset=told["offset"], time=told["time"])

    @property
    def trigger(self) -> Trigger:
        """When in processing time."""
        told = self._told["trigger"]
        if told["kind"] == "repeatedly":
            return Repeatedly(_part(told["of"]))
        early, late = (None if part is None else _part(part) for part in (told["early"], told["late"]))
        return AfterWatermark(early=early, late=late)

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of ``stream.window`` beside the windows."""
        accumulation = self._told["accumulation"]
        return {
            "trigger": self.trigger,
            "accumulation": "retracting" if accumulation == "accumulating_and_retracting" else accumulation,
            "allowed_lateness": self._told["allowed_lateness"] or "unbounded",
            "on_time_behavior": "fire_if_non_empty",
        }

    def stream(self) -> TestStream:
        """The rows, the watermark and the clock: an epoch whenever anything happens.

        At one instant the rows come first, then the watermark moves, then the clock.
        """
        stream = TestStream(SCHEMA, event_time="event_time").named(self.name)
        rows, crossings = self.rows, self.watermark
        for now in self._instants():
            came = rows[rows["processing_time"] == now]
            crossed = crossings[crossings["processing_time"] == now]["event_time"]

            def happens(s: TestStream, now: Any = now, came: Any = came, crossed: Any = crossed) -> TestStream:
                s = s.clock(now)
                if len(came):
                    s = s.add(came.drop(columns="processing_time").assign(key="TeamX"))
                if len(crossed):
                    s = s.end() if crossed.isna().any() else s.watermark(crossed.max())
                return s

            stream = stream.epoch(happens)
        return stream

    def _instants(self) -> list[pd.Timestamp]:
        """When something happens: a row, a crossing, or a timer that may be due."""
        moments = pd.concat([self.rows["processing_time"], self.watermark["processing_time"]])
        told = self._told["trigger"]
        parts = [part for part in (told.get("of"), told.get("early"), told.get("late")) if part is not None]
        for part in parts:
            if part["kind"] != "processing_time":
                continue
            delay = pd.Timedelta(part["delay"])
            if part["aligned"]:
                first = pd.Timestamp(part["align_to"])
                ticks = pd.date_range(first, moments.max() + delay, freq=delay)
                moments = pd.concat([moments, pd.Series(ticks[ticks >= moments.min()].as_unit("us"))])
            else:
                moments = pd.concat([moments, self.rows["processing_time"] + delay])
        last = self.watermark["processing_time"].max()
        if self.watermark["event_time"].isna().any():
            moments = moments[moments <= last]
        return sorted(moments.drop_duplicates())

    def pipeline(self) -> Stream:
        """The figure as a pipeline: the sum of ``value`` per window, fired as the figure fires."""
        return self.stream().window(self.windows, **self.options).groupby("key").agg(value=("value", "sum"))


def _part(told: Mapping[str, Any]) -> Trigger:
    if told["kind"] == "count":
        return AfterCount(told["count"])
    if not told["aligned"]:
        return AfterProcessingTime(told["delay"])
    offset = pd.Timestamp(told["align_to"]) - pd.Timestamp(0, tz="UTC")
    return AfterProcessingTime(align=told["delay"], align_offset=offset % pd.Timedelta(told["delay"]))


def _instants(texts: list[str | None]) -> pd.Series[pd.Timestamp]:
    return pd.Series(pd.to_datetime(pd.Series(texts, dtype="str"), utc=True).dt.as_unit("us"))
