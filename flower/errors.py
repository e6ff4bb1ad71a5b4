"""The exceptions that Flower raises, and the one shape of their messages.

A message says what is required, what came and what to do, and names the step it concerns. Every public error is a
`FlowerError` and the builtin that fits, so that ``except ValueError`` works as a Python programmer expects.
"""


class FlowerError(Exception):
    """Base of all errors raised by Flower.

    Parameters
    ----------
    required : str
        What is required, or what failed.
    got : str, optional
        What came instead.
    hint : str, optional
        What to do about it.
    step : str, optional
        The step concerned, for example ``"'delays' (window)"``.

    Examples
    --------
    >>> print(WindowError("`every` must be in (0, size]", got="every=2h, size=1h", hint="use FixedWindows('1h')"))
    `every` must be in (0, size]; got every=2h, size=1h; use FixedWindows('1h')
    """

    def __init__(
        self, required: str, *, got: str | None = None, hint: str | None = None, step: str | None = None
    ) -> None:
        self.required, self.got, self.hint, self.step = required, got, hint, step
        super().__init__(required)

    def __str__(self) -> str:
        parts = [self.required]
        if self.got is not None:
            parts.append(f"got {self.got}")
        if self.hint is not None:
            parts.append(self.hint)
        text = "; ".join(parts)
        return f"step {self.step}: {text}" if self.step is not None else text

    def at(self, step: str) -> "FlowerError":
        """Name the step, unless one is named already, and return the error to be raised."""
        if self.step is None:
            self.step = step
        return self


class ColumnError(FlowerError, KeyError):
    """A column that is not there."""


class DtypeError(FlowerError, TypeError):
    """A column or value of a dtype that the step cannot use."""


class SchemaError(FlowerError, ValueError):
    """Rows or files that do not have the declared columns."""


class ExpressionError(FlowerError, ValueError):
    """Text or a value that is not an expression Flower accepts."""


class DurationError(FlowerError, ValueError):
    """A value that is not a duration, or a duration out of its range."""


class EventTimeError(FlowerError, ValueError):
    """Event times that are missing, ambiguous or not times."""


class WindowError(FlowerError, ValueError):
    """Windows whose parameters contradict each other."""


class TriggerError(FlowerError, ValueError):
    """A trigger that cannot be used this way."""


class WatermarkError(FlowerError, ValueError):
    """A watermark policy that cannot be used this way."""


class GraphError(FlowerError, ValueError):
    """Steps that cannot be put together this way."""


class SourceError(FlowerError, OSError):
    """A source that cannot be read; names the file or endpoint."""


class SinkError(FlowerError, OSError):
    """A sink that cannot be written; names the file or endpoint."""


class UserFunctionError(FlowerError, RuntimeError):
    """A user's function failed; the original exception is the cause."""


class RunError(FlowerError, RuntimeError):
    """A run that failed or was used after its end."""


class TranscriptError(FlowerError, AssertionError):
    """A transcript, or panes, that are not as expected."""


class CombinerError(FlowerError, ValueError):
    """A combiner that gives what it did not declare."""
