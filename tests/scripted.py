"""Streams that tests of executors script: random rows, watermarks and clocks on a coarse grid, and steps on them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pandas as pd
from hypothesis import settings
from hypothesis import strategies as st

import flower as fl
from flower.engine.embedded import Driver, Options
from flower.engine.reference import watermarks_replayed
from flower.testing import TestStream

SCHEMA = {"k": "str", "i": "Int64", "n": "int64", "v": "float64"}
START = pd.Timestamp("2000-01-01T12:00:00Z")


def examples(n: int, **options: Any) -> settings:
    """So many examples of a test, and twenty times as many under ``make fuzz``."""
    return settings(max_examples=max(1, settings.default.max_examples * n // 100), deadline=None, **options)


def at(seconds: int) -> pd.Timestamp:
    return START + pd.Timedelta(seconds, unit="s")


rows = st.builds(
    lambda k, i, n, v, t: {"k": k, "i": i, "n": n, "v": v, "t": at(t)},
    st.sampled_from([None, "a", "b"]),
    st.none() | st.integers(0, 2),
    st.integers(-3, 3),
    st.none() | st.sampled_from([0.5, -1.25, 3.0]),
    st.integers(-4, 16),
)
events = st.one_of(
    st.tuples(st.just("add"), st.lists(rows, min_size=1, max_size=5), st.integers(0, 1)),
    st.tuples(st.just("watermark"), st.integers(0, 4), st.integers(0, 1)),
    st.tuples(st.just("clock"), st.integers(0, 3), st.just(0)),
)
scripts = st.tuples(st.integers(1, 2), st.lists(st.lists(events, min_size=1, max_size=4), max_size=6), st.booleans())


def scripted(script: Any) -> TestStream:
    """A stream of epochs, each of a few events; watermarks only go forward."""
    partitions, epochs, ends = script
    stream = TestStream(schema=SCHEMA, event_time="t", partitions=partitions)
    marks, now = [0] * partitions, 0
    for group in epochs:

        def play(s: TestStream, group: Any = group) -> TestStream:
            nonlocal now
            for what, how, partition in group:
                p = partition % partitions
                if what == "add":
                    s = s.add(how, partition=p)
                elif what == "watermark":
                    marks[p] += how
                    s = s.watermark(at(marks[p]), partition=p)
                else:
                    now += how
                    s = s.clock(at(now))
            return s

        stream = stream.epoch(play)
    return stream.end() if ends else stream


delays = st.sampled_from(["0s", "1s", "3s"])
leaves = st.one_of(
    st.integers(1, 3).map(fl.AfterCount),
    delays.map(fl.AfterProcessingTime),
    st.builds(lambda delay: fl.AfterProcessingTime(delay, align="2s", align_offset="1s"), delays),
)
others = st.sampled_from([fl.Always(), fl.Never(), fl.When("rows > 2"), fl.When("total > 1"), fl.When("mean < 2")])
combined = st.recursive(
    leaves | others,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda each: fl.AfterAny(*each)),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: fl.AfterAll(*each)),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: fl.AfterEach(*each)),
        inner.map(fl.Repeatedly),
        st.builds(fl.OrFinally, inner, inner),
    ),
    max_leaves=4,
)
"""Triggers that do not wait for the watermark."""
parts = st.none() | leaves | combined
at_the_watermark = st.builds(lambda early, late: fl.AfterWatermark(early=early, late=late), parts, parts)
triggers = st.one_of(
    at_the_watermark,
    combined,
    st.builds(fl.OrFinally, at_the_watermark, combined),
    st.lists(combined | at_the_watermark, min_size=1, max_size=3).map(lambda each: fl.AfterEach(*each)),
    st.lists(combined | at_the_watermark, min_size=1, max_size=3).map(lambda each: fl.AfterAll(*each)),
    st.lists(combined | at_the_watermark, min_size=1, max_size=3).map(lambda each: fl.Repeatedly(fl.AfterAny(*each))),
)
"""Any trigger."""


def by_n(frame: pd.DataFrame) -> pd.Series:
    """A gap of its own for each row, missing or negative for some."""
    return pd.to_timedelta(frame["n"].where(frame["n"] > -3), unit="s")


windows = st.sampled_from(
    [
        fl.FixedWindows("4s"),
        fl.SlidingWindows("5s", every="2s", offset="1s"),
        fl.FixedWindows("2s", time="processing"),
        fl.SlidingWindows("3s", every="2s", time="processing"),
        fl.Sessions("2s"),
        fl.Sessions("3s"),
        fl.Sessions("2s", merge_touching=True),
        fl.Sessions("where(n > 1, t - t + '5s', t - t + '1s')"),
        fl.Sessions(by_n, merge_touching=True),
        fl.CalendarWindows("day", tz="Asia/Kamchatka"),  # where midnight was noon UTC
        fl.GlobalWindows(),
    ]
)
counts = st.integers(1, 4).map(fl.CountWindows)
"""Windows that leave nothing to choose but the time of their panes."""
alone = windows | counts
waiting = st.builds(
    lambda early, late: fl.AfterWatermark(early=early, late=late), st.none() | leaves, st.none() | leaves
)
"""Triggers that look at no result."""
ttls = st.none() | st.sampled_from(["1s", "2s", "5s"])
keys = st.sampled_from([(), ("k",), ("n",), ("i",), ("k", "i")])
steps = st.lists(
    st.sampled_from(
        [
            lambda s: s.filter("n > -2"),
            lambda s: s.filter(pd.col("v").notna()),
            lambda s: s.assign(n="n * 2"),
            lambda s: s.assign(w="coalesce(v, 0.0) + n").filter("w < 5"),
            lambda s: s.map_frames(lambda frame: frame.assign(n=frame["n"] + 1)),
            lambda s: fl.concat(s.filter("n > 0"), s.filter("n <= 0")),
        ]
    ),
    max_size=2,
)


policies = st.builds(
    lambda make, idle: make(idle=idle),
    st.sampled_from(
        [
            *(functools.partial(fl.BoundedDisorder, bound) for bound in ("0s", "2s", "5s")),
            fl.Monotonic,
            functools.partial(fl.Percentile, 0.5),
            functools.partial(fl.Punctuated, "flag"),
            functools.partial(fl.Punctuated, "t"),
            functools.partial(fl.EarliestOf, fl.Percentile(0.9), fl.BoundedDisorder("1s")),
            functools.partial(fl.LatestOf, fl.Punctuated("n > 1"), fl.BoundedDisorder("3s")),
        ]
    ),
    st.none() | st.sampled_from(["1s", "2s"]),
)
"""For rows of `strategies.SCHEMA`."""


def aggregated(stream: fl.Stream, by: tuple[str, ...]) -> fl.Stream:
    grouped = stream.groupby(*by) if by else stream
    return grouped.agg(
        total=("n", "sum"),
        mean=("v", "mean"),
        low=("i", "min"),
        first=("k", "first"),
        rows="count",
        kinds=("k", "nunique"),
        middle=("n", "median"),
        often=("k", "mode"),
        best=("n", fl.Top(2)),
        weighted=("v", fl.WeightedMean("n")),
        most=("i", fl.MaxBy("v")),
        least=("v", fl.MinBy("k")),
    )


def shape(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows that tell what a group was given, in which order."""
    texts = rows.astype(object).where(rows.notna(), "-").astype(str).agg(" ".join, axis=1) if len(rows) else []
    return pd.DataFrame({"place": pd.RangeIndex(len(rows)), "row": pd.Series(texts, dtype="str")})


def fickle(rows: pd.DataFrame) -> dict[str, int]:
    """One row a group; some groups fail."""
    if len(rows) % 4 == 3:
        raise ValueError(f"{len(rows)} rows")
    return {"size": len(rows)}


def applied(stream: fl.Stream, by: tuple[str, ...]) -> tuple[fl.Stream, fl.Stream]:
    """The rows of each pane in order, and a function that fails for some."""
    return stream.groupby(*by).apply(shape), stream.groupby(*by).apply(fickle)


def canonical(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of one frame in an order of their own; epochs are told apart by the panes' indexes."""
    text = frame.astype(object).where(frame.notna(), None)
    if "pane_absorbs" in text:
        text["pane_absorbs"] = [str([(w["start"], w["end"]) for w in windows]) for windows in text["pane_absorbs"]]
    for column in ("mean", "mean_total", "weighted"):
        if column in text:
            text[column] = [None if value is None else round(value, 9) for value in text[column]]
    return text.sort_values(list(text.columns), key=lambda c: c.map(str), ignore_index=True)


def agree(stream: fl.Stream, executor: Any = "reference", *, as_stream: bool) -> None:
    """The embedded executor gives what another does: the oracle, or that of a cluster's client."""
    ours = stream.collect(as_stream=as_stream)
    theirs = stream.collect(as_stream=as_stream, executor=executor)
    pd.testing.assert_series_equal(ours.dtypes, theirs.dtypes)
    pd.testing.assert_frame_equal(canonical(ours), canonical(theirs))


def watermarks_agree(stream: fl.Stream) -> None:
    """The watermark of each stage after each epoch is the oracle's."""
    driver = Driver([stream.node], Options.make())
    ours = []
    while not driver.over():
        epoch = driver.next_epoch()
        assert epoch is not None
        driver.run(epoch)
        ours.append(driver.state.watermarks)
    driver.close()
    assert ours == watermarks_replayed(driver)


@st.composite
def joined_sides(draw: Any) -> tuple[fl.Stream, fl.Stream]:
    """Two streams to be joined: of scripts of their own, or of one script."""
    one, other = draw(scripts), draw(scripts)
    left: fl.Stream = scripted(one)
    if draw(st.integers(0, 4)):
        return left, scripted(other)
    return left, left.filter("n > -2")


by = st.sampled_from(["k", ["n"], "i", ["k", "i"]])
hows = st.sampled_from(["inner", "left", "right", "outer"])


def _in_windows(where: Any, how: Any, mode: str, lateness: str, on: Any) -> Callable[..., fl.Stream]:
    def join(left: fl.Stream, right: fl.Stream) -> fl.Stream:
        options = {"accumulation": mode, "allowed_lateness": lateness}
        return left.window(where, **options).join(right.window(where, **options), on, how)

    return join


window_joins = st.builds(
    _in_windows,
    st.sampled_from([fl.FixedWindows("4s"), fl.SlidingWindows("5s", every="2s", offset="1s"), fl.GlobalWindows()]),
    hows,
    st.sampled_from(["accumulating", "discarding"]),
    st.sampled_from(["0s", "2s", "unbounded"]),
    by,
)
retracting_joins = st.builds(
    _in_windows,
    st.sampled_from([fl.FixedWindows("4s"), fl.SlidingWindows("5s", every="2s", offset="1s")]),
    hows,
    st.just("retracting"),
    st.sampled_from(["0s", "2s", "unbounded"]),
    by,
)
increments = st.builds(
    _in_windows,
    st.sampled_from([fl.FixedWindows("4s"), fl.SlidingWindows("5s", every="2s")]),
    hows,
    st.just("discarding"),
    st.sampled_from(["0s", "2s", "unbounded"]),
    by,
)
interval_joins = st.builds(
    lambda how, within, on: lambda left, right: left.join(right, on, how, within=within),
    hows,
    st.sampled_from([("0s", "0s"), ("-2s", "3s"), ("1s", "3s"), ("-4s", "-1s"), ("-1s", "0s")]),
    by,
)
asofs = st.builds(
    lambda direction, tolerance, on: (
        lambda left, right: left.join_asof(
            right, on, direction=direction, tolerance=tolerance if tolerance or direction == "backward" else "3s"
        )
    ),
    st.sampled_from(["backward", "forward", "nearest"]),
    st.sampled_from([None, "0s", "2s", "5s"]),
    by,
)
"""Joins: functions of two streams."""
deduplications = st.builds(
    lambda on, within, error: lambda stream: stream.deduplicate(*on, within=within, error=error),
    st.sampled_from([("k",), ("n",), ("i",), ("k", "i"), ("v",)]),
    st.sampled_from(["0s", "1s", "2s", "5s"]),
    st.sampled_from([None, 1e-9]),
)


class Told:
    """Code that tells what it is given, remembers, sets, clears and fails, as its rows say; a subclass says how."""

    delay: str = "1s"
    again: int = 0
    late_reset: bool = False

    def on_rows(self, key: Any, rows: pd.DataFrame, state: Any, timers: Any) -> Any:
        state.n += len(rows)
        state.last = rows["t"].max()
        state.seen |= set(rows["v"].dropna().astype(str)) if "v" in rows else set(rows["k"].dropna())
        state.order.append(" ".join(rows["n"].astype(str)))
        del state.order[:-2]
        total = int(rows["n"].sum())
        state.counts[str(total)] = state.counts.get(str(total), 0) + 1
        if total % 3 == 0:
            timers.a.set(rows["t"].max() + pd.Timedelta(self.delay))
            timers.b.set(rows["t"].min() + pd.Timedelta("2s"))
        elif total % 3 == 1:
            timers.a.clear()
        else:
            timers.clock.after("1s")
        if total % 4 == 3:
            raise ValueError(f"{total} of {key}")
        if total % 7 == 5:
            state.n = "many"
        if total % 2:
            return None
        return self.told("rows", state, timers)

    def on_timer(self, name: str, key: Any, time: pd.Timestamp, state: Any, timers: Any) -> Any:
        if name == "b" and state.n % 5 == 4:
            state.order.clear()
            raise KeyError(key)
        if name == "a" and state.n < self.again:
            state.n += 1
            timers.a.set(time + pd.Timedelta("1s"))
            timers.clock.after("2s")
        if name == "clock" and self.late_reset:
            timers.b.set(time - pd.Timedelta("5s"))
            state.counts = {}
        if name == "b":
            del state.last
        yield from self.told(f"{name} {time}", state, timers)

    def told(self, what: str, state: Any, timers: Any) -> list[dict[str, Any]]:
        texts = [what, state.order, sorted(state.seen), state.counts, state.last]
        texts += [timers.a.time, timers.b.time, timers.clock.time]
        return [{"count": state.n, "what": " ".join(map(str, texts))}]


class ToldForMany(Told):
    """Much the same for many keys at once."""

    def on_rows(self, rows: pd.DataFrame, state: Any, timers: Any) -> Any:
        by = rows.groupby(level=list(range(rows.index.nlevels)), dropna=False, sort=False)
        total = by["n"].sum().reindex(state.index)
        newest = by["t"].max().reindex(state.index)
        state["n"] += by.size().reindex(state.index)
        state["last"] = newest
        state["seen"] = [seen | {str(n)} for seen, n in zip(state["seen"], total, strict=True)]
        state["counts"] = [{**had, str(n): len(had)} for had, n in zip(state["counts"], total, strict=True)]
        state["order"] = [[*had, f"{n}"][-2:] for had, n in zip(state["order"], total, strict=True)]
        timers["a"] = timers["a"].mask(total % 3 == 0, newest + pd.Timedelta(self.delay)).mask(total % 3 == 1)
        timers["b"] = timers["b"].mask(total % 3 == 0, newest + pd.Timedelta("2s"))
        timers["clock"] = timers["clock"].mask(total % 3 == 2, timers.attrs["now"] + pd.Timedelta("1s"))
        if (total % 4 == 3).any():
            raise ValueError("3 of 4")
        if (total % 7 == 5).any():
            state["n"] = state["n"] + 0.5
        return self.shown("rows", state, timers)[total % 2 == 0]

    def on_timer(self, name: str, time: pd.Series, state: Any, timers: Any) -> Any:
        if name == "b" and (state["n"] % 5 == 4).any():
            raise KeyError(name)
        if name == "a":
            more = state["n"] < self.again
            state.loc[more, "n"] += 1
            timers["a"] = timers["a"].mask(more, time + pd.Timedelta("1s"))
        if name == "clock" and self.late_reset:
            timers["b"] = time - pd.Timedelta("5s")
            state["counts"] = [{} for _ in range(len(state))]
        if name == "b":
            state["last"] = pd.NaT
        given = self.shown(name + " " + time.astype("str"), state, timers)
        return pd.concat([given, given.iloc[::-1]])

    def shown(self, what: Any, state: pd.DataFrame, timers: pd.DataFrame) -> pd.DataFrame:
        told = [state["order"], state["seen"].map(sorted), state["counts"], state["last"], *timers.items()]
        texts = pd.Series(what, index=state.index, dtype="str")
        for each in told:
            texts += " " + (each[1] if isinstance(each, tuple) else each).astype("object").map(str)
        return pd.DataFrame({"count": state["n"], "what": texts})


codes = st.builds(
    lambda base, delay, again, late: type("Code", (base,), {"delay": delay, "again": again, "late_reset": late}),
    st.sampled_from([Told, ToldForMany]),
    st.sampled_from(["-3s", "0s", "1s", "4s"]),
    st.sampled_from([0, 4, 9]),
    st.booleans(),
)
STATE = {
    "n": fl.state.Value("int64", default=0),
    "last": fl.state.Value("datetime64[us, UTC]"),
    "seen": fl.state.Set("str"),
    "order": fl.state.List("str"),
    "counts": fl.state.Map("str", "int64"),
}
TIMERS = {"b": "event", "a": "event", "clock": "processing"}


def processed(stream: fl.Stream, code: Any, by: tuple[str, ...], lateness: str) -> fl.Stream:
    schema = {"count": "int64", "what": "str"}
    return stream.groupby(*by).process(
        code,
        state=STATE,
        timers=TIMERS,
        schema=schema,
        vectorised=issubclass(code, ToldForMany),
        allowed_lateness=lateness,
    )


processes = st.builds(
    lambda code, by, lateness: lambda stream: processed(stream, code, by, lateness),
    codes,
    st.sampled_from([("k",), ("i",), ("v",), ("k", "i"), ("i", "v")]),
    st.sampled_from(["0s", "2s", "unbounded"]),
)
"""Steps of a person's own code: functions of a stream."""


def _enriched(how: Any, on: Any, ttl: str | None, where: Any, lateness: str) -> Callable[..., fl.Stream]:
    """An enrichment, as a function of the stream and its table: versions, or in windows of the table and the stream."""

    def enrich(stream: fl.Stream, table: fl.Stream) -> fl.Stream:
        keys = [on] if isinstance(on, str) else on
        added = {name: f"{name}_y" for name in table.schema.names if name not in keys}
        table = table.rename(**added)
        if where is None:
            return stream.enrich(table, on, how, ttl=ttl)
        of_table, of_rows = where
        stream = stream if of_rows is None else stream.window(of_rows)
        return stream.enrich(table.window(of_table, allowed_lateness=lateness), on, how)

    return enrich


enrichments = st.builds(
    _enriched,
    st.sampled_from(["left", "inner"]),
    by,
    st.sampled_from([None, "0s", "2s", "5s"]),
    st.none()
    | st.sampled_from(
        [
            (fl.FixedWindows("4s"), None),
            (fl.FixedWindows("4s"), fl.FixedWindows("2s")),
            (fl.FixedWindows("3s", offset="1s"), fl.FixedWindows("6s")),
            (fl.GlobalWindows(), None),
            (fl.GlobalWindows(), fl.SlidingWindows("5s", every="2s")),
        ]
    ),
    st.sampled_from(["0s", "2s", "unbounded"]),
)
"""Enrichments from a table that changes: functions of a stream and of the table."""


def _cogrouped(where: Any, options: Any, on: Any) -> Callable[..., fl.Stream]:
    def cogroup(left: fl.Stream, right: fl.Stream) -> fl.Stream:
        one, other = (side.window(where, **options) for side in (left, right))
        return fl.cogroup({"one": one, "other": other}, on).agg(
            one={"rows": "count", "total": ("v", "sum"), "mean": ("v", "mean"), "newest": ("n", "last")},
            other={
                "others": "size",
                "least": ("n", "min"),
                "some": ("i", "count"),
                "weighted": ("v", fl.WeightedMean("n")),
            },
        )

    return cogroup


cogroups = st.builds(
    _cogrouped,
    st.sampled_from(
        [fl.FixedWindows("4s"), fl.SlidingWindows("5s", every="2s"), fl.Sessions("2s"), fl.GlobalWindows()]
    ),
    st.fixed_dictionaries(
        {
            "accumulation": st.sampled_from(["accumulating", "discarding", "retracting"]),
            "allowed_lateness": st.sampled_from(["0s", "2s", "unbounded"]),
            "trigger": st.sampled_from([fl.AfterWatermark(), fl.AfterWatermark(early=fl.AfterCount(2))]),
        }
    ),
    by,
)
"""Streams grouped together: functions of two streams."""


def _taken_back(lateness: str, early: int, keys: tuple[str, ...]) -> Callable[[fl.Stream], fl.Stream]:
    def panes(side: fl.Stream) -> fl.Stream:
        trigger = fl.AfterWatermark(early=fl.AfterCount(early))
        windowed = side.window(
            fl.FixedWindows("2s"), trigger=trigger, accumulation="retracting", allowed_lateness=lateness
        )
        return windowed.groupby(*keys).agg(v=("v", "sum"), m=("n", "max"))

    return panes


taken_back = st.builds(
    _taken_back,
    st.sampled_from(["0s", "4s"]),
    st.integers(1, 3),
    st.sampled_from([("k", "i", "n"), ("k", "n", "i")]),
)
"""Panes that are taken back: a function of a stream."""


def output_watermarks(seconds: list[int], keys: list[int], epoch_rows: int, windows: Any, *, epochs: int) -> list[int]:
    """The output watermark, in seconds, after each of the first epochs; the newest row of a group holds it."""
    frame = pd.DataFrame({"t": pd.to_datetime(seconds, unit="s", utc=True), "k": keys})
    stream = fl.read.frame(frame, event_time="t", watermark=fl.BoundedDisorder("0s"))
    panes = stream.window(windows, timestamp_combiner="latest").groupby("k").agg(rows="count")
    driver = Driver([panes.node], Options.make(epoch_rows=epoch_rows))
    (stage,) = driver.state.keyed
    held = []
    for _ in range(epochs):
        plan = driver.next_epoch()
        assert plan is not None
        driver.run(plan)
        held.append(driver.state.watermarks[stage] // 1_000_000)
    driver.close()
    return held
