"""Every transcript, on every executor."""

from pathlib import Path

import pytest

from flower.testing import load_transcripts, run_transcript

FILES = sorted((Path(__file__).parent / "transcripts").glob("*.yaml"))
TRANSCRIPTS = [(file.stem, transcript) for file in FILES for transcript in load_transcripts(file)]
NAMES = [f"{stem}: {transcript['name']}" for stem, transcript in TRANSCRIPTS]


@pytest.mark.parametrize("transcript", [transcript for _, transcript in TRANSCRIPTS], ids=NAMES)
def test_every_step_gives_the_panes_that_its_transcript_says(transcript, executor):
    run_transcript(transcript, executor)


@pytest.mark.parametrize("transcript", [transcript for _, transcript in TRANSCRIPTS], ids=NAMES)
def test_the_oracle_gives_the_panes_that_a_transcript_says(transcript):
    run_transcript(transcript, "reference")


def test_no_two_transcripts_have_one_name():
    assert len(set(NAMES)) == len(NAMES)
