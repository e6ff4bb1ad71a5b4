"""A recording: rows of sources as they came, in journals, and what is known of those sources; kept until forgotten.

A recording is a directory: a journal for each partition of each source, in a directory named after both numbers
(``0-0``), and ``recording.json``. Saved, it is one zip file of the same. Who reads one trusts none of it.
"""

from __future__ import annotations

import base64
import json
import math
import os
import re
import shutil
import tempfile
import weakref
import zipfile
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa

from flower.errors import FlowerError, SourceError
from flower.io.journal import JournalReader
from flower.io.replay import check_speed
from flower.model.canonical import value_of
from flower.model.event_time import check_event_time, check_zone
from flower.model.time import I64
from flower.model.watermarks import WatermarkPolicy

ABOUT = "recording.json"
FORMAT, VERSION = "flower recording", 1
MOST_BYTES = 4 * 2**30
"""How much a file may hold that is loaded."""

T = TypeVar("T")

_MEMBER = re.compile(r"\d{1,4}-\d{1,6}/\d{16}\.journal")


class Files:
    """A recording's directory; deleted when nobody refers to it any more, at the latest when the process ends."""

    def __init__(self) -> None:
        self.directory = tempfile.mkdtemp(prefix="flower-recording-")
        weakref.finalize(self, shutil.rmtree, self.directory, ignore_errors=True)

    def partition(self, track: int, partition: int) -> str:
        """The directory of a partition's journal."""
        return os.path.join(self.directory, f"{track}-{partition}")


@dataclass(frozen=True)
class Track:
    """What is known of one source of a recording.

    Parameters
    ----------
    label : str
        What a person calls the source.
    schema : pyarrow.Schema
        Its columns.
    event_time, tz, arrival, watermark
        As it was read.
    partitions : tuple of str
        Their names.
    rows : tuple of int
        How many rows of each are recorded.
    """

    label: str
    schema: pa.Schema
    event_time: str | None
    tz: str
    arrival: str | None
    watermark: WatermarkPolicy
    partitions: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()


class RecordingSource:
    """The rows of one source of a recording, all at once or each when its turn has come.

    Parameters
    ----------
    files : Files
        Of the recording.
    number : int
        Which of its sources.
    track : Track
        What is known of it.
    name : str
        The recording's.
    began_us : int
        When it began, in microseconds UTC.
    speed : float, optional
        How much faster than they came; None: as fast as possible.
    """

    def __init__(
        self, files: Files, number: int, track: Track, name: str, began_us: int, speed: float | None = None
    ) -> None:
        check_speed(speed)
        self._files: Files | None = files
        self._parts = (files, number, track, name, began_us)
        self._readers = [
            JournalReader(files.partition(number, partition), f"recording {name!r}")
            for partition in range(len(track.partitions))
        ]
        self._track, self._began, self._speed = track, began_us, speed
        self._arrivals: dict[int, tuple[I64, I64]] = {}
        self.schema: pa.Schema = track.schema
        self.bounded = True
        self.paced = speed is not None
        self.label = f"recording {name!r}" + ("" if speed is None else f" at {speed:g} times its speed")

    def __repr__(self) -> str:
        return self.label

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_files", "_parts")}

    def at(self, speed: float | None) -> RecordingSource:
        """The same rows at another speed."""
        return RecordingSource(*self._parts, speed)

    @property
    def recording(self) -> RecordingSource:
        """The same rows, at once."""
        return self if self._speed is None else self.at(None)

    def partitions(self) -> tuple[str, ...]:
        """Those of the source."""
        return self._track.partitions

    def initial(self, partition: int) -> int:
        """Before the first row."""
        return 0

    def latest(self, partition: int, position: int, limit_rows: int, elapsed_us: int) -> int:
        """The rows that had come when the recording was as old as the run is now, times the speed."""
        end = min(position + limit_rows, self._track.rows[partition])
        if self._speed is not None:
            times, ends = self._came(partition)
            due = int(np.searchsorted(times, self._began + elapsed_us * self._speed, side="right"))
            end = min(end, int(ends[due - 1]) if due else 0)
        return max(position, end)

    def due(self, partition: int, position: int) -> int | None:
        """When the row at ``position`` has its turn."""
        if self._speed is None or self.ended(partition, position):
            return None
        times, ends = self._came(partition)
        came = int(times[np.searchsorted(ends, position, side="right")])
        return math.ceil((came - self._began) / self._speed)

    def waiting(self, partition: int, position: int, elapsed_us: int) -> int:
        """Rows whose turn has come."""
        return self.latest(partition, position, 2**62, elapsed_us) - position

    def total(self, partition: int) -> int:
        """All rows."""
        return self._track.rows[partition]

    def read(self, partition: int, start: int, end: int, columns: tuple[str, ...] | None = None) -> pa.Table:
        """The rows of a range."""
        return self._readers[partition].read(start, end) if end > start else self.schema.empty_table()

    def ended(self, partition: int, position: int) -> bool:
        """Whether all rows are before ``position``."""
        return position >= self._track.rows[partition]

    def _came(self, partition: int) -> tuple[I64, I64]:
        """When rows came, never going back, and how many there were then."""
        if partition not in self._arrivals:
            entries = self._readers[partition].arrivals()
            times = np.maximum.accumulate(np.array([each.arrival_us for each in entries], np.int64))
            self._arrivals[partition] = times, np.array([each.start + each.rows for each in entries], np.int64)
        return self._arrivals[partition]


# -- one file


@dataclass(frozen=True)
class About:
    """What is known of a recording.

    Parameters
    ----------
    name : str
        Its name.
    began_us, ended_us : int
        When it began and ended.
    tracks : tuple of Track
        Its sources.
    """

    name: str
    began_us: int
    ended_us: int
    tracks: tuple[Track, ...]


def save(path: str, files: Files, about: About) -> None:
    """Write a recording as one file, whole or not at all.

    Raises
    ------
    SourceError
        If the file cannot be written.
    """
    text = json.dumps(
        {
            "format": FORMAT,
            "version": VERSION,
            "name": about.name,
            "began_us": about.began_us,
            "ended_us": about.ended_us,
            "tracks": [_json(track) for track in about.tracks],
        },
        indent=1,
    )
    part = f"{path}.part"
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr(ABOUT, text)
            for number, track in enumerate(about.tracks):
                for partition in range(len(track.partitions)):
                    directory = files.partition(number, partition)
                    for name in sorted(os.listdir(directory)):
                        file.write(os.path.join(directory, name), f"{number}-{partition}/{name}")
        os.replace(part, path)
    except OSError as error:
        raise SourceError(
            f"{path!r} must be a file that can be written", got=error.strerror or str(error), hint="name another file"
        ) from error


def load(path: str) -> tuple[Files, About]:
    """Read what `save` wrote.

    Raises
    ------
    SourceError
        If there is no such file, or it is another; its journals are checked when they are read.
    """
    try:
        with zipfile.ZipFile(path) as file:
            members = [each for each in file.infolist() if each.filename != ABOUT]
            if not all(_MEMBER.fullmatch(each.filename) for each in members):
                raise ValueError("files that no recording has")
            if sum(each.file_size for each in members) > MOST_BYTES:
                raise ValueError(f"more than {MOST_BYTES:,} bytes")
            about = _about(json.loads(file.read(ABOUT)))
            files = Files()
            for number, track in enumerate(about.tracks):
                for partition in range(len(track.partitions)):
                    os.mkdir(files.partition(number, partition))
            for member in members:
                file.extract(member, files.directory)
    except FileNotFoundError:
        raise SourceError(f"there is no recording {path!r}", hint="write one with recording.save(path)") from None
    except (OSError, ValueError, KeyError, TypeError, FlowerError, pa.ArrowException, zipfile.BadZipFile) as error:
        raise SourceError(
            f"{path!r} must be a recording", got=str(error) or type(error).__name__, hint="write it with recording.save"
        ) from error
    return files, about


def _json(track: Track) -> dict[str, object]:
    return {
        "label": track.label,
        "schema": base64.b64encode(track.schema.serialize().to_pybytes()).decode(),
        "event_time": track.event_time,
        "tz": track.tz,
        "arrival": track.arrival,
        "watermark": repr(track.watermark),
        "partitions": list(track.partitions),
        "rows": list(track.rows),
    }


def _about(made: dict[str, object]) -> About:
    if made["format"] != FORMAT or made["version"] != VERSION:
        raise ValueError(f"format {made['format']!r}, version {made['version']!r}")
    tracks = made["tracks"]
    if not isinstance(tracks, list) or not tracks:
        raise ValueError("no sources")
    return About(
        _typed(made["name"], str),
        _typed(made["began_us"], int),
        _typed(made["ended_us"], int),
        tuple(map(_track, tracks)),
    )


def _track(made: dict[str, object]) -> Track:
    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(_typed(made["schema"], str), validate=True)))
    watermark = value_of(_typed(made["watermark"], str))
    if not isinstance(watermark, WatermarkPolicy):
        raise ValueError(f"{watermark!r}, which is no watermark policy")
    label, tz = _typed(made["label"], str), _typed(made["tz"], str)
    event_time, arrival = made["event_time"], made["arrival"]
    check_zone(tz)
    for column in (event_time, arrival):
        if column is not None:
            check_event_time(schema, _typed(column, str), label, text=True)
    names, rows = made["partitions"], made["rows"]
    if not isinstance(names, list) or not isinstance(rows, list) or len(names) != len(rows):
        raise ValueError("partitions and rows that do not fit")
    partitions, counts = tuple(_typed(each, str) for each in names), tuple(_typed(each, int) for each in rows)
    return Track(label, schema, event_time, tz, arrival, watermark, partitions, counts)  # type: ignore[arg-type]


def _typed(value: object, kind: type[T]) -> T:
    if type(value) is not kind:
        raise ValueError(f"{value!r} where {kind.__name__} is required")
    return value
