"""Every transcript of a join, on every executor; the name of a file says which join it is."""

from pathlib import Path

import pytest

import flower as fl
from flower.testing import load_transcripts, run_transcript

TWO = fl.FixedWindows("2min")
LATE = {"allowed_lateness": "2min"}


def windowed(how="inner", **options):
    return lambda left, right: left.window(TWO, **options).join(right.window(TWO, **options), "k", how)


def dropped(join):
    return lambda left, right: join(left, right).dropped


def within(how):
    return lambda left, right: left.join(right, "k", how, within=("-1min", "2min"))


def asof(direction):
    return lambda left, right: left.join_asof(right, "k", tolerance="2min", direction=direction)


def enriched(windows=None, **options):
    def joined(left, right):
        table = right if windows is None else right.window(windows, allowed_lateness="2min")
        return left.enrich(table, "k", **options)

    return joined


def counted(join):
    return lambda left, right: join(left, right).window(TWO).groupby("k").agg(n="count")


def cogrouped(left, right):
    how = {"trigger": fl.AfterWatermark(early=fl.AfterCount(3)), **LATE}
    sides = {"one": left.window(TWO, **how), "other": right.window(TWO, **how)}
    return fl.cogroup(sides, "k").agg(one={"n": "count", "total": ("v", "sum")}, other={"others": "count"})


def taken_back(join, which=0):
    def joined(left, right):
        sides, name = [left, right], ("v", "w")[which]
        early = fl.AfterWatermark(early=fl.AfterCount(1))
        windowed = sides[which].window(fl.FixedWindows("1min"), trigger=early, accumulation="retracting")
        sides[which] = windowed.groupby("k").agg(**{name: (name, "sum")}).select("k", name)
        return join(*sides)

    return joined


def never_there(join, which=0):
    """What a join makes of panes of a side, of which those of odd sums are left out, but not what takes them back."""

    def kept(row):
        if row["pane_retraction"] or row["x"] % 2 == 0:
            yield {"k": row["k"], "x": row["x"]}

    def joined(left, right):
        sides, name = [left, right], ("v", "w")[which]
        early = fl.AfterWatermark(early=fl.AfterCount(1))
        how = {"trigger": early, "accumulation": "retracting", "on_time_behavior": "fire_if_non_empty"}
        windowed = sides[which].window(fl.FixedWindows("1min"), **how)
        some = windowed.groupby("k").agg(x=(name, "sum")).flat_map_rows(kept, schema={"k": "str", "x": "int64"})
        sides[which] = some.rename(x=name)
        return join(*sides)

    return joined


def errors(join):
    return lambda left, right: join(left, right).errors


def summed(left, right):
    return left.window(TWO).groupby("k").agg(total=("v", "sum"), n="count")


JOINS = {
    "never_there_within": never_there(within("outer")),
    "never_there_within_errors": errors(never_there(within("outer"))),
    "never_there_in_windows_errors": errors(never_there(windowed("left", **LATE))),
    "never_there_asof_errors": errors(never_there(asof("nearest"))),
    "never_there_versions_errors": errors(never_there(enriched(), 1)),
    "never_there_summed": never_there(summed),
    "never_there_summed_errors": errors(never_there(summed)),
    "inner_in_windows": windowed(),
    "dropped_by_windows": dropped(windowed()),
    "left_accumulating": windowed("left", **LATE),
    "left_long_accumulating": windowed("left", allowed_lateness="1h"),
    "outer_discarding": windowed("outer", accumulation="discarding", **LATE),
    "outer_within": within("outer"),
    "dropped_within": dropped(within("inner")),
    "asof_backward": asof("backward"),
    "asof_nearest": asof("nearest"),
    "outer_retracting": windowed("outer", accumulation="retracting", **LATE),
    "taken_back_within": taken_back(within("outer")),
    "taken_back_alone": taken_back(lambda left, right: within("outer")(left.filter("v < 5"), right)),
    "taken_back_in_windows": taken_back(windowed("left", **LATE)),
    "taken_back_versions": taken_back(lambda left, right: enriched()(left, right.filter("w < 5")), 1),
    "cogrouped": cogrouped,
    "enriched_by_versions": enriched(),
    "enriched_for_a_while": enriched(how="inner", ttl="2min"),
    "enriched_in_windows": enriched(TWO),
    "enriched_for_good_counted": counted(enriched(fl.GlobalWindows())),
    "outer_within_counted": counted(within("outer")),
    "asof_nearest_counted": counted(asof("nearest")),
}
FILES = sorted((Path(__file__).parent / "transcripts" / "joins").glob("*.yaml"))
TRANSCRIPTS = [(file.stem, transcript) for file in FILES for transcript in load_transcripts(file)]
NAMES = [f"{stem}: {transcript['name']}" for stem, transcript in TRANSCRIPTS]


def pipeline_of(stem):
    def pipeline(stream):
        left = stream.filter("side == 'left'").select("k", "v")
        right = stream.filter("side == 'right'").select("k", "v").rename(v="w")
        return JOINS[stem](left, right)

    return pipeline


@pytest.mark.parametrize(("stem", "transcript"), TRANSCRIPTS, ids=NAMES)
def test_every_step_gives_the_rows_that_its_transcript_says(stem, transcript, executor):
    run_transcript(transcript, executor, pipeline=pipeline_of(stem))


@pytest.mark.parametrize(("stem", "transcript"), TRANSCRIPTS, ids=NAMES)
def test_the_oracle_gives_the_rows_that_a_transcript_says(stem, transcript):
    run_transcript(transcript, "reference", pipeline=pipeline_of(stem))


def test_every_join_has_transcripts():
    assert {file.stem for file in FILES} == set(JOINS)
