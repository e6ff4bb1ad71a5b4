"""How transcripts are read and refused."""

import pytest

import flower as fl
from flower.errors import TranscriptError
from flower.testing import load_transcripts, run_transcript
from flower.testing.documents import load

GOOD = {
    "name": "one pane",
    "windows": "FixedWindows('2min')",
    "schema": {"v": "int64"},
    "aggregations": {"total": ["v", "sum"]},
    "steps": [
        {
            "rows": [["12:01", 4]],
            "watermark": "12:02",
            "panes": [{"window": ["12:00", "12:02"], "total": 4, "timing": "on_time", "final": True}],
        }
    ],
}


def test_times_of_day_stay_text_and_other_values_are_what_they_look_like():
    text = "[12:00, 12:00:30, 2000-01-01, 3, -4.5, .nan, true, yes, null, ~, 0x10, 'quoted']"
    loaded = load(text, "text")
    assert loaded[:5] == ["12:00", "12:00:30", "2000-01-01", 3, -4.5]
    assert loaded[5] != loaded[5]
    assert loaded[6:] == [True, "yes", None, None, "0x10", "quoted"]


def test_a_key_named_twice_is_refused():
    with pytest.raises(TranscriptError, match=r"name each key once \(line 2\); got 'b' twice"):
        load("a:\n  b: 1\n  b: 2\n", "text")


@pytest.mark.parametrize("text", ["a: [", "!!python/object/apply:os.getcwd []", "? [1, 2]\n: 3"])
def test_what_is_no_plain_yaml_is_refused(text):
    with pytest.raises(TranscriptError, match="text must be YAML"):
        load(text, "text")


def test_a_file_must_be_a_list_of_transcripts(tmp_path):
    file = tmp_path / "one.yaml"
    file.write_text("name: alone\n")
    with pytest.raises(TranscriptError, match="must be a list of transcripts"):
        load_transcripts(file)


def test_a_transcript_that_is_right_passes():
    run_transcript(GOOD, "reference")


def test_one_that_must_fail_fails_for_its_reason_only():
    wrong = {**GOOD, "steps": [{**GOOD["steps"][0], "panes": []}]}
    run_transcript({**wrong, "must_fail": "1 unexpected"}, "reference")
    with pytest.raises(TranscriptError, match="1 unexpected"):
        run_transcript({**wrong, "must_fail": "1 missing"}, "reference")
    with pytest.raises(TranscriptError, match="'one pane' must fail; got all as expected"):
        run_transcript({**GOOD, "must_fail": "1 missing"}, "reference")


@pytest.mark.parametrize("key", ["name", "windows", "schema", "aggregations", "steps"])
def test_what_a_transcript_lacks_is_named(key):
    with pytest.raises(TranscriptError, match=f"must have '{key}'"):
        run_transcript({k: v for k, v in GOOD.items() if k != key}, "reference")


def test_a_transcript_without_steps_shows_nothing():
    with pytest.raises(TranscriptError, match="at least one step"):
        run_transcript({**GOOD, "steps": []}, "reference")


@pytest.mark.parametrize(
    ("pane", "told"),
    [
        ({"window": ["12:00", "12:02"], "timing": "on_time"}, "a pane must have 'total'"),
        ({"window": ["12:00", "12:02"], "timing": "soon", "total": 4}, "`timing` must be early or on_time or late"),
        ({"window": ["12:00"], "timing": "late", "total": 4}, r"a window must be \[start, end\] or global"),
        ({"window": "global", "timing": "late", "total": 4, "absorbs": []}, "only sessions absorb windows"),
    ],
)
def test_a_pane_that_says_too_little_or_nonsense_is_refused(pane, told):
    with pytest.raises(TranscriptError, match=told):
        run_transcript({**GOOD, "steps": [{**GOOD["steps"][0], "panes": [pane]}]}, "reference")


def test_a_row_of_the_wrong_length_is_refused():
    with pytest.raises(TranscriptError, match="a row must be its time, v; got"):
        run_transcript({**GOOD, "steps": [{"rows": [["12:01"]]}]}, "reference")


OWN = """
- name: delays by the minute
  schema: {k: str, v: int64}
  steps:
    - rows: [[12:00:10, a, 5], [12:00:20, b, -1]]
      watermark: 12:01
      panes: [{k: a, window: [12:00, 12:01], total: 5, timing: on_time}]
    - end: true
"""


def of_ones_own(stream):
    return stream.filter("v > 0").window(fl.FixedWindows("1min")).groupby("k").agg(total=("v", "sum"))


def test_a_pipeline_of_ones_own_is_played_by_a_file(tmp_path, executor):
    file = tmp_path / "own.yaml"
    file.write_text(OWN)
    run_transcript(file, executor, pipeline=of_ones_own)


def test_a_pipeline_of_ones_own_fails_with_the_step_and_the_difference(tmp_path):
    file = tmp_path / "own.yaml"
    file.write_text(OWN.replace("total: 5", "total: 6"))
    with pytest.raises(TranscriptError) as raised:
        run_transcript(file, "reference", pipeline=of_ones_own)
    assert str(raised.value) == SHOWN.strip("\n")


def test_keys_that_a_pipeline_of_ones_own_cannot_have_are_refused():
    with pytest.raises(TranscriptError, match=r"only the keys name, schema, steps, .*; got 'windows'"):
        run_transcript(GOOD, pipeline=of_ones_own)


SHOWN = """
panes of step 1 of 'delays by the minute' must be as expected \
(rows: [['12:00:10', 'a', 5], ['12:00:20', 'b', -1]], watermark: 12:01); got 1 different:
           k  window_start          window_end            total             pane_timing
different  a  2000-01-01T12:00:00Z  2000-01-01T12:01:00Z  *5 (expected 6)*  on_time
"""
