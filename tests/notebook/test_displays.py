"""How streams look in a notebook."""

import threading
import time
from html.parser import HTMLParser

import pandas as pd
import pytest

import flower as fl
from flower.notebook.preview import stream_html, windows_text

HOSTILE = "<img src=x onerror=alert(1)>"


class Elements(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)


def flights(**options):
    return fl.read.parquet(fl.datasets.flights, event_time="departure", arrival="observed", **options)


def test_columns_dtypes_and_first_rows_are_shown():
    html = stream_html(flights().filter("delay > 400").select("carrier", "delay"))
    for text in ("<th>carrier</th>", "Int64", ">FL</td>", ">470</td>", "bounded · 3 steps", "The first 3 rows."):
        assert text in html


def test_windows_are_told_in_words():
    windowed = flights().window(fl.SlidingWindows("1h", every="10min"), allowed_lateness="1h")
    assert "to be aggregated in windows of 1h, one every 10min; rows are admitted" in stream_html(windowed)
    html = stream_html(windowed.agg(n="count"))
    assert "aggregated in windows of 1h" in html and ">on_time</td>" in html
    assert "aggregated" not in stream_html(windowed.agg(n="count").dropped)


@pytest.mark.parametrize(
    "windows, options, text",
    [
        (fl.FixedWindows("1h"), {}, "windows of 1h, one after the other"),
        (fl.Sessions("5min"), {}, "sessions that end when nothing came for 5min"),
        (
            fl.GlobalWindows(),
            {"allowed_lateness": "unbounded"},
            "one window of all time; rows are admitted however late",
        ),
        (
            fl.FixedWindows("1h"),
            {"trigger": fl.AfterWatermark(early=fl.AfterCount(3)), "accumulation": "discarding"},
            "windows of 1h, one after the other; early results by AfterCount(3); each result holds what came since",
        ),
    ],
)
def test_every_windowing_has_words(windows, options, text):
    assert windows_text(flights().window(windows, **options).node.windowing).startswith(text)


def test_a_stream_without_end_is_not_opened(monkeypatch):
    def opened(*_):
        raise AssertionError("opened")

    monkeypatch.setattr(fl.Stream, "run", opened)
    html = stream_html(fl.read.rate(10))
    assert "unbounded" in html and "<th>value</th>" in html and ".table() shows them as they come" in html


def test_a_replay_shows_its_rows_without_waiting_for_them():
    assert ">EWR</td>" in stream_html(fl.replay(flights(), speed=0.001).select("carrier", "origin"))


def test_a_slow_function_does_not_hold_a_display_up():
    go_on = threading.Event()

    def slow(frame):
        if len(frame):
            go_on.wait(30)
        return frame

    before = time.monotonic()
    try:
        html = stream_html(flights().map_frames(slow))
    finally:
        go_on.set()
    assert time.monotonic() - before < 2
    assert "take a while" in html and "<th>carrier</th>" in html


def test_a_source_that_fails_is_told_in_its_place(tmp_path):
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"v": [1]}).to_parquet(path)
    stream = fl.read.parquet(path)
    path.unlink()
    html = stream_html(stream)
    assert "No rows to show: SourceError" in html and "<th>v</th>" in html


def test_whatever_fails_is_told_and_not_raised(monkeypatch):
    monkeypatch.setattr("flower.notebook.preview._described", lambda node: 1 / 0)
    html = stream_html(flights())
    assert "ZeroDivisionError" in html and "read parquet" in html


def test_columns_and_values_of_html_are_escaped():
    frame = pd.DataFrame({HOSTILE: ["<script>alert(1)</script>"], "</thead>": ["</table>"]})
    html = stream_html(fl.read.frame(frame))
    assert set(Elements(html).tags) == {"div", "table", "thead", "tbody", "tr", "th", "td"}
    assert "&lt;img src=x" in html and "&lt;script&gt;" in html


def test_dollars_and_backslashes_make_no_formulas():
    formula = r"$$\href{javascript:alert(1)}{x}$$"
    html = stream_html(fl.read.frame(pd.DataFrame({formula: [r"\(y\)"]})))
    assert "$$" not in html and r"\(" not in html and r"\h" not in html
    assert "<th><span>$</span><span>$</span><span>\\</span>href{" in html


def test_an_error_of_html_is_escaped(monkeypatch):
    def fails(*_, **__):
        raise ValueError(HOSTILE)

    monkeypatch.setattr(fl.Stream, "preview", fails)
    assert "img" not in Elements(stream_html(flights())).tags
