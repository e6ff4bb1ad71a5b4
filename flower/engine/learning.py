"""A step of models that learn: its state, and one epoch of it.

What is remembered of a key is the bytes of its model (see `flower.graph.models`), in tables as those of a person's own
code. An epoch reads the models of the keys that have rows, asks each of its rows and lets it learn, and writes them
anew: so a state never changes, though models do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from flower.engine.kept import Kept, Remembered, with_more
from flower.engine.keyed import Advanced
from flower.engine.pairs import Pairs, joined
from flower.engine.processed import by_key, known_of
from flower.engine.rowwise import NO_VALUE, RAISED, ErrorRows, error_text, fitted
from flower.errors import GraphError
from flower.graph.batch import Batch
from flower.graph.learning import Missing
from flower.graph.models import Model, learner, predictor, read, written
from flower.graph.schema import frame_of
from flower.graph.state import plain
from flower.model.time import I64, MAX_TIME, MIN_TIME

_PIECES = 64
"""Of how many pieces the rows that wait are at most, before they are put together."""


@dataclass(frozen=True)
class Learning:
    """One step of models that learn, ready to run.

    Parameters
    ----------
    name : str
        The step's name.
    keys : tuple of str
        Key columns.
    model : Model
        What each key's begins with.
    x : tuple of str
        Features.
    y : str or None
        The label.
    said : pyarrow.Field
        The column of what models say.
    waits : bool
        Whether rows wait for the watermark.
    missing : {"error", "omit", "pass"}
        What becomes of a missing feature.
    mini_batch : bool
        Whether a model gets all rows of an epoch at once.
    checkpoint : str or None
        How models are written down; None: they are not.
    timed : bool
        Whether rows have an event time.
    batch : bool
        Whether all rows come before a model learns.
    exact : bool
        Whether equal hashes mean equal keys.
    before, schema, dropped_schema : pyarrow.Schema
        The columns of the step's input, of what it gives, and of what it drops.
    """

    name: str
    keys: tuple[str, ...]
    model: Model
    x: tuple[str, ...]
    y: str | None
    said: pa.Field
    waits: bool
    missing: Missing
    mini_batch: bool
    checkpoint: str | None
    timed: bool
    batch: bool
    exact: bool
    before: pa.Schema
    schema: pa.Schema
    dropped_schema: pa.Schema

    @property
    def allowed_lateness_us(self) -> int:
        """How far behind the watermark a row may be: where rows wait for it, none may be."""
        return 0 if self.waits else MAX_TIME

    @cached_property
    def fits(self) -> Callable[[Any], bool]:
        """Whether what a model says is kept as it is."""
        return plain(self.said.type)


@dataclass(frozen=True, slots=True)
class LearnedState:
    """The models of keys, as bytes; and the rows that wait for the watermark."""

    tables: tuple[Kept, ...] = ()
    waiting: tuple[Pairs, ...] = ()

    @property
    def groups(self) -> int:
        """How many models there are, and how many rows wait."""
        return self.models + sum(map(len, self.waiting))

    @property
    def models(self) -> int:
        """How many models there are."""
        return sum(int(np.count_nonzero(table.live)) for table in self.tables)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        held = sum(int(table.columns.nbytes) + len(table) for table in self.tables)
        return held + sum(each.nbytes for each in self.waiting)


def advance(state: LearnedState, pairs: Sequence[Pairs], step: Learning, w1: int) -> Advanced[LearnedState]:
    """One epoch."""
    some = [*state.waiting, *(each for each in pairs if len(each))]
    ready, waiting = _ready(some, step, w1)
    if not ready:
        return Advanced(LearnedState(state.tables, waiting), Batch.empty(step.schema), w1)
    rows, ends, hash_, keys = by_key(joined(ready), exact=step.exact)
    n = len(hash_)
    # A key that is not known has no model yet.
    tables, known = known_of(
        state.tables, Remembered(hash_, keys, (pa.nulls(n, pa.large_binary()),), (), ()), exact=step.exact
    )
    after, batch, errors = _taught(rows, ends, known, step)
    then = with_more(tables, after.take(np.flatnonzero(after.told())))
    return Advanced(LearnedState(then, waiting), batch, w1, errors=errors.rows())


def _ready(some: Sequence[Pairs], step: Learning, w1: int) -> tuple[list[Pairs], tuple[Pairs, ...]]:
    """The rows that no earlier one can follow, and those that wait."""
    if w1 == MAX_TIME or not (step.waits or step.batch):
        return list(some), ()
    if step.batch:
        return [], tuple(some)
    ready: list[Pairs] = []
    waiting: list[Pairs] = []
    for piece in some:
        passed = piece.batch.time < w1
        for mask, into in ((passed, ready), (~passed, waiting)):
            if mask.all():
                into.append(piece)
            elif mask.any():
                into.append(piece.where(mask))
    return ready, (joined(waiting),) if len(waiting) > _PIECES else tuple(waiting)


def _taught(rows: Batch, ends: I64, known: Remembered, step: Learning) -> tuple[Remembered, Batch, ErrorRows]:
    """Each key's model has been asked of its rows and has learnt from them: the models, the rows, those that failed."""
    errors = ErrorRows(step.name)
    good = _complete(rows, step, errors)
    features: list[Mapping[str, Any]] = []  # a mini-batch takes frames, unless its model fails on one
    labels = [None] * len(rows) if step.y is None else _values(rows.rows.column(step.y))
    answers: list[Any] = [None] * len(rows)
    models = []
    for begin, end, data in zip([0, *ends[:-1].tolist()], ends.tolist(), known.values[0], strict=True):
        model = Pupil(step, step.model.data if not data.is_valid else data.as_buffer().to_pybytes())
        mine = [at for at in range(begin, end) if good[at]]
        whole = None
        if step.mini_batch and mine:
            whole = model.frame(rows.rows.take(pa.array(mine)), [labels[at] for at in mine])
        if whole is not None:
            for at, answer in zip(mine, whole, strict=True):
                answers[at] = answer
        else:
            features = features or _records(rows, step)
            for at in mine:
                try:
                    answers[at] = model.row(features[at], labels[at])
                except Exception as error:  # a model may raise anything
                    good[at] = False
                    errors.add(rows, np.array([at]), RAISED, raised_text(error, step))
        models.append(model.written() if mine else data.as_py())
    column, _ = fitted(answers, step.said)
    given = pa.RecordBatch.from_arrays([*rows.rows.columns, column], schema=step.schema)
    out = Batch(given, rows.time, np.full(len(rows), MIN_TIME), rows.partition, rows.position)
    order = np.lexsort((rows.position, rows.partition, rows.time))
    after = Remembered(known.hash, known.keys, (pa.array(models, pa.large_binary()),), (), ())
    return after, out.take(order[good[order]]), errors


def _complete(rows: Batch, step: Learning, errors: ErrorRows) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which rows have all features; where they must, the others are errors."""
    good = np.ones(len(rows), np.bool_)
    if step.missing != "error":
        return good
    for name in step.x:
        none = np.asarray(rows.rows.column(name).is_null(nan_is_null=True))
        errors.add(rows, np.flatnonzero(none & good), NO_VALUE, missing_text(name))
        good &= ~none
    return good


def missing_text(name: str) -> str:
    """Why a row without a feature is an error."""
    return f"the feature {name!r} is missing"


def raised_text(error: Exception, step: Learning) -> str:
    """Why a row is an error on which a model raised."""
    label = "" if step.y is None else f" and the label {step.y!r}"
    return f"{error_text(error)}, of the features {', '.join(map(repr, step.x))}{label}"


def _records(rows: Batch, step: Learning) -> list[Mapping[str, Any]]:
    """The features of each row."""
    columns = [_values(rows.rows.column(name)) for name in step.x]
    return [features_of(dict(zip(step.x, each, strict=True)), step) for each in zip(*columns, strict=True)]


def features_of(record: dict[str, Any], step: Learning) -> dict[str, Any]:
    """What a model gets of a row, whose missing features are None."""
    if step.missing != "omit":
        return record
    return {name: value for name, value in record.items() if value is not None}


def _values(column: pa.Array) -> list[Any]:
    """The values of a column; what is missing is None."""
    if pa.types.is_floating(column.type):
        column = pa.array(column.to_numpy(zero_copy_only=False), column.type, from_pandas=True)
    values: list[Any] = column.to_pylist()
    return values


class Pupil:
    """A model of one key in one epoch, which is as it was where a row fails.

    Parameters
    ----------
    data : bytes
        The model.
    """

    def __init__(self, step: Learning, data: bytes) -> None:
        self.step, self._data = step, data
        self._since: list[tuple[Mapping[str, Any], Any]] = []  # what it has learnt since
        self._load()

    def _load(self) -> None:
        self._model = read(self._data)
        task, labelled = self.step.model.task, self.step.y is not None
        self._predict = predictor(self._model, task, labelled=labelled)
        self._learn = learner(self._model, labelled=labelled)

    def row(self, x: Mapping[str, Any], y: Any) -> Any:
        """What it says of a row; then it learns from it, if it is to learn from a label and there is one.

        Raises
        ------
        Exception
            What the model raises; then it is as before.
        """
        try:
            answer = self._answer(x, y)
        except Exception:
            self._again()
            raise
        self._since.append((x, y))
        return answer

    def frame(self, rows: pa.RecordBatch, labels: list[Any]) -> list[Any] | None:
        """What it says of many rows, before it learns from all of them; None: it raised, and is as before."""
        step = self.step
        frame = frame_of(rows.select(step.x))
        try:
            answers = list(self._model.predict_many(frame))
            # A classifier that knows no class yet says nothing at all.
            answers = [fit(each, step) for each in answers] if len(answers) == len(frame) else [None] * len(frame)
            if step.y is None:
                self._model.learn_many(frame)
            elif any(given := [label is not None for label in labels]):
                target = frame_of(rows.select([step.y]))[step.y]
                self._model.learn_many(frame[given], target[given])
        except Exception:  # one of the rows may be at fault: who is asked finds out, one by one
            self._load()
            return None
        return answers

    def _answer(self, x: Mapping[str, Any], y: Any) -> Any:
        answer = fit(self._predict(x, y), self.step)
        if self.step.y is None or y is not None:
            self._learn(x, y)
        return answer

    def _again(self) -> None:
        """Make it what it was before the row that failed, and remember it so."""
        self._load()
        for x, y in self._since:
            self._answer(x, y)
        if self._since:
            self._data, self._since = written(self._model), []

    def written(self) -> bytes:
        """As bytes."""
        return written(self._model)


def fit(answer: Any, step: Learning) -> Any:
    """What a model says as its column holds it.

    Raises
    ------
    TypeError, ValueError, pyarrow.ArrowException
        If that cannot be.
    """
    if answer is None or step.fits(answer):
        return answer
    if isinstance(answer, np.generic):
        answer = answer.item()
    if pa.types.is_floating(step.said.type):
        return float(answer)
    return pa.scalar(answer, step.said.type).as_py()


def require_declared(steps: Iterable[Learning], where: str) -> None:
    """Refuse to write models down that nobody has declared to be.

    Raises
    ------
    GraphError
        If a step's may not be; names it.
    """
    for step in steps:
        if step.checkpoint is None:
            raise GraphError(
                f"what {where} is stored, and models of river can only be stored as a pickle: that must be declared",
                got="a step without `checkpoint`",
                hint="say .learn(..., checkpoint='pickle') if nobody else can write to that place; or run embedded, "
                "without run(checkpoint=...)",
                step=repr(step.name),
            )
