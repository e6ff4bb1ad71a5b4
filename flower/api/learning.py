"""The verbs of models that learn from a stream: of all of its rows, or after ``groupby`` of each key's."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from flower.api.arguments import column_names, one_of
from flower.api.pipeline import step_errors
from flower.errors import GraphError
from flower.graph.learning import MISSING, ORDERS, Arrangement, Learn, Missing, Score
from flower.graph.models import model_of
from flower.graph.schema import require_columns

if TYPE_CHECKING:
    from flower.api.stream import Stream
    from flower.graph.nodes import Node


class Learners:
    """The part of `Stream` and of `Grouped` that has models of river learn."""

    __slots__ = ()

    @abstractmethod
    def _learners(self) -> tuple[Stream, tuple[str, ...]]:
        """The stream, and by which columns each has a model of its own."""

    def learn(
        self,
        model: Any,
        *,
        x: str | Sequence[str],
        y: str | None = None,
        prediction: str = "prediction",
        order: Arrangement | None = None,
        missing: Missing = "error",
        mini_batch: bool = False,
        checkpoint: Literal["pickle"] | None = None,
    ) -> Stream:
        """Let a model of river predict each row, and then learn from it: progressive validation.

        Parameters
        ----------
        model : river.base.Classifier, river.base.Regressor or river.base.Clusterer
            A model, or a pipeline that ends with one. It is copied as it is: after ``groupby`` each key has a model of
            its own that begins so.
        x : str or sequence of str
            The columns that are its features.
        y : str, optional
            The column of the label, which a clusterer has not. A row whose label is missing is predicted only.
        prediction : str
            The column of what the model predicts: of a classifier of the label's dtype, of a regressor ``float64``, of
            a clusterer ``int64``; missing where it says nothing, as before a class is known.
        order : {"event_time", "arrival"}, optional
            Whether rows wait for the watermark and come in the order of their event times, or are taken at once; see
            below. Default: "event_time" where rows have one.
        missing : {"error", "omit", "pass"}
            What becomes of a row with a missing feature: it goes to ``stream.errors``; the feature is left out of the
            row, as river takes sparse rows; or the model gets None, as for ``preprocessing.StatImputer``.
        mini_batch : bool
            Whether the rows of a key in an epoch are predicted at once, and then learnt at once, by ``predict_many``
            and ``learn_many``. Much faster, and the predictions depend on how rows fall into epochs. It needs
            ``missing="error"``: a frame would hold NaN, which a model learns without a word.
        checkpoint : {"pickle"}, optional
            Allow models to be written down, see below. None: a run that has to is refused.

        Returns
        -------
        Stream
            The rows with their columns and the prediction, event times and windows.

        Raises
        ------
        GraphError
            If river is not installed; if the model is none of these, or has parts that are not river's; if rows may be
            taken back, or are panes that replace one another.
        ColumnError, DtypeError, SchemaError
            If a column is not there, is a list, or has the name of the prediction.
        EventTimeError
            If ``order="event_time"`` and rows have none.

        Notes
        -----
        **Order.** "event_time": a row waits until the watermark has passed its time, so that what a model says does not
        depend on the order of arrival, nor on epochs; of one time, rows come by partition and position. Rows that come
        after the watermark go to ``stream.dropped``. "arrival": a row is taken in the epoch in which it comes, in the
        same order within that, and none comes too late. `collect` takes all rows as of one epoch.

        **Failures.** A row on which the model raises goes to ``stream.errors``, and the model is as it was before it.
        In a mini-batch that fails, rows are taken one by one.

        **What is remembered** is each key's model, for good, as bytes: an epoch reads the models of the keys that it
        has rows of, and writes them anew. The bytes are a pickle, which is read by an unpickler that knows only the
        classes and functions of river's estimators and the few that they hold. Even so nothing is pickled into storage
        unless ``checkpoint="pickle"`` says so: that is, under ``run(checkpoint=...)``, and on Dask, whose workers keep
        the state in the run's scratch. Going on from a checkpoint needs the same declaration and version of river.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> from river import linear_model, preprocessing
        >>> rows = pd.DataFrame({"host": list("abaab"), "load": [1.0, 2, 2, 3, 4], "watts": [3, 6, 5, 7, 11]})
        >>> rows["t"] = pd.date_range("2024-01-01", periods=5, freq="min", tz="UTC")
        >>> model = preprocessing.StandardScaler() | linear_model.LinearRegression(intercept_lr=0.5)
        >>> stream = fl.read.frame(rows, event_time="t").groupby("host").learn(model, x="load", y="watts")
        >>> stream.collect()[["host", "watts", "prediction"]].round(2)
          host  watts  prediction
        0    a      3        0.00
        1    b      6        0.00
        2    a      5        3.00
        3    a      7        5.12
        4    b     11        6.00
        """
        stream, keys = self._learners()
        with step_errors(stream.node, Learn.verb):
            return _learnt(Learn, stream, keys, model, x, y, prediction, order, missing, mini_batch, checkpoint)

    def score(
        self,
        model: Any,
        *,
        x: str | Sequence[str],
        y: str | None = None,
        score: str = "score",
        order: Arrangement | None = None,
        missing: Missing = "error",
        checkpoint: Literal["pickle"] | None = None,
    ) -> Stream:
        """Let an anomaly detector of river say how far from normal each row is, and then learn from it.

        Parameters
        ----------
        model : river.anomaly.base.AnomalyDetector
            A detector, a filter of one, or a pipeline that ends with one.
        x : str or sequence of str
            The columns that are its features.
        y : str, optional
            The column of what a detector as ``anomaly.GaussianScorer`` watches given the features.
        score : str
            The column of the score, ``float64``: the larger, the less normal.
        order, missing, checkpoint
            As for `learn`.

        Returns
        -------
        Stream
            The rows with their columns and the score, event times and windows.

        Raises
        ------
        GraphError, ColumnError, DtypeError, SchemaError, EventTimeError
            As for `learn`.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> from river import anomaly
        >>> rows = pd.DataFrame({"load": [0.5, 0.51, 0.49, 0.5, 0.98]})
        >>> model = anomaly.HalfSpaceTrees(n_trees=5, height=3, window_size=2, seed=1)
        >>> fl.read.frame(rows).score(model, x="load").filter("score > 0.8").collect()
           load  score
        0  0.98    ...
        """
        stream, keys = self._learners()
        with step_errors(stream.node, Score.verb):
            return _learnt(Score, stream, keys, model, x, y, score, order, missing, False, checkpoint)


def _learnt(
    kind: type[Learn],
    stream: Stream,
    keys: tuple[str, ...],
    given: Any,
    x: str | Sequence[str],
    y: str | None,
    result: str,
    order: Arrangement | None,
    missing: Missing,
    mini_batch: bool,
    checkpoint: str | None,
) -> Stream:
    from flower.api.grouped import require_settled
    from flower.api.stream import Stream

    node: Node = stream.node
    verb = kind.verb
    listed = (x,) if isinstance(x, str) else tuple(x) if isinstance(x, Sequence) else (x,)
    features = column_names(f"`x` of {verb}", listed, f".{verb}(model, x=['load', 'heat'])")
    for name, value in (("y", y), ("prediction" if kind is Learn else "score", result)):
        if not (isinstance(value, str) and value) and not (name == "y" and value is None):
            raise GraphError(f"`{name}` must be the name of a column", got=repr(value)[:80])
    require_columns(node.schema, (*features, *(() if y is None else (y,))))
    if y in features:
        raise GraphError("the label must be none of the features", got=f"{y!r} as both", hint="leave it out of `x`")
    if order is not None:
        one_of("order", order, ORDERS)
    one_of("missing", missing, MISSING)
    if checkpoint not in (None, "pickle"):
        raise GraphError("`checkpoint` must be 'pickle' or None", got=repr(checkpoint)[:80])
    model = model_of(given, f"{verb}()")
    if (model.task == "anomaly") != (kind is Score):
        raise GraphError(
            "learn() takes a classifier, a regressor or a clusterer, and score() an anomaly detector",
            got=model.text[:80],
            hint=f"call .{'score' if kind is Learn else 'learn'}(...)",
        )
    if model.task in ("classification", "regression") and y is None:
        raise GraphError(
            f"a model of {model.task} learns from a label", got="no `y`", hint="name its column: y='label'"
        )
    if model.labelled != (y is not None) and model.task in ("clustering", "anomaly"):
        needs = "watches a value given the features: `y`" if model.labelled else "learns from the features alone"
        raise GraphError(
            f"this model {needs}",
            got="no `y`" if y is None else f"y={y!r}",
            hint="name its column: y='load'" if model.labelled else "leave `y` out",
        )
    if mini_batch and not model.many:
        raise GraphError(
            "a model that takes mini-batches has learn_many and predict_many, in all of its steps",
            got=model.text[:80],
            hint="leave `mini_batch` out",
        )
    if mini_batch and missing != "error":
        raise GraphError(
            "a mini-batch has no place for a missing feature",
            got=f"missing={missing!r}",
            hint="leave `missing` out, or `mini_batch`",
        )
    require_settled(node, "learnt from" if kind is Learn else "scored")
    arranged = order or ("event_time" if node.timed else "arrival")
    return Stream(kind(node, keys, model, features, y, result, arranged, missing, bool(mini_batch), checkpoint))
