"""Steps of models that learn, to be drawn from: functions of a stream of `scripted`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from river import anomaly, cluster, dummy, linear_model, naive_bayes, preprocessing, stats

import flower as fl


def _regressor() -> Any:
    return preprocessing.StandardScaler() | linear_model.LinearRegression()


STEPS: tuple[tuple[str, Callable[[], Any], dict[str, Any]], ...] = (
    ("learn", lambda: dummy.StatisticRegressor(stats.Mean()), {"x": "n", "y": "v"}),
    ("learn", _regressor, {"x": ["n", "v"], "y": "i"}),
    ("learn", _regressor, {"x": ["n", "v"], "y": "n2", "mini_batch": True}),
    ("learn", naive_bayes.GaussianNB, {"x": ["v", "n"], "y": "k"}),
    ("learn", lambda: cluster.KMeans(n_clusters=2, seed=7), {"x": ["n"]}),
    ("score", lambda: anomaly.HalfSpaceTrees(n_trees=2, height=2, window_size=2, seed=7), {"x": ["n", "v"]}),
    ("score", lambda: anomaly.GaussianScorer(grace_period=1), {"x": ["n"], "y": "v"}),
)


def learnt(stream: fl.Stream, step: Any, by: tuple[str, ...], order: Any, missing: Any) -> fl.Stream:
    """The stream after a step of `STEPS`."""
    verb, model, options = step
    stream = stream.assign(n2="n * 2")
    if options.get("mini_batch"):
        missing = "error"
    grouped: Any = stream.groupby(*by) if by else stream
    done: fl.Stream = getattr(grouped, verb)(model(), order=order, missing=missing, checkpoint="pickle", **options)
    return done


learners = st.builds(
    lambda step, by, order, missing: lambda stream: learnt(stream, step, by, order, missing),
    st.sampled_from(STEPS),
    st.sampled_from([(), ("k",), ("i",), ("k", "i")]),
    st.sampled_from([None, "arrival", "event_time"]),
    st.sampled_from(["error", "omit", "pass"]),
)
