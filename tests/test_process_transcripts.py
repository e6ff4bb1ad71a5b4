"""Every transcript of code with state and timers, called by key and for many keys, on every executor."""

from pathlib import Path

import pandas as pd
import pytest

import flower as fl
from flower.testing import load_transcripts, run_transcript

MINUTE = pd.Timedelta("1min")
N = {"n": fl.state.Value("int64", default=0)}


def by_key(rows):
    return rows.groupby(level=0, dropna=False, sort=False)


class Quiet:
    def on_rows(self, key, rows, state, timers):
        state.n += len(rows)
        if (rows["v"] == 0).any():
            timers.quiet.clear()
        else:
            timers.quiet.set(rows["t"].max() + 2 * MINUTE)

    def on_timer(self, name, key, time, state, timers):
        n = state.n
        del state.n
        return {"n": n}


class QuietForMany:
    def on_rows(self, rows, state, timers):
        groups = by_key(rows)
        state["n"] += groups.size().reindex(state.index)
        newest = groups["t"].max().reindex(state.index)
        timers["quiet"] = (newest + 2 * MINUTE).mask(groups["v"].min().reindex(state.index) == 0)

    def on_timer(self, name, time, state, timers):
        given = state[["n"]].copy()
        state["n"] = 0
        return given


class Names:
    def on_rows(self, key, rows, state, timers):
        time, v = rows["t"].max(), int(rows["v"].iloc[-1])
        timers.b.set(time)
        timers.a.set(time)
        timers.c.set(time + v * MINUTE)

    def on_timer(self, name, key, time, state, timers):
        state.n += 1
        if name == "c":
            timers.b.set(time - MINUTE)
        return {"what": name, "n": state.n}


class NamesForMany:
    def on_rows(self, rows, state, timers):
        last = by_key(rows).tail(1).reindex(state.index)
        timers["b"] = timers["a"] = last["t"]
        timers["c"] = last["t"] + pd.to_timedelta(last["v"], unit="min")

    def on_timer(self, name, time, state, timers):
        state["n"] += 1
        if name == "c":
            timers["b"] = time - MINUTE
        return state.assign(what=name)[["what", "n"]]


class Clock:
    def on_rows(self, key, rows, state, timers):
        state.n += len(rows)
        if (rows["v"] < 0).any():
            timers.check.clear()
        elif timers.check.time is None:
            timers.check.after("1min")

    def on_timer(self, name, key, time, state, timers):
        n, state.n = state.n, 0
        return {"n": n}


class ClockForMany:
    def on_rows(self, rows, state, timers):
        groups = by_key(rows)
        state["n"] += groups.size().reindex(state.index)
        due = timers["check"].fillna(timers.attrs["now"] + MINUTE)
        timers["check"] = due.mask(groups["v"].min().reindex(state.index) < 0)

    def on_timer(self, name, time, state, timers):
        given = state[["n"]].copy()
        state["n"] = 0
        return given


class EveryMinute:
    def on_rows(self, key, rows, state, timers):
        state.most = int(rows["v"].iloc[0])
        timers.next.after("1min")

    def on_timer(self, name, key, time, state, timers):
        state.n += 1
        if state.n < state.most:
            timers.next.after("1min")
        yield {"n": state.n}


class EveryMinuteForMany:
    def on_rows(self, rows, state, timers):
        first = by_key(rows).head(1).reindex(state.index)
        state["most"] = first["v"]
        timers["next"] = first["t"] + MINUTE

    def on_timer(self, name, time, state, timers):
        state["n"] += 1
        timers["next"] = (time + MINUTE).where(state["n"] < state["most"])
        return state[["n"]]


class Order:
    def on_rows(self, key, rows, state, timers):
        state.n += 1
        return {"what": " ".join(map(str, rows["v"])), "n": state.n}


class OrderForMany:
    def on_rows(self, rows, state, timers):
        state["n"] += 1
        what = by_key(rows)["v"].agg(lambda v: " ".join(map(str, v))).reindex(state.index).astype("str")
        return pd.DataFrame({"what": what, "n": state["n"]})


class Failing:
    def on_rows(self, key, rows, state, timers):
        state.n += int(rows["v"].sum())
        if (rows["v"] == 13).any():
            timers.due.clear()
            raise ValueError("unlucky")
        state.fails = bool((rows["v"] == 7).any())
        if state.fails or (rows["v"] == 1).any():
            timers.due.after("1min")
        return {"n": state.n}

    def on_timer(self, name, key, time, state, timers):
        if state.fails:
            state.n = 0
            raise RuntimeError("timed out")
        return {"n": state.n}


class FailingForMany:
    def on_rows(self, rows, state, timers):
        groups = by_key(rows)
        state["n"] += groups["v"].sum().reindex(state.index)
        if (rows["v"] == 13).any():
            timers["due"] = pd.NaT
            raise ValueError("unlucky")
        state["fails"] = groups["v"].agg(lambda v: (v == 7).any()).reindex(state.index).astype("boolean")
        sets = groups["v"].agg(lambda v: v.isin([1, 7]).any()).reindex(state.index)
        timers["due"] = timers["due"].mask(sets, groups["t"].max().reindex(state.index) + MINUTE)
        return state[["n"]]

    def on_timer(self, name, time, state, timers):
        if state["fails"].any():
            state["n"] = 0
            raise RuntimeError("timed out")
        return state[["n"]]


def step(codes, schema, timers=None, state=N, **options):
    return [
        lambda stream, code=code, many=many: stream.groupby("k").process(
            code, state=state, timers=timers, schema=schema, vectorised=many, **options
        )
        for many, code in enumerate(codes)
    ]


def then(steps, more):
    return [lambda stream, step=step: more(step(stream)) for step in steps]


def summed(stream):
    return stream.window(fl.FixedWindows("10min")).agg(n=("n", "sum")).filter("n > 0")


QUIET = step([Quiet, QuietForMany], {"n": "int64"}, {"quiet": "event"})
CLOCK = step([Clock, ClockForMany], {"n": "int64"}, {"check": "processing"})
ORDER = {"what": "str", "n": "int64"}
FAILING = step(
    [Failing, FailingForMany], {"n": "int64"}, {"due": "event"}, {**N, "fails": fl.state.Value("bool", default=False)}
)
PROCESSES = {
    "quiet": QUIET,
    "quiet_in_windows": then(QUIET, summed),
    "names": step([Names, NamesForMany], ORDER, {"c": "event", "b": "event", "a": "event"}),
    "clock": CLOCK,
    "clock_in_windows": then(CLOCK, summed),
    "every_minute": step(
        [EveryMinute, EveryMinuteForMany], {"n": "int64"}, {"next": "event"}, {**N, "most": fl.state.Value("int64")}
    ),
    "order": step([Order, OrderForMany], ORDER),
    "failing": FAILING,
    "failing_errors": then(FAILING, lambda stream: stream.errors),
    "late_dropped": then(step([Order, OrderForMany], ORDER, allowed_lateness="1min"), lambda stream: stream.dropped),
}
FILES = sorted((Path(__file__).parent / "transcripts" / "processes").glob("*.yaml"))
TRANSCRIPTS = [
    (pipeline, transcript)
    for file in FILES
    for transcript in load_transcripts(file)
    for pipeline in PROCESSES[file.stem]
]
NAMES = [
    f"{file.stem}: {transcript['name']}{', for many keys' * many}"
    for file in FILES
    for transcript in load_transcripts(file)
    for many, _ in enumerate(PROCESSES[file.stem])
]


@pytest.mark.parametrize(("pipeline", "transcript"), TRANSCRIPTS, ids=NAMES)
def test_every_step_gives_the_rows_that_its_transcript_says(pipeline, transcript, executor):
    run_transcript(transcript, executor, pipeline=pipeline)


@pytest.mark.parametrize(("pipeline", "transcript"), TRANSCRIPTS, ids=NAMES)
def test_the_oracle_gives_the_rows_that_a_transcript_says(pipeline, transcript):
    run_transcript(transcript, "reference", pipeline=pipeline)


def test_every_process_has_transcripts():
    assert {file.stem for file in FILES} == set(PROCESSES)
