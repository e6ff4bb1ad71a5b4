"""Every transcript of models that learn, on every executor; the name of a file says which model."""

from pathlib import Path

import pytest
from river import dummy, linear_model, optim, stats

from flower.testing import load_transcripts, run_transcript


def means(stream, x="v", **options):
    return stream.learn(dummy.StatisticRegressor(stats.Mean()), x=x, y="label", checkpoint="pickle", **options)


def labelled(stream):
    return stream.assign(label="v")


def line(stream):
    model = linear_model.LinearRegression(optimizer=optim.SGD(0.5), intercept_lr=0.0)
    return stream.groupby("k").learn(model, x="v", y="y", missing="pass", checkpoint="pickle")


STEPS = {
    "means": lambda stream: means(labelled(stream).groupby("k"), missing="omit"),
    "means_dropped": lambda stream: means(labelled(stream).groupby("k"), missing="omit").dropped,
    "means_at_once": lambda stream: means(labelled(stream), order="arrival"),
    "failing": line,
    "failing_errors": lambda stream: line(stream).errors,
    "missing_errors": lambda stream: means(labelled(stream).groupby("k"), "x").errors,
}
FILES = sorted((Path(__file__).parent / "transcripts" / "learning").glob("*.yaml"))
TRANSCRIPTS = [(file.stem, transcript) for file in FILES for transcript in load_transcripts(file)]
NAMES = [f"{stem}: {transcript['name']}" for stem, transcript in TRANSCRIPTS]


@pytest.mark.parametrize(("stem", "transcript"), TRANSCRIPTS, ids=NAMES)
def test_every_step_gives_the_rows_that_its_transcript_says(stem, transcript, executor):
    run_transcript(transcript, executor, pipeline=STEPS[stem])


@pytest.mark.parametrize(("stem", "transcript"), TRANSCRIPTS, ids=NAMES)
def test_the_oracle_gives_the_rows_that_a_transcript_says(stem, transcript):
    run_transcript(transcript, "reference", pipeline=STEPS[stem])


def test_every_model_has_transcripts():
    assert {file.stem for file in FILES} == set(STEPS)
