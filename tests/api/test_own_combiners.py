"""Combiners that users write: on every executor, in scripts, and refused by name where they break their word."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import flower as fl
from flower.errors import ColumnError, CombinerError, GraphError


@dataclass(frozen=True)
class Powers(fl.Combiner):
    """The sum of powers."""

    power: int
    name = "powers"

    def schema(self, column: Any) -> Any:
        return pa.field("", pa.float64())

    def state_types(self, column: Any) -> Any:
        return (pa.float64(),)

    def create(self, n: int, column: Any) -> Any:
        return (np.zeros(n),)

    def add(self, state: Any, codes: Any, column: Any, order: Any) -> Any:
        np.add.at(state[0], codes, column.to_numpy(zero_copy_only=False).astype(float) ** self.power)
        return state

    def merge(self, state: Any, other: Any, codes: Any) -> Any:
        np.add.at(state[0], codes, other[0])
        return state

    def extract(self, state: Any, column: Any) -> Any:
        return pa.array(state[0])


class Short(Powers):
    def extract(self, state: Any, column: Any) -> Any:
        return pa.array(state[0][1:])


class Whole(Powers):
    def extract(self, state: Any, column: Any) -> Any:
        return pa.array(state[0].astype(np.int64))


class Long(Powers):
    def add(self, state: Any, codes: Any, column: Any, order: Any) -> Any:
        return (np.append(state[0], 1.0),)


def stream() -> fl.Stream:
    return fl.read.frame(pd.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 3]}))


@pytest.mark.parametrize("on", ["embedded", "reference", pytest.param("dask", marks=pytest.mark.slow)])
def test_a_combiner_of_ones_own_runs_on_every_executor(on: str, request: pytest.FixtureRequest) -> None:
    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    executor = request.getfixturevalue("client") if on == "dask" else on
    result = stream().groupby("k").agg(squares=("v", Powers(2)), cubes=("v", Powers(3))).collect(executor=executor)
    assert result[["squares", "cubes"]].to_numpy().tolist() == [[10.0, 28.0], [4.0, 8.0]]


@pytest.mark.parametrize(
    ("combiner", "said"),
    [
        (Short(1), r"step 'agg-1': combiner 'powers' must give a value for each of 2 groups; got 1 values"),
        (Whole(1), r"step 'agg-1': combiner 'powers' must give what it declared, double; got int64"),
        (
            Long(1),
            r"step 'agg-1': combiner 'powers' must keep a state as long as .* groups, \d+; got \d+ values",
        ),
    ],
)
def test_a_combiner_that_breaks_its_word_is_named_with_its_step(combiner: fl.Combiner, said: str) -> None:
    with pytest.raises(CombinerError, match=said):
        stream().groupby("k").agg(x=("v", combiner)).collect()


def test_variance_and_deviation_of_one_column_share_their_state() -> None:
    from flower.engine.aggregates import Aggregates
    from flower.model.combiners import combiner_of

    field = pa.field("v", pa.int64(), nullable=False)
    laws = tuple((name, combiner_of(name), "v") for name in ("std", "var", "sem", "median", "mode"))
    assert len(Aggregates(laws, (field,) * 5).create(3)) == 2


@pytest.mark.parametrize(
    "how",
    [
        *(fl.Quantile(0.9), fl.Top(2), fl.Top(2, ascending=True), fl.WeightedMean("v"), fl.Rate("sum")),
        *(fl.MaxBy("v"), fl.MinBy("v"), fl.Top(2, by="v"), fl.Sample(2), fl.Sample(2, seed=7), fl.Latest()),
        *(fl.ApproxDistinct(), fl.ApproxDistinct(8), fl.ApproxQuantile(0.5), fl.ApproxQuantile(0.5, k=50)),
        *(fl.Duration(), fl.Only("sum", "k", "a"), fl.Only(fl.Top(2, by="v"), "k", True)),
    ],
)
def test_combiners_read_back_from_their_repr(how: fl.Combiner) -> None:
    from flower.model.canonical import value_of

    assert value_of(repr(how)) == how


def test_a_script_brings_a_combiner_of_ones_own_along(tmp_path: Any) -> None:
    source = tmp_path / "rows.parquet"
    pd.DataFrame({"v": [1, 2, 3]}).to_parquet(source)
    fl.to_script(
        tmp_path / "script.py", fl.read.parquet(source).agg(x=("v", Powers(2)), y=("v", fl.Quantile(0.5))).named("all")
    )
    text = (tmp_path / "script.py").read_text()
    assert "class Powers(fl.Combiner):" in text or "import Powers" in text
    assert "Powers(power=2)" in text
    assert "fl.Quantile(0.5)" in text


def test_explain_says_what_needs_all_values() -> None:
    told = str(stream().agg(x=("v", "median"), y=("v", "sum")).explain("physical"))
    assert "for 'median' all values" in told


def test_a_rate_is_refused_where_no_window_has_a_length_or_the_trigger_asks_before_the_pane() -> None:
    frame = pd.DataFrame({"t": pd.to_datetime(["2000-01-01T12:00:00Z"]), "v": [1]})
    rows = fl.read.frame(frame, event_time="t")
    with pytest.raises(GraphError, match=r"aggregate 'x' needs windows that have a length; got Rate\(\)"):
        rows.agg(x=fl.Rate())
    early = fl.AfterWatermark(early=fl.When("n > 1"))
    with pytest.raises(GraphError, match=r"aggregate 'x' cannot be asked for before its pane"):
        rows.window(fl.FixedWindows("1min"), trigger=early).agg(n="count", x=fl.Rate())


def test_all_columns_that_a_combiner_takes_must_be_there_and_be_read() -> None:
    with pytest.raises(ColumnError, match="weight"):
        stream().agg(x=("v", fl.WeightedMean("weight")))
    assert stream().assign(w="v * 2").agg(x=("v", fl.WeightedMean("w"))).collect()["x"].tolist() == [28 / 12]


def test_rows_that_lack_the_value_or_the_weight_are_left_out_of_a_weighted_mean() -> None:
    frame = pd.DataFrame({"v": pd.array([1, 2, None, 4], "Int64"), "w": [1.0, None, 1.0, 3.0]})
    assert fl.read.frame(frame).agg(x=("v", fl.WeightedMean("w"))).collect()["x"].tolist() == [13 / 4]
