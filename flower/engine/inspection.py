"""What a checkpoint's directory holds, looked at without changing it, and whether it is whole."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from flower.engine.ledger import DIRECTORIES, Reader, Saved, opened
from flower.errors import FlowerError, RunError
from flower.io.journal import JournalReader
from flower.io.storage import storage
from flower.model.time import instant_text


@dataclass(frozen=True, slots=True)
class Inspection:
    """What `inspect` found.

    Parameters
    ----------
    lines : tuple of str
        For a person.
    damage : tuple of str
        What is not as it was written; names the files.
    """

    lines: tuple[str, ...]
    damage: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join((*self.lines, *(f"DAMAGED: {each}" for each in self.damage)))


def inspect(path: str | os.PathLike[str]) -> Inspection:
    """Read all that a checkpoint's directory holds.

    Raises
    ------
    RunError
        If it is none.
    """
    files = storage(path)
    reader = Reader(files)
    try:
        job = opened(files.get("job.json"), "job", f"{files!r}/job.json")
    except FileNotFoundError:
        raise RunError(
            "the directory of a run(checkpoint=...) is required",
            got=f"{files!r}, without a job.json",
            hint="check the path",
        ) from None
    lines, damage = [f"job {job['job']} in {files!r}"], []
    for number in reversed(reader.numbers("attempts")[-1:]):
        name = f"attempts/{number:08}.json"
        try:
            who = opened(files.get(name), "attempt", f"{files!r}/{name}")
        except FlowerError as error:
            damage.append(str(error))
            continue
        lines.append(f"attempt {number:,}, started {_ago(who['started_us'])} as process {who['process']}")
    lines += _log(reader, damage)
    for epoch in reversed(reader.epochs()):
        try:
            saved = reader.checkpoint(epoch)
        except (FlowerError, OSError) as error:
            lines.append(f"checkpoint of epoch {epoch}: damaged")
            damage.append(str(error))
            continue
        lines += _described(saved, sum(files.size(f"parts/{part}") for part in saved.parts))
    lines += _journals(files.local, damage)
    lines.append(f"{_bytes(sum(files.size(f'{d}/{name}') for d in DIRECTORIES for name in files.names(d)))} in all")
    return Inspection(tuple(lines), tuple(damage))


def _log(reader: Reader, damage: list[str]) -> Iterator[str]:
    for kind in ("plans", "commits"):
        epochs = reader.numbers(kind)
        for epoch in epochs:
            try:
                reader.logged(kind, epoch)
            except FlowerError as error:
                damage.append(str(error))
        if epochs:
            yield f"{kind} of epochs {epochs[0]} to {epochs[-1]}"


def _described(saved: Saved, parts: int) -> Iterator[str]:
    value = saved.value
    state = value["state"]
    ended = ", finished" if value["finished"] else ""
    sizes = f"{_bytes(saved.size)} + {_bytes(parts)} in {len(saved.parts)} parts"
    yield f"checkpoint of epoch {saved.epoch}: written {_ago(value['written_us'])}, {sizes}{ended}"
    for name, step in value["steps"].items():
        match step["kind"]:
            case "source":
                known = state["sources"][name]
                places = ", ".join(
                    f"{position:,}{' (end)' if over else ''}"
                    for position, over in zip(known.positions, known.ended, strict=True)
                )
                told = f"{step['source']}: position {places or 'unknown'}"
            case "sink":
                told = step["sink"]
            case kind:
                held = state["keyed"][name]
                groups, size = sum(part.groups for part in held), sum(part.nbytes for part in held)
                what = {"join": "rows", "process": "keys"}.get(kind, "groups")
                told = f"by {step['keys'] or 'no key'}: {groups:,} {what}, {_bytes(size)}"
        if name in state["watermarks"]:
            told += f", watermark {instant_text(state['watermarks'][name])}"
        yield f"  {name}: {told}"


def _journals(local: str | None, damage: list[str]) -> Iterator[str]:
    root = os.path.join(local or "", "journals")
    for name in sorted(os.listdir(root)) if local is not None and os.path.isdir(root) else ():
        directory = os.path.join(root, name)
        reader = JournalReader(directory, unquote(name))
        try:
            end, torn = reader.verify()
        except FlowerError as error:
            damage.append(str(error))
            continue
        more = f"; {_bytes(torn)} of a torn entry behind them, which the next run takes away" if torn else ""
        yield f"journal of {unquote(name)!r}: {end:,} rows so far{more}"


def _ago(us: int) -> str:
    seconds = max(0, time.time_ns() // 1000 - us) // 1_000_000
    unit, size = next((u, s) for u, s in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)) if seconds >= s or s == 1)
    return f"{seconds // size} {unit} ago"


def _bytes(size: int) -> str:
    if size < 1000:
        return f"{size} B"
    return f"{size / 1e3:,.1f} kB" if size < 1e6 else f"{size / 1e6:,.1f} MB"
