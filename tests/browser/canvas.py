"""What is painted of a chart: the pixels of its canvas around a point of its data."""

from __future__ import annotations

from typing import Any

import numpy as np
from playwright.sync_api import Page

AROUND = 20
MIDDLE = slice(AROUND - 2, AROUND + 3), slice(AROUND - 2, AROUND + 3)

# What is painted around a point of the data, and where that is in the page; on white, one canvas over the other.
# Nothing while the figure has no place yet: a new one takes over before it is laid out and painted.
PAINTED = """([x, y]) => {
    const doc = Bokeh.documents.at(-1)
    const view = Bokeh.index.roots.find(({model}) => model === doc?.roots()[0])
    if (!view || !doc.is_idle) return null
    const at = [view.frame.x_scale.compute(x), view.frame.y_scale.compute(y)]
    const box = view.canvas_view.el.getBoundingClientRect()
    if (!at.every(Number.isFinite) || !box.width) return null
    const canvases = view.canvas_view.el.shadowRoot.querySelectorAll("canvas")
    const paper = document.createElement("canvas")
    paper.width = canvases[0].width
    paper.height = canvases[0].height
    const brush = paper.getContext("2d", {willReadFrequently: true})
    brush.fillStyle = "#fff"
    brush.fillRect(0, 0, paper.width, paper.height)
    for (const canvas of canvases) if (canvas.width) brush.drawImage(canvas, 0, 0)
    const ratio = paper.width / box.width
    const [left, top] = at.map(each => Math.round(each * ratio) - AROUND)
    const {data} = brush.getImageData(left, top, 2 * AROUND + 1, 2 * AROUND + 1)
    return {pixels: [...data], page: [box.left + at[0], box.top + at[1]]}
}""".replace("AROUND", str(AROUND))


def painted(page: Page, x: float, y: float) -> dict[str, Any]:
    """The pixels around a point of the data, each the strength of its ink and its brightest channel."""
    seen = page.wait_for_function(PAINTED, arg=[x, y]).json_value()
    pixels = np.array(seen["pixels"]).reshape(2 * AROUND + 1, -1, 4)[..., :3]
    return {"ink": 255 - pixels.min(axis=2), "light": pixels.max(axis=2), "page": seen["page"]}
