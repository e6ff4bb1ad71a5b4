"""Models go on after their process has died, if it was declared that they may be stored."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pausing import some_epochs
from river import linear_model, preprocessing

import flower as fl
from flower.errors import GraphError, RunError
from flower.graph.nodes import walk

ROWS = pd.DataFrame(
    {
        "t": pd.date_range("2000-01-01", periods=60, freq="s", tz="UTC"),
        "k": list("abc") * 20,
        "x": [at % 7 / 7 for at in range(60)],
        "y": [at % 5 * 1.0 for at in range(60)],
    }
)


def learnt(checkpoint: Any = "pickle", **options: Any) -> fl.Stream:
    rows = fl.read.frame(ROWS, event_time="t").named("rows")
    model = preprocessing.StandardScaler() | linear_model.LinearRegression(**options)
    return rows.groupby("k").learn(model, x="x", y="y", checkpoint=checkpoint).named("line")


@pytest.mark.parametrize("epochs", [1, 3, 7])
def test_models_go_on_where_they_were(tmp_path: Path, epochs: int) -> None:
    some_epochs(learnt(), tmp_path / "c", epochs)
    again = learnt().run(checkpoint=tmp_path / "c", epoch_rows=6).wait(progress=False)
    pd.testing.assert_frame_equal(again.results, learnt().collect())


def test_a_run_with_a_checkpoint_is_refused_where_nobody_declared_it(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=r"step 'line': .*must be declared.*checkpoint='pickle'"):
        learnt(None).run(checkpoint=tmp_path / "c")
    some_epochs(learnt(), tmp_path / "c")
    with pytest.raises(GraphError, match=r"step 'line': .*must be declared"):
        learnt(None).run(checkpoint=tmp_path / "c")


def test_a_run_on_dask_is_refused_where_nobody_declared_it() -> None:
    with pytest.raises(GraphError, match=r"step 'line': what a run on Dask remembers .*must be declared"):
        learnt(None).collect(executor="tcp://nobody:1")


def test_models_of_another_version_of_river_are_refused(tmp_path: Path) -> None:
    some_epochs(learnt(), tmp_path / "c")
    other = learnt()
    (step,) = [node for node in walk([other.node]) if node.verb == "learn"]
    newer = dataclasses.replace(step, model=dataclasses.replace(step.model, version="99.0"))
    with pytest.raises(RunError, match=r"step 'line': version of river was .*, and is 99.0"):
        fl.Stream(newer).run(checkpoint=tmp_path / "c")


def test_another_model_is_refused(tmp_path: Path) -> None:
    some_epochs(learnt(), tmp_path / "c")
    with pytest.raises(RunError, match=r"step 'line': model was compose.Pipeline\(.*, and is .*l2=0.5"):
        learnt(l2=0.5).run(checkpoint=tmp_path / "c")


def test_bytes_that_were_put_in_the_place_of_a_model_are_not_run(tmp_path: Path) -> None:
    from flower.engine import learning
    from flower.graph import models

    harm = b"cos\nsystem\n(S'true'\ntR."
    given = learning.Pupil.__init__
    with pytest.raises(Exception, match=r"os.system is no part of a model"):
        given(object.__new__(learning.Pupil), _step(), harm)
    assert models.read(_step().model.data) is not None


def _step() -> Any:
    from flower.engine.job import job

    (step,) = job([learnt().node]).learners.values()
    return step
