"""The drawn graph."""

import itertools
import re
from xml.etree import ElementTree

import pandas as pd
import pytest

import flower as fl
from flower.graph.drawing import _apart, drawing
from flower.graph.nodes import step_names, walk

SVG = "{http://www.w3.org/2000/svg}"


def rows(**columns):
    return fl.read.frame(pd.DataFrame(columns or {"v": [1], "k": ["a"]}))


def several():
    """A source of three branches of different lengths, put together, and one of another source."""
    source = rows()
    long = source.filter("v > 1").assign(v="v + 1").select("v", "k").drop("k").assign(k="'x'")
    return fl.concat(source, long, source.filter("v < 9"), rows()).groupby("k").agg(n="count")


def boxes(svg: str) -> dict[str, tuple[float, float, float, float]]:
    found = {}
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        rect = group.find(f"{SVG}rect")
        found[group.get("data-step")] = tuple(float(rect.get(each)) for each in ("x", "y", "width", "height"))
    return found


def test_every_step_is_drawn_once_with_its_name_and_an_id():
    stream = several()
    root = ElementTree.fromstring(stream.graph.svg)
    names = list(step_names(stream.node).values())
    groups = list(root.iter(f"{SVG}g"))
    assert [each.get("data-step") for each in groups] == names
    assert [each.get("id") for each in groups] == [f"flow-{n}" for n in range(len(names))]
    assert root.get("role") == "img"
    assert all(name in root.get("aria-label") for name in names)


def test_a_step_lies_below_its_inputs_and_no_two_overlap():
    stream = several()
    placed, names = boxes(stream.graph.svg), step_names(stream.node)
    for node in walk(stream.node):
        _, top, _, _ = placed[names[node]]
        for each in node.inputs:
            _, y, _, height = placed[names[each]]
            assert y + height < top
    for (x1, y1, w1, h1), (x2, y2, w2, h2) in itertools.combinations(placed.values(), 2):
        assert x1 + w1 <= x2 or x2 + w2 <= x1 or y1 + h1 <= y2 or y2 + h2 <= y1


def test_the_picture_holds_all_steps():
    svg = several().graph.svg
    _, _, width, height = map(float, re.search(r'viewBox="([^"]*)"', svg)[1].split())
    for x, y, w, h in boxes(svg).values():
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height


def test_there_is_an_edge_for_each_input():
    stream = several()
    edges = len(re.findall(r'<path d="[^"]*" fill="none"', stream.graph.svg))
    assert edges == sum(len(node.inputs) for node in walk(stream.node))


def points(path: str) -> list[tuple[float, float]]:
    """Points along a path of curves and vertical lines, without its ends."""
    found: list[tuple[float, float]] = []
    x = y = 0.0
    for command, numbers in re.findall(r"([MCV])([-\d. ]+)", path):
        values = [float(each) for each in numbers.split()]
        ends = [x, y, x, values[0], x, values[0]] if command == "V" else values
        if command != "M":
            for t in (n / 20 for n in range(1, 20)):
                weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
                xs, ys = (x, *ends[0::2]), (y, *ends[1::2])
                found.append((sum(map(float.__mul__, weights, xs)), sum(map(float.__mul__, weights, ys))))
        x, y = ends[-2:]
    return found


def test_no_edge_passes_through_a_step():
    svg = several().graph.svg
    edges = re.findall(r'<path d="([^"]*)" fill="none"', svg)
    assert edges
    for x, y in itertools.chain.from_iterable(map(points, edges)):
        for left, top, width, height in boxes(svg).values():
            assert not (left < x < left + width and top < y < top + height)


def test_the_lines_of_a_step_are_below_each_other_in_its_box():
    for group in ElementTree.fromstring(several().graph.svg).iter(f"{SVG}g"):
        rect = group.find(f"{SVG}rect")
        top, height = float(rect.get("y")), float(rect.get("height"))
        lines = [float(each.get("y")) for each in group.iter(f"{SVG}text")]
        assert all(after - before >= 12 for before, after in itertools.pairwise([top, *lines, top + height + 12]))
        assert lines[-1] < top + height


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", '" onload="alert(1)', "]]>&'<", "\x00\x1b[31m", "\u202egnirts"]
)
def test_texts_are_escaped_and_those_that_no_xml_can_hold_are_made_visible(text):
    stream = rows(**{text: ["a"], "v": [1]}).rename(**{text: text + "x"}).select(text + "x").named(text + "step")
    root = ElementTree.fromstring(stream.graph.svg)
    drawn = {"svg", "g", "rect", "text", "title", "path"}
    assert {each.tag for each in root.iter()} == {SVG + name for name in drawn}
    assert not any(name.startswith("on") for each in root.iter() for name in each.attrib)


def test_long_arguments_are_cut_and_whole_in_the_tooltip():
    text = " and ".join(f"v > {n}" for n in range(100))
    root = ElementTree.fromstring(rows().filter(text).graph.svg)
    (group,) = [each for each in root.iter(f"{SVG}g") if each.get("data-step") == "filter-1"]
    assert "v > 99" in group.find(f"{SVG}title").text
    shown = [each.text for each in group.iter(f"{SVG}text")]
    assert len(shown) == 4 and shown[-1].endswith("…") and max(map(len, shown)) <= 48


def test_a_notebook_shows_the_picture_and_a_terminal_the_text():
    graph = rows().filter("v > 1").graph
    one, two = graph._repr_mimebundle_(), graph._repr_mimebundle_()
    assert one["text/plain"] == repr(graph) == str(graph)
    assert one["text/html"].startswith("<svg ")
    # Two pictures on a page have different ids.
    ids = [re.findall(r' id="([^"]*)"', each["text/html"]) for each in (one, two)]
    assert not set(ids[0]) & set(ids[1])


def test_the_prefix_of_ids_is_escaped():
    assert ElementTree.fromstring(drawing(rows().node, '"><x')).find(f"{SVG}g").get("id") == '"><x-0'


def test_places_are_as_wanted_where_they_fit():
    assert _apart([0.0, 500.0], [100.0, 100.0]) == [0.0, 500.0]
    assert _apart([0.0, 0.0], [100.0, 100.0]) == [-64.0, 64.0]
