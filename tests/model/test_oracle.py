"""The laws that the oracle obeys, on random disordered streams whose rows land on the edges of windows."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from flower.model.reference import InputOracle, KeyedOracle, Row, WatermarkOracle, windows_of
from flower.model.time import MAX_TIME, MIN_TIME
from flower.model.triggers import AfterCount, AfterProcessingTime, AfterWatermark
from flower.model.watermarks import BoundedDisorder, ManualWatermark, Monotonic
from flower.model.windowing import Windowing
from flower.model.windows import FixedWindows, GlobalWindows, Sessions, SlidingWindows

FLAT = st.sampled_from(
    [FixedWindows("4us"), SlidingWindows("4us", every="2us"), SlidingWindows("5us", every="2us"), GlobalWindows()]
)
WINDOWS = FLAT | st.just(Sessions("3us"))
PARTS = st.sampled_from([None, AfterCount(1), AfterCount(3), AfterProcessingTime(), AfterProcessingTime("2us")])
WINDOWINGS = st.builds(
    Windowing.make,
    WINDOWS,
    trigger=st.builds(AfterWatermark, early=PARTS, late=PARTS),
    accumulation=st.sampled_from(["accumulating", "discarding"]),
    allowed_lateness=st.sampled_from(["0s", "2us", "5us", "unbounded"]),
    timestamp_combiner=st.sampled_from(["end_of_window", "earliest", "latest"]),
    on_time_behavior=st.sampled_from(["fire_always", "fire_if_non_empty"]),
    closing_behavior=st.sampled_from(["fire_if_non_empty", "fire_always"]),
)
TIMES = st.lists(st.integers(-6, 12), max_size=20)
CUTS = st.lists(st.integers(0, 5), max_size=6)
AGGREGATES = {"rows": (None, "count"), "total": ("v", "sum"), "first": ("v", "first")}


class Run:
    """One partition's rows through one aggregation, in epochs of given lengths; then the stream ends."""

    def __init__(self, windowing: Windowing, times: list[int], cuts: list[int], bound: int = 2) -> None:
        watermarks = WatermarkOracle(BoundedDisorder(f"{bound}us"))
        keyed = KeyedOracle(windowing, ("k",), AGGREGATES)
        self.panes, self.dropped, self.counts, self.outputs, at = [], [], Counter(), [], 0
        for now, length in enumerate([*cuts, len(times)]):
            here, before, ended = times[at : at + length], watermarks.watermark, now == len(cuts)
            (met,) = watermarks.epoch([here], now, [ended])
            # The value tells the row, so that panes tell which rows they hold: a sum of powers of two.
            rows = [Row({"k": t % 2 or None, "v": 2 ** (at + i)}, t, met[i], 0, at + i) for i, t in enumerate(here)]
            panes, dropped, counts = keyed.epoch(rows, before, watermarks.watermark, now)
            self.panes += [{**pane, "epoch": now} for pane in panes]
            self.dropped += dropped
            self.counts += Counter(counts)
            self.outputs.append((watermarks.watermark, keyed.watermark))
            at += len(here)
        self.pairs = [(i, window) for i, t in enumerate(times) for window in windows_of(windowing.windows, t)]


def window(pane):
    return pane["k"], pane["window_start"], pane["window_end"]


@given(WINDOWINGS, TIMES, CUTS)
def test_every_pair_is_on_time_late_or_dropped(windowing, times, cuts):
    run = Run(windowing, times, cuts)
    assert sum(run.counts.values()) == len(run.pairs)
    assert run.counts["dropped"] == len(run.dropped)


@given(WINDOWINGS, TIMES, CUTS)
def test_panes_of_a_window_are_numbered_and_nothing_follows_the_final_one(windowing, times, cuts):
    last = {}
    for pane in Run(windowing, times, cuts).panes:
        before = last.get(window(pane))
        assert pane["pane_index"] == (0 if before is None else before["pane_index"] + 1)
        assert before is None or not before["pane_final"]
        last[window(pane)] = pane


@given(WINDOWINGS, TIMES, CUTS)
def test_timings_of_a_window_only_go_forward_and_it_is_on_time_at_most_once(windowing, times, cuts):
    timings = {}
    for pane in Run(windowing, times, cuts).panes:
        timings.setdefault(window(pane), []).append(pane["pane_timing"])
    for of_window in timings.values():
        assert of_window == sorted(of_window, key=["early", "on_time", "late"].index)
        assert of_window.count("on_time") <= 1


@given(WINDOWINGS, TIMES, CUTS)
def test_a_window_fires_at_most_once_an_epoch(windowing, times, cuts):
    fired = Counter((pane["epoch"], window(pane)) for pane in Run(windowing, times, cuts).panes)
    assert all(n == 1 for n in fired.values())


@given(WINDOWINGS, TIMES, CUTS)
def test_the_increments_of_discarding_panes_add_up_to_the_admitted_pairs(windowing, times, cuts):
    if windowing.accumulation == "accumulating":
        shown = {}
        for pane in Run(windowing, times, cuts).panes:
            for absorbed in pane.get("pane_absorbs", ()):
                assert shown.pop((pane["k"], absorbed["start"], absorbed["end"]), None) is not None
            shown[window(pane)] = pane
        panes = list(shown.values())
    else:
        panes = Run(windowing, times, cuts).panes
    # In the last epoch the watermark goes to infinity, so every admitted pair is in a pane.
    counts = Run(windowing, times, cuts).counts
    assert sum(pane["rows"] for pane in panes) == counts["on_time"] + counts["late"]


@given(FLAT, TIMES, CUTS, st.integers(0, 4))
def test_with_one_partition_and_no_lateness_epochs_change_neither_panes_nor_drops(windows, times, cuts, bound):
    windowing = Windowing.make(windows)
    cut, whole = Run(windowing, times, cuts, bound), Run(windowing, times, [], bound)
    assert cut.dropped == whole.dropped
    assert [{**pane, "epoch": 0} for pane in cut.panes] == whole.panes


@given(WINDOWINGS, TIMES, CUTS)
def test_drops_of_one_partition_do_not_depend_on_epochs(windowing, times, cuts):
    assert Run(windowing, times, cuts).dropped == Run(windowing, times, []).dropped


@given(WINDOWINGS, TIMES, CUTS)
def test_a_pane_before_the_end_of_its_window_keeps_the_promise_of_the_output(windowing, times, cuts):
    # A row that is itself behind the watermark may be in a window that is not passed: it breaks the source's promise.
    times = sorted(times)
    run = Run(windowing, times, cuts, bound=0)
    promised = MIN_TIME
    for epoch, (w1, out) in enumerate(run.outputs):
        assert promised <= out <= w1
        for pane in run.panes:
            if pane["epoch"] == epoch and pane["pane_timing"] != "late" and pane["event_time"] is not None:
                assert pane["event_time"] >= promised
        promised = out


@given(TIMES, CUTS)
def test_sessions_of_a_complete_stream_are_the_rows_less_than_the_gap_apart(times, cuts):
    run = Run(Windowing.make(Sessions("3us"), allowed_lateness="unbounded"), times, cuts, bound=100)
    expected = []
    for key in (None, 1):
        of_key = sorted(t for t in times if (t % 2 or None) == key)
        for t in of_key:
            if expected and expected[-1][0] == key and t < expected[-1][2]:
                expected[-1] = (key, expected[-1][1], t + 3)
            else:
                expected.append((key, t, t + 3))
    assert sorted(map(window, run.panes), key=str) == sorted(expected, key=str)


def test_several_sources_are_held_by_the_slowest_and_rows_meet_what_the_others_promised_at_the_start():
    fast, slow = WatermarkOracle(Monotonic()), WatermarkOracle(Monotonic())
    both = InputOracle([fast, slow])
    assert both.epoch([[[10, 20]], [[5]]], 0, [[False], [False]]) == [[[MIN_TIME, MIN_TIME]], [[MIN_TIME]]]
    assert both.watermark == 5
    assert both.epoch([[[30, 40]], [[6, 7]]], 1, [[False], [False]]) == [[[5, 5]], [[5, 6]]]
    assert both.watermark == 7
    assert both.epoch([[[30]], [[]]], 2, [[False], [True]]) == [[[7]], [[]]]
    assert both.watermark == 40
    assert both.epoch([[[]], [[]]], 3, [[True], [True]]) == [[[]], [[]]]
    assert both.watermark == MAX_TIME


def test_a_partition_that_wakes_up_meets_what_was_promised_in_its_absence():
    oracle = WatermarkOracle(Monotonic(idle="10us"), 2)
    oracle.epoch([[5], [7]], 0, [False, False])
    assert oracle.watermark == 5
    oracle.epoch([[], [50]], 10, [False, False])
    assert oracle.watermark == 50
    assert oracle.epoch([[6], []], 11, [False, False]) == [[50], []]
    assert oracle.watermark == 50


def test_a_new_partition_holds_the_watermark_but_does_not_take_it_back():
    oracle = WatermarkOracle(Monotonic(), 1)
    oracle.epoch([[20]], 0, [False])
    assert oracle.epoch([[], [3]], 1, [False, False]) == [[], [20]]
    assert oracle.epoch([[30], []], 2, [False, False]) == [[20], []]
    assert oracle.watermark == 20


def test_manual_watermarks_are_those_of_the_marks():
    oracle = WatermarkOracle(ManualWatermark())
    assert oracle.epoch([[1, 2, 3]], 0, [False], marks=[([MIN_TIME, 5, 5], 9)]) == [[MIN_TIME, 5, 5]]
    assert oracle.watermark == 9
