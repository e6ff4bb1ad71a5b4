"""What a run has done so far, as numbers."""

from __future__ import annotations

from dataclasses import dataclass

from flower.model.time import duration_text, instant_text


@dataclass(frozen=True, slots=True)
class StepMetrics:
    """Numbers of one step of a run that reads or holds windows.

    Parameters
    ----------
    step : str
        Its name.
    rows : int
        Rows read, by a step that reads.
    on_time, late, dropped : int
        (row, window) pairs of a keyed step.
    groups : int
        (key, window) records that it holds.
    watermark : int
        Its output watermark, in microseconds UTC.
    """

    step: str
    rows: int = 0
    on_time: int = 0
    late: int = 0
    dropped: int = 0
    groups: int = 0
    watermark: int = -(2**63)


@dataclass(frozen=True, slots=True)
class Metrics:
    """Numbers of a run, as of its last epoch.

    Parameters
    ----------
    epochs, rows_in, rows_out : int
        Epochs done; rows read; rows given to outputs.
    seconds : float
        Time since the run started, pauses included.
    rows_per_second : float
        Rows read, over the last second or so.
    on_time, late, dropped : int
        (row, window) pairs; together they are all pairs.
    errors : int
        Rows that could not be processed; see ``stream.errors``.
    groups, state_bytes : int
        (key, window) records held, and their bytes.
    watermark : int
        The outputs' watermark, in microseconds UTC.
    remedy : str or None
        Which watermark policy would have kept the dropped pairs.
    first_error : str or None
        The first row that could not be processed.
    notes : tuple of str
        What sources had to say.
    backlog : int or None
        Rows that had come and were not yet read; None: no source can tell.
    steps : tuple of StepMetrics
        The steps that read, and those that hold windows.
    share : float or None
        How much of the input is read, from 0 to 1; None: a source has no end, or cannot tell.
    """

    epochs: int = 0
    rows_in: int = 0
    rows_out: int = 0
    seconds: float = 0.0
    rows_per_second: float = 0.0
    on_time: int = 0
    late: int = 0
    dropped: int = 0
    errors: int = 0
    groups: int = 0
    state_bytes: int = 0
    watermark: int = -(2**63)
    remedy: str | None = None
    first_error: str | None = None
    notes: tuple[str, ...] = ()
    backlog: int | None = None
    steps: tuple[StepMetrics, ...] = ()
    share: float | None = None

    def lines(self) -> list[tuple[str, str]]:
        """Names and values as a person reads them; what is nothing is left out."""
        told = [
            ("rows", f"{self.rows_in:,} in, {self.rows_out:,} out, {self.rows_per_second:,.0f}/s"),
            ("watermark", instant_text(self.watermark)),
            ("epochs", f"{self.epochs:,} in {self.seconds:.1f} s"),
            ("state", f"{self.groups:,} groups, {self.state_bytes / 1e6:,.1f} MB"),
        ]
        if self.backlog:
            told.append(("backlog", f"{self.backlog:,} rows"))
        if self.late:
            told.append(("late", f"{self.late:,} of {self.on_time + self.late + self.dropped:,} pairs"))
        if self.dropped:
            told.append(("dropped", f"{self.dropped:,} pairs" + (f"; {self.remedy}" if self.remedy else "")))
        if self.errors:
            told.append(
                ("errors", f"{self.errors:,} rows" + (f"; first: {self.first_error}" if self.first_error else ""))
            )
        told += [("note", note) for note in self.notes]
        return told


def remedy(bound_us: int | None, excess: int) -> str:
    """Which bound would have kept pairs that came ``excess`` microseconds after their window had expired."""
    if bound_us is None:
        return f"allow lateness of {duration_text(_rounded(excess + 1))} more to keep them"
    return f"watermark=BoundedDisorder('{duration_text(_rounded(bound_us + excess + 1))}') would have kept them"


def _rounded(us: int) -> int:
    """Up to two leading units, so that a person can read it."""
    for unit in (86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000, 1_000):
        if us >= 10 * unit:
            return -(-us // unit) * unit
    return us
