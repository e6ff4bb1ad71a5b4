"""The documentation's pictures: ``make pictures`` makes them."""

import inspect
from pathlib import Path

import pytest

from flower.charts.plot import Plot

PICTURES = Path(__file__).parents[2] / "notebooks" / "pictures"
KINDS = [name for name, member in vars(Plot).items() if inspect.isfunction(member) and not name.startswith("_")]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", [*KINDS, "dashboard", "time-diagram-early-late"])
def test_each_kind_has_a_picture(name, theme):
    png = (PICTURES / f"{name}-{theme}.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
    assert width > 300
    assert height > 180


def test_the_pictures_are_small():
    sizes = {path.name: path.stat().st_size for path in PICTURES.iterdir()}
    assert {name for name in sizes if not name.endswith(("-light.png", "-dark.png"))} == set()
    assert max(sizes.values()) < 100_000
    assert sum(sizes.values()) < 2_000_000
