"""Each kind of chart in JupyterLab, row by row: it grows, is provisional, settled, corrected, and taken back.

One notebook for all of them; a cell draws one chart after the other, and every row is pushed by the test.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import laboratory
import numpy as np
import pandas as pd
import pytest
from canvas import AROUND, MIDDLE, painted
from playwright.sync_api import Browser, Page, expect

from flower.charts.plot import Plot

A, B = "<script>alert(1)</script>", "plain"
WHO, TOTAL, HIGHEST = "<b>who</b>", "<img src=x onerror=alert(2)>", "<i>highest</i>"

# Sessions of a minute: rows merge them, which takes panes back. A row of the kind "mark" moves the watermark.
SETUP = f"""
import queue
import flower as fl
from flower.notebook import live
live.install(get_ipython())
A, B, WHO, TOTAL, HIGHEST = {(A, B, WHO, TOTAL, HIGHEST)!r}
SCHEMA = {{"at": "datetime64[us, UTC]", "complete_to": "datetime64[us, UTC]", WHO: "str", "v": "float64"}}
pushed = queue.SimpleQueue()

def push(*rows, to=None):
    day = "2026-03-08T12:"
    said = [(at, "00:00", who, v) for at, who, v in rows] + ([(to, to, "mark", 0.0)] if to else [])
    pushed.put([{{"at": day + at + "Z", "complete_to": day + to + "Z", WHO: who, "v": v}} for at, to, who, v in said])

def new():
    global pushed
    pushed = mine = queue.SimpleQueue()
    rows = fl.read.generator(
        lambda: iter(mine.get, None), schema=SCHEMA, event_time="at", watermark=fl.Punctuated("complete_to")
    ).filter(lambda frame: frame[WHO] != "mark").assign(
        lon=lambda frame: (frame[WHO] == B) * 20.0 - (frame["v"] == 20) * 20.0, 
    ).assign(lat=lambda frame: frame["lon"] / 2)
    options = dict(
        trigger=fl.AfterWatermark(early=fl.AfterCount(1), late=fl.AfterCount(1)),
        allowed_lateness="1h", accumulation="retracting",
    )
    def of(rows, *by):
        windows = rows.window(fl.Sessions("1min"), **options)
        groups = windows.groupby(*by) if by else windows
        return groups.agg(**{{
            TOTAL: ("v", "sum"), "open": ("v", "first"), HIGHEST: ("v", "max"), "low": ("v", "min"),
            "close": ("v", "last"), "lon": ("lon", "min"), "lat": ("lat", "min"),
        }})
    return of(rows, WHO), of(rows.filter(lambda frame: frame[WHO] == A))

def own(frame):
    from bokeh.plotting import figure
    plot = figure(height=240, width=500, title=TOTAL)
    plot.scatter(frame["window_end"], frame[TOTAL], size=16, color="#0072B2")
    return plot

def drawn(plot):
    panes, total = new()
    return plot(panes.plot, total.plot)
"""

EARLY, ON_TIME, LATE = "early, provisional", "on time", "corrected by late rows"
FIRST, SECOND, OTHER = "01:20", "03:10", "01:00"  # the ends of A's first session, of its second, and of B's

# What is pushed, and what stands then: key, end of the session, total and timing.
STATES = {
    "begins": ("('00:00', A, 10.), ('00:20', A, 30.), ('00:00', B, 5.)", [(A, FIRST, 40, EARLY), (B, OTHER, 5, EARLY)]),
    "grows": ("('02:10', A, 20.)", [(A, FIRST, 40, EARLY), (A, SECOND, 20, EARLY), (B, OTHER, 5, EARLY)]),
    "settles": ("to='01:45'", [(A, FIRST, 40, ON_TIME), (A, SECOND, 20, EARLY), (B, OTHER, 5, ON_TIME)]),
    "is corrected": ("('00:10', A, 50.)", [(A, FIRST, 90, LATE), (A, SECOND, 20, EARLY), (B, OTHER, 5, ON_TIME)]),
    "takes two back": ("('01:15', A, 10.)", [(A, SECOND, 120, EARLY), (B, OTHER, 5, ON_TIME)]),
    "settles again": ("to='04:00'", [(A, SECOND, 120, ON_TIME), (B, OTHER, 5, ON_TIME)]),
    "is corrected again": ("('02:00', A, 7.)", [(A, SECOND, 127, LATE), (B, OTHER, 5, ON_TIME)]),
}

# What the page has of the chart: the columns of each glyph.
READ = """() => (window.Bokeh?.documents ?? []).flatMap(doc => doc.roots()[0].renderers.map(({glyph, data_source}) => ({
    glyph: glyph.type,
    ...Object.fromEntries(Object.entries(data_source.data).map(([name, column]) => [name, [...column]])),
})))"""


@dataclass(frozen=True)
class Kind:
    """A kind with marks for panes: how it is made, its glyph, and what of a pane its columns ``x`` and ``y`` are."""

    made: str
    glyph: str = "Scatter"
    x: str = "x"
    top: str = "y"


OVER = "x='window_end', y=TOTAL, by=WHO, fps=30"
KINDS = {
    "line": Kind(f"each.line({OVER})"),
    "step": Kind(f"each.step({OVER})"),
    "scatter": Kind(f"each.scatter({OVER})"),
    "area": Kind(f"each.area({OVER})"),
    "stacked": Kind(f"each.stacked({OVER})", top="top"),
    "bar": Kind(f"each.bar({OVER})", glyph="Quad"),
    "barh": Kind("total.barh(x='window_end', y=TOTAL, fps=30)", glyph="Quad"),
    "heatmap": Kind("each.heatmap(x='window_end', y=WHO, value=TOTAL, fps=30)", glyph="Quad"),
    "map": Kind("each.map(lon='lon', lat='lat', size=TOTAL, by=WHO, fps=30)", x="lon", top="up"),
    "candlestick": Kind("total.candlestick(x='window_end', high=HIGHEST, fps=30)", glyph="Quad"),
}


@pytest.fixture(scope="module")
def complaints() -> list[str]:
    return []


@pytest.fixture(scope="module")
def notebook(browser: Browser, lab: laboratory.Server, complaints: list[str]) -> Iterator[laboratory.Notebook]:
    """One notebook, whose second cell draws what a test writes into it."""
    laboratory.written(lab.notebooks / "states.ipynb", [SETUP, ""])
    with laboratory.watched(browser, lab, complaints) as page:
        opened = laboratory.Notebook(page, lab, "states", "states").open().wait_until_idle()
        yield opened.theme("JupyterLab Light").run(0)  # another test may have left it dark
    lab.end_kernels()


def drawn(notebook: laboratory.Notebook, made: str) -> laboratory.Notebook:
    """Draw a chart in place of the one before."""
    notebook.write(1, f"chart = drawn(lambda each, total: {made})\nchart").run(1)
    notebook.page.wait_for_function("() => Bokeh?.documents.length === 1 && Bokeh.documents[0].is_idle")
    return notebook


def comes(page: Page, expected: Any, read: Callable[..., Any], *arguments: Any) -> None:
    """Wait until what is read is what is expected."""
    end = time.monotonic() + 15
    while (there := read(*arguments)) != expected and time.monotonic() < end:
        page.wait_for_timeout(25)
    assert there == expected


def panes(page: Page, kind: Kind) -> list[tuple[str, float, float, str]]:
    """The marks that the page has: key, x, y and timing."""
    glyphs = [each for each in page.evaluate(READ) if each["glyph"] == kind.glyph and "pane" in each]
    return sorted(
        row for each in glyphs for row in zip(each["key"], each[kind.x], each["y"], each["pane"], strict=True)
    )


def ms(time: str) -> float:
    return pd.Timestamp(f"2026-03-08T12:{time}").value / 1e6


def expected(name: str, stands: list[tuple[str, str, int, str]]) -> list[tuple[str, float, float, str]]:
    """The marks that a kind should have."""
    lon = {FIRST: 0.0, SECOND: -20.0, OTHER: 20.0}
    close = {40: 30.0, 90: 30.0, 20: 20.0, 120: 20.0, 127: 20.0}
    rows = []
    for key, end, total, timing in stands:
        if name in ("barh", "candlestick"):
            if key == A:
                rows.append(("", ms(end), close[total] if name == "candlestick" else float(total), timing))
        else:
            rows.append((key, lon[end] if name == "map" else ms(end), float(total), timing))
    return sorted(rows)


def corners(name: str, each: dict[str, Any], row: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """A point inside a bar, and one on its far edge."""
    left, right, bottom, top = (each[side][row] for side in ("left", "right", "bottom", "top"))
    inside, edge = (left + 0.25 * (right - left), (bottom + top) / 2), (left + 0.25 * (right - left), top)
    return (inside[::-1], edge[::-1]) if name == "barh" else (inside, edge)


def looks(page: Page, name: str) -> tuple[str, tuple[float, float]]:
    """How A's oldest pane is painted: its timing by the look of it; and where."""
    kind, found = KINDS[name], []
    for each in page.evaluate(READ):
        if each["glyph"] == kind.glyph and "pane" in each:
            found += [(end, each, row) for row, end in enumerate(each[kind.x]) if each["key"][row] in (A, "")]
    _, each, row = max(found, key=lambda one: one[0]) if name == "map" else min(found, key=lambda one: one[0])
    if kind.glyph == "Quad":
        inside, edge = corners(name, each, row)
        ink = painted(page, *inside)["ink"][MIDDLE].mean()
        framed = (painted(page, *edge)["light"][MIDDLE] < 70).any()
        return (LATE if framed and ink > 130 else ON_TIME if ink > 130 else EARLY if ink > 30 else "nothing"), inside
    place = each["x"][row], each[kind.top][row]
    return mark(name, painted(page, *place)["ink"]), place


def mark(name: str, ink: np.ndarray) -> str:
    """The timing that a point stands for: hollow, filled, or a diamond."""
    at = AROUND
    if name == "map":  # large and pale; a diamond does not reach into the corners
        if ink[MIDDLE].mean() > 100:
            return ON_TIME if (ink[at - 8, at + 8], ink[at + 8, at - 8]) > (100, 100) else LATE
        return EARLY if ink[at + 3, at:].max() > 100 else "nothing"
    across = slice(at - 1, at + 2)
    if ink[at - 4, across].mean() > 150:
        return LATE
    if ink[at - 2, across].mean() > 90:
        return ON_TIME
    return EARLY if ink[at - 3, across].max() > 70 else "nothing"


def test_no_kind_is_forgotten() -> None:
    there = {name for name, member in vars(Plot).items() if inspect.isfunction(member) and not name.startswith("_")}
    assert there == {*KINDS, "hist", "number", "gauge", "custom"}


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_with_marks_grows_is_refined_and_takes_back(
    notebook: laboratory.Notebook, complaints: list[str], name: str
) -> None:
    kind, page = KINDS[name], drawn(notebook, KINDS[name].made).page
    output = notebook.output(1)
    with notebook.server.kernel() as ask:
        for state, (push, stands) in STATES.items():
            ask(f"push({push})")
            comes(page, expected(name, stands), panes, page, kind)
            comes(page, stands[0][3], lambda: looks(page, name)[0])
            if state == "is corrected":
                _, before = looks(page, name)
            if state == "takes two back" and kind.glyph != "Quad":
                assert mark(name, painted(page, *before)["ink"]) == "nothing"
    output.scroll_into_view_if_needed()
    page.mouse.move(*painted(page, *looks(page, name)[1])["page"])
    for text in {"barh": [TOTAL], "candlestick": [HIGHEST]}.get(name, [A, WHO, TOTAL]):
        expect(page.locator(".bk-Tooltip").get_by_text(text).first).to_be_visible()
    if "by=WHO" in kind.made:
        expect(output.locator(".bk-Legend").get_by_text(A)).to_be_visible()
    safe(page, complaints)


def safe(page: Page, complaints: list[str]) -> None:
    """No name has become an element of the page, or run."""
    for tag in ("img", "script", "b", "i"):
        expect(page.locator(f".flower-view {tag}, .bk-Tooltip {tag}")).to_have_count(0)
    assert complaints == []


BAR = ("key", "left", "right", "count")


def test_a_histogram_counts_what_stands(notebook: laboratory.Notebook, complaints: list[str]) -> None:
    page = drawn(notebook, "each.hist(x=TOTAL, by=WHO, fps=30)").page

    def counted(totals: list[tuple[str, int]]) -> list[tuple[str, int]]:
        """Those totals that are in a bar of their key, each bar as high as there are such totals."""
        bars = [row for each in page.evaluate(READ) for row in zip(*map(each.get, BAR), strict=True)]
        inside = [[one for one in totals if one[0] == key and left <= one[1] < right] for key, left, right, _ in bars]
        return sorted(one for ones, bar in zip(inside, bars, strict=True) if len(ones) == bar[3] for one in ones)

    def ink(totals: list[int]) -> list[bool]:
        """Whether a bar is painted there."""
        return [bool(painted(page, total + 0.5, 0.5)["ink"][MIDDLE].mean() > 100) for total in totals]

    with notebook.server.kernel() as ask:
        for push, stands in STATES.values():
            ask(f"push({push})")
            totals = sorted((key, total) for key, _, total, _ in stands)
            comes(page, totals, counted, totals)
            standing = [total for key, total in totals if key == A]
            comes(page, [True] * len(standing), ink, standing)
            if standing in ([120], [127]):  # wide bars: what was taken back is elsewhere
                assert ink([20, 40, 90]) == [False] * 3
    expect(notebook.output(1).locator(".bk-Legend").get_by_text(A)).to_be_visible()
    safe(page, complaints)


SAID = ["~ 40", "~ 20", "~ 20", "~ 20", "~ 120", "120", "\N{BLACK DIAMOND} 127"]


def text(page: Page) -> list[str]:
    """The texts that are painted as marks: of a number and of a gauge the number is the largest."""
    return [one for each in page.evaluate(READ) if each["glyph"] == "Text" for one in each["text"]]


def titles(page: Page) -> list[str]:
    """What is painted as it is, without a look for formulas."""
    said: list[str] = page.evaluate(
        """() => [...Bokeh.documents[0]._all_models.values()]
            .filter(model => model.type === "Title" && model.text.type === "PlainText").map(({text}) => text.text)"""
    )
    return said


def test_a_number_says_that_it_may_change_or_was_corrected(
    notebook: laboratory.Notebook, complaints: list[str]
) -> None:
    page = drawn(notebook, "total.number(y=TOTAL, fps=30)").page

    def ink() -> bytes:
        """What is painted where the number stands."""
        return np.concatenate([painted(page, x, 0.68)["ink"] for x in (0.06, 0.16, 0.26)]).astype(np.uint8).tobytes()

    seen = {"": ink()}
    with notebook.server.kernel() as ask:
        for (push, _), said in zip(STATES.values(), SAID, strict=True):
            ask(f"push({push})")
            comes(page, said, lambda: text(page)[0])
            if said not in seen:
                comes(page, False, lambda: ink() in seen.values())
                seen[said] = ink()
    assert len(set(seen.values())) == 1 + len(set(SAID))
    assert TOTAL in titles(page)
    safe(page, complaints)


def test_a_gauge_reaches_to_its_number_and_is_pale_while_that_may_change(
    notebook: laboratory.Notebook, complaints: list[str]
) -> None:
    page = drawn(notebook, "total.gauge(y=TOTAL, high=200, fps=30)").page
    up = 0.86 * page.evaluate(
        """() => {
            const {x_scale, y_scale} = Bokeh.index.roots[0].frame
            return (x_scale.compute(1) - x_scale.compute(0)) / (y_scale.compute(0) - y_scale.compute(1))
        }"""
    )

    def ring(number: float) -> tuple[str, str]:
        """How the ring is painted just before and just behind a number."""
        said = []
        for beside in (-8, 8):
            angle = np.pi * (1 - (number + beside) / 200)
            ink = painted(page, 0.86 * np.cos(angle), up * np.sin(angle))["ink"][MIDDLE].mean()
            said.append("full" if ink > 200 else "pale" if ink > 60 else "empty")
        return said[0], said[1]

    with notebook.server.kernel() as ask:
        for (push, _), said in zip(STATES.values(), SAID, strict=True):
            ask(f"push({push})")
            comes(page, True, lambda said: said in text(page), said)
            comes(page, ("pale" if "~" in said else "full", "empty"), ring, float(said.split()[-1]))
    assert TOTAL in titles(page)
    safe(page, complaints)


def test_a_figure_of_ones_own_is_made_again_of_what_stands(
    notebook: laboratory.Notebook, complaints: list[str]
) -> None:
    page = drawn(notebook, "total.custom(own, fps=30)").page

    def points() -> list[tuple[float, float]]:
        return [row for each in page.evaluate(READ) for row in zip(each["x"], each["y"], strict=True)]

    def ink(places: list[tuple[float, float]]) -> list[bool]:
        return [bool(painted(page, *place)["ink"][MIDDLE].min() > 200) for place in places]

    with notebook.server.kernel() as ask:
        for push, stands in STATES.values():
            ask(f"push({push})")
            mine = [(ms(end), float(total)) for key, end, total, _ in stands if key == A]
            comes(page, mine, points)
            comes(page, [True] * len(mine), ink, mine)
    safe(page, complaints)
