"""`learn` and `score`: what they take and refuse, what failures leave behind, and what scripts say."""

from __future__ import annotations

import ast
import dataclasses
import os
import pickle
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from river import anomaly, base, cluster, compose, forest, linear_model, naive_bayes, optim, preprocessing, stats, tree

import flower as fl
from flower.api.script import to_script
from flower.engine import learning
from flower.engine.job import job
from flower.errors import ColumnError, DtypeError, EventTimeError, GraphError, SchemaError
from flower.graph import models
from flower.graph.learning import Learn
from flower.testing import TestStream

ROWS = pd.DataFrame(
    {
        "k": list("abab") * 25,
        "x": np.arange(100) / 100,
        "y": np.arange(100) * 2.0,
        "big": np.arange(100) >= 50,
        "t": pd.date_range("2000-01-01", periods=100, freq="s", tz="UTC"),
    }
)


def stream(frame: pd.DataFrame = ROWS) -> fl.Stream:
    return fl.read.frame(frame, event_time="t")


def test_each_key_has_what_river_says_of_its_rows_alone() -> None:
    ours = stream().groupby("k").learn(linear_model.LinearRegression(), x="x", y="y").collect()
    for key, rows in ROWS.groupby("k"):
        model, said = linear_model.LinearRegression(), []
        for x, y in zip(rows["x"], rows["y"], strict=True):
            said.append(model.predict_one({"x": x}))
            model.learn_one({"x": x}, y)
        assert ours.loc[ours["k"] == key, "prediction"].tolist() == said


def test_labels_of_a_classifier_have_the_dtype_of_the_label_and_are_missing_before_one_is_known() -> None:
    model = tree.HoeffdingTreeClassifier(grace_period=5)
    given = stream().learn(model, x=["x"], y="big", prediction="guess", order="arrival")
    assert given.schema.field("guess") == pa.field("guess", pa.bool_())
    rows = given.collect()
    assert rows["guess"].isna().tolist() == [True] + [False] * 99
    assert (rows["guess"] == rows["big"])[1:].mean() > 0.9


def test_a_model_that_is_given_does_not_change_and_what_becomes_of_it_later_is_nothing() -> None:
    model = linear_model.LinearRegression()
    given = stream().learn(model, x="x", y="y")
    before = given.collect()
    assert not model.weights
    model.learn_one({"x": 1.0}, 100.0)
    pd.testing.assert_frame_equal(given.collect(), before)
    assert stream().learn(model, x="x", y="y").collect()["prediction"].iloc[0] > 0


def test_an_anomaly_has_the_highest_score() -> None:
    rows = ROWS.assign(x=np.where(ROWS.index == 80, 0.95, 0.1))
    scored = stream(rows).score(anomaly.HalfSpaceTrees(window_size=20, seed=3), x="x").collect()
    assert scored["score"].idxmax() == 80


def test_a_clusterer_needs_no_label() -> None:
    said = stream().learn(cluster.KMeans(n_clusters=2, seed=1), x=["x", "y"], prediction="group").collect()
    assert str(said["group"].dtype) == "Int64" and set(said["group"]) == {0, 1}


def test_mini_batches_are_what_river_says_of_frames() -> None:
    ours = stream().learn(linear_model.LinearRegression(), x=["x"], y="y", mini_batch=True, order="arrival")
    run = ours.run(epoch_rows=40).wait(progress=False)
    model, said = linear_model.LinearRegression(), []
    for at in range(0, 100, 40):
        part = ROWS.iloc[at : at + 40]
        said += model.predict_many(part[["x"]]).tolist()
        model.learn_many(part[["x"]], part["y"])
    np.testing.assert_allclose(run.results["prediction"], said)


@pytest.mark.parametrize("missing", ["error", "omit", "pass"])
def test_a_missing_feature_goes_where_it_is_said_to(missing: Any) -> None:
    rows = ROWS.assign(x=ROWS["x"].where(ROWS.index % 10 != 0), z=1.0)
    model = stats_imputed() if missing == "pass" else linear_model.LinearRegression()
    learnt = stream(rows).learn(model, x=["x", "z"], y="y", missing=missing)
    failed = learnt.errors.collect()
    assert len(learnt.collect()) == (90 if missing == "error" else 100)
    if missing == "error":
        assert failed["error"].tolist() == ["the feature 'x' is missing"] * 10
        assert failed["position"].tolist() == list(range(0, 100, 10))


def stats_imputed() -> Any:
    return preprocessing.StatImputer(("x", stats.Mean())) | linear_model.LinearRegression()


class Clumsy(base.Regressor):
    """Adds up what it sees, and fails when it has seen half of a row."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def predict_one(self, x: Any) -> float:
        return float(sum(self.seen))

    def learn_one(self, x: Any, y: Any) -> None:
        self.seen.append(x["x"])
        if y < 0:
            raise ValueError("half of it")


def test_a_row_that_fails_half_way_leaves_the_model_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "read", pickle.loads)
    monkeypatch.setattr(learning, "read", pickle.loads)
    rows = ROWS.assign(x=1.0, y=np.where(np.isin(ROWS.index, [0, 3, 4, 50, 99]), -1.0, 1.0))
    learnt = stream(rows).learn(Clumsy(), x="x", y="y")
    assert learnt.collect()["prediction"].tolist() == [float(n) for n in range(95)]
    failed = learnt.errors.collect()
    assert failed["position"].tolist() == [0, 3, 4, 50, 99]
    assert set(failed["error"]) == {"ValueError: half of it, of the features 'x' and the label 'y'"}
    assert set(failed["step"]) == {"learn-1"}


class ClumsyWithMany(Clumsy):
    """The same of frames."""

    def predict_many(self, rows: pd.DataFrame) -> pd.Series:
        return pd.Series(float(sum(self.seen)), index=rows.index)

    def learn_many(self, rows: pd.DataFrame, labels: pd.Series) -> None:
        self.seen += rows["x"].tolist()
        if (labels < 0).any():
            raise ValueError("half of it")


def test_a_mini_batch_that_fails_is_taken_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "read", pickle.loads)
    monkeypatch.setattr(learning, "read", pickle.loads)
    rows = ROWS.assign(x=1.0, y=np.where(ROWS.index == 25, -1.0, 1.0))
    learnt = stream(rows).learn(ClumsyWithMany(), x="x", y="y", mini_batch=True, order="arrival")
    run = learnt.run(epoch_rows=20).wait(progress=False)
    apart = [20.0 + n for n in range(19)]
    assert run.results["prediction"].tolist() == [0.0] * 20 + apart + [39.0] * 20 + [59.0] * 20 + [79.0] * 20
    assert learnt.errors.collect()["position"].tolist() == [25]


def test_what_models_do_not_need_is_not_read_and_what_they_say_may_be_dropped() -> None:
    learnt = stream().learn(linear_model.LinearRegression(), x="x", y="y")
    assert "columns: x, y, t (3 of 5)" in str(learnt.select("prediction").explain())
    assert learnt.drop("prediction", "k").collect().columns.tolist() == ["x", "y", "big", "t"]


def test_why_tells_how_many_models_there_are_and_how_many_rows_wait() -> None:
    test = (
        TestStream(schema={"k": "str", "x": "float64", "t": "datetime64[us, UTC]"}, event_time="t")
        .add([{"k": "a", "x": 1.0, "t": "2000-01-01T12:00"}, {"k": "b", "x": 1.0, "t": "2000-01-01T12:01"}])
        .watermark("2000-01-01T12:00:30")
    )
    run = test.groupby("k").score(anomaly.HalfSpaceTrees(seed=1), x="x").run().wait(progress=False)
    assert "1 models are held; 1 rows wait for the watermark to pass them" in str(run.why())


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda s: s.learn(LINE, x="z", y="y"), ColumnError, "z"),
        (lambda s: s.learn(LINE, x="x"), GraphError, "a model of regression learns from a label; got no `y`"),
        (lambda s: s.learn(LINE, x=["x", "x"], y="y"), GraphError, "takes each column once"),
        (lambda s: s.learn(LINE, x=["x", "y"], y="y"), GraphError, "the label must be none of the features"),
        (lambda s: s.learn(LINE, x="x", y="y", prediction="k"), SchemaError, "needs a column of its own"),
        (lambda s: s.learn(LINE, x="x", y="y", order="time"), GraphError, "`order` must be 'event_time' or 'arrival'"),
        (lambda s: s.learn(LINE, x="x", y="y", missing="drop"), GraphError, "`missing` must be 'error', 'omit' or"),
        (lambda s: s.learn(LINE, x="x", y="y", checkpoint="yes"), GraphError, "`checkpoint` must be 'pickle' or None"),
        (lambda s: s.score(LINE, x="x"), GraphError, "call .learn(...)"),
        (lambda s: s.learn(anomaly.HalfSpaceTrees(), x="x"), GraphError, "call .score(...)"),
        (lambda s: s.score(anomaly.HalfSpaceTrees(), x="x", y="y"), GraphError, "leave `y` out"),
        (lambda s: s.score(anomaly.GaussianScorer(), x="x"), GraphError, "name its column: y='load'"),
        (lambda s: s.learn(preprocessing.StandardScaler(), x="x"), GraphError, "got StandardScaler; put it before one"),
        (lambda s: s.learn(linear_model.LinearRegression, x="x", y="y"), GraphError, "takes a model of river"),
        (lambda s: s.learn("line", x="x", y="y"), GraphError, "learn() takes a model of river; got 'line'"),
        (lambda s: s.learn(Clumsy(), x="x", y="y"), GraphError, "Clumsy is no part of a model of river's"),
        (lambda s: s.learn(tree.HoeffdingTreeRegressor(), x="x", y="y", mini_batch=True), GraphError, "batches"),
        (lambda s: s.learn(LINE, x="x", y="y", mini_batch=True, missing="omit"), GraphError, "no place for a missing"),
        (lambda s: s.learn(compose.FuncTransformer(os.system) | LINE, x="x", y="y"), GraphError, "system is no part"),
        (lambda s: s.assign(l="k").learn(LINE, x="x", y="y", order="event_time").node and untimed(), EventTimeError,
         "or say order='arrival'"),
        (lambda s: s.window(fl.FixedWindows("9s"), accumulation="retracting", allowed_lateness="1s")
         .agg(n=("x", "sum")).learn(LINE, x="n", y="n2"), ColumnError, "n2"),
        (lambda s: s.window(fl.FixedWindows("9s"), accumulation="retracting", allowed_lateness="1s")
         .agg(n=("x", "sum"), m=("y", "sum")).learn(LINE, x="n", y="m"), GraphError, "cannot be taken back"),
        (lambda s: s.window(fl.FixedWindows("9s"), allowed_lateness="1s")
         .agg(n=("x", "sum"), m=("y", "sum")).learn(LINE, x="n", y="m"), GraphError, "accumulating panes"),
        (lambda s: s.agg(x=("x", "list"), y=("y", "sum")).learn(LINE, x="x", y="y"), DtypeError, "must be numbers"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(make: Any, error: Any, said: str) -> None:
    with pytest.raises(error) as refused:
        make(stream())
    assert said in str(refused.value)
    assert "step '" in str(refused.value)


LINE = linear_model.LinearRegression()


def untimed() -> fl.Stream:
    return fl.read.frame(ROWS).learn(LINE, x="x", y="y", order="event_time")


def test_without_river_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "river", None)
    monkeypatch.setitem(sys.modules, "river.base", None)
    with pytest.raises(GraphError, match=r"learn\(\) needs river; .*pip install 'flower-streams\[river\]'"):
        stream().learn(LINE, x="x", y="y")


# -- bytes

EVERY = [
    linear_model.LogisticRegression(),
    linear_model.PAClassifier(C=0.5),
    preprocessing.StandardScaler() | linear_model.LinearRegression(optimizer=optim.SGD(0.3), l2=0.1),
    compose.Pipeline(("scale", preprocessing.MinMaxScaler()), ("detect", anomaly.OneClassSVM(nu=0.2))),
    (compose.Select("x") + preprocessing.MinMaxScaler()) | linear_model.LinearRegression(),
    anomaly.HalfSpaceTrees(),
    anomaly.HalfSpaceTrees(seed=3, limits={"x": (0, 3)}),
    anomaly.QuantileFilter(anomaly.HalfSpaceTrees(seed=1), q=0.9),
    anomaly.GaussianScorer(),
    anomaly.LocalOutlierFactor(n_neighbors=5),
    forest.ARFClassifier(seed=1, n_models=3),
    tree.HoeffdingAdaptiveTreeClassifier(seed=2),
    cluster.KMeans(n_clusters=2, seed=1),
    naive_bayes.GaussianNB(),
    stats_imputed(),
]


@pytest.mark.parametrize("model", EVERY, ids=lambda model: type(model).__name__)
def test_a_model_is_read_as_it_was_written_after_it_has_learnt(model: Any) -> None:
    held = models.model_of(model, "learn()")
    one, other = models.read(held.data), models.read(held.data)
    for at in range(60):
        x, y = {"x": at / 60, "z": (at % 7) / 7}, at % 3 > 0
        for each in (one, other):
            models.predictor(each, held.task, labelled=held.labelled)(x, y)
            models.learner(each, labelled=held.labelled)(x, y)
        other = models.read(models.written(other))
    ask = [
        models.predictor(each, held.task, labelled=held.labelled)({"x": 0.3, "z": 0.1}, True) for each in (one, other)
    ]
    assert ask[0] == ask[1]


@pytest.mark.parametrize("model", EVERY, ids=lambda model: type(model).__name__)
def test_the_source_of_a_model_makes_it(model: Any) -> None:
    held = models.model_of(model, "learn()")
    source, imports = models.source_of(held)
    namespace: dict[str, Any] = {}
    exec("\n".join(imports), namespace)
    again = eval(ast.unparse(source), namespace)
    assert repr(again) == repr(model)
    assert models.model_of(again, "learn()").text == held.text


class Harm:
    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call = call, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    "harm",
    [
        Harm(os.system, "true"),
        Harm(eval, "1"),
        Harm(getattr, "text", "join"),
        Harm(getattr, random.Random, "__init__"),
        Harm(np.load, "somewhere"),
        Harm(pickle.loads, b"N."),
        Harm(__import__, "os"),
        Harm(open, "somewhere"),
        Harm(Clumsy),
    ],
    ids=lambda harm: harm.call[0].__name__,
)
def test_bytes_that_name_anything_but_parts_of_models_are_refused(harm: Any) -> None:
    with pytest.raises(pickle.UnpicklingError, match=r"no part of a model|no method of a part"):
        models.read(pickle.dumps(harm))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("river.base.base", "inspect"),
        ("river.base.base", "inspect.os.system"),
        ("river.base.base", "copy.deepcopy"),
        ("river.datasets.base", "RemoteDataset"),
        ("river.checks", "yield_checks"),
        ("river.stream.iter_csv", "iter_csv"),
        ("riverbed", "Base"),
        ("numpy", "lib.npyio.np"),
        ("collections", "abc.sys"),
    ],
)
def test_what_a_module_of_river_has_only_imported_is_refused(module: str, name: str) -> None:
    data = b"\x80\x04" + b"".join(b"\x8c" + bytes([len(each)]) + each.encode() for each in (module, name)) + b"\x93."
    with pytest.raises(pickle.UnpicklingError, match="no part of a model"):
        models.read(data)


# -- scripts and cells


def test_a_script_makes_the_same_step(tmp_path: Path) -> None:
    rows = fl.read.parquet(fl.datasets.flights).assign(arrival_delay="delay + 1")
    for made in (
        rows.groupby("carrier").learn(EVERY[2], x=["distance"], y="delay", prediction="p", missing="omit"),
        rows.learn(
            LINE, x=["distance", "delay"], y="arrival_delay", mini_batch=True, order="arrival", checkpoint="pickle"
        ),
        rows.score(EVERY[6], x="distance", score="s"),
    ):
        to_script(tmp_path / "job.py", made)
        text = (tmp_path / "job.py").read_text()
        namespace: dict[str, Any] = {"__name__": "job"}
        exec(compile(text, "job.py", "exec"), namespace)
        again, node = namespace["pipeline"]().node, made.node
        for field in dataclasses.fields(Learn):
            if field.name not in ("name", "call", "input", "model"):
                assert getattr(again, field.name) == getattr(node, field.name)
        assert (again.verb, again.model.text) == (node.verb, node.model.text)


def test_a_model_that_has_learnt_cannot_be_written_into_a_script(tmp_path: Path) -> None:
    model = linear_model.LinearRegression()
    model.learn_one({"distance": 1.0}, 2.0)
    with pytest.raises(GraphError, match=r"step 'learn-1'.*a model that has learnt nothing"):
        to_script(tmp_path / "job.py", fl.read.parquet(fl.datasets.flights).learn(model, x="distance", y="delay"))


# -- checkpoints


def test_equal_models_make_equal_steps() -> None:
    one, other = (stream().learn(linear_model.LinearRegression(), x="x", y="y").node for _ in range(2))
    assert one.model == other.model
    assert {step.checkpoint for step in job([one]).learners.values()} == {None}
