"""Every transcript of a verb that chooses rows, on every executor; the name of a file says which."""

from pathlib import Path

import pytest

import flower as fl
from flower.testing import load_transcripts, run_transcript


def visits(stream):
    sessions = stream.window(fl.Sessions("2min")).groupby("k")
    return sessions.agg(length=fl.Duration(), clicks="count", rate=fl.Rate()).assign(minutes="length / '1min'")


CHOICES = {
    "latest": lambda stream: stream.latest("k"),
    "visits": visits,
    "deduplicated": lambda stream: stream.deduplicate("k", within="2min"),
    "by_sketch": lambda stream: stream.deduplicate("k", within="2min", error=0.001),
    "dropped_late": lambda stream: stream.deduplicate("k", within="2min").dropped,
}
FILES = sorted((Path(__file__).parent / "transcripts" / "choosing").glob("*.yaml"))
TRANSCRIPTS = [(file.stem, transcript) for file in FILES for transcript in load_transcripts(file)]
NAMES = [f"{stem}: {transcript['name']}" for stem, transcript in TRANSCRIPTS]


@pytest.mark.parametrize(("stem", "transcript"), TRANSCRIPTS, ids=NAMES)
def test_every_step_gives_the_rows_that_its_transcript_says(stem, transcript, executor):
    run_transcript(transcript, executor, pipeline=CHOICES[stem])


@pytest.mark.parametrize(("stem", "transcript"), TRANSCRIPTS, ids=NAMES)
def test_the_oracle_gives_the_rows_that_a_transcript_says(stem, transcript):
    run_transcript(transcript, "reference", pipeline=CHOICES[stem])


def test_every_choice_has_transcripts():
    assert {file.stem for file in FILES} == set(CHOICES)
