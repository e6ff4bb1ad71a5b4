"""Texts of a stream in HTML."""

from __future__ import annotations

import html
import re

import pandas as pd


def text_html(text: str) -> str:
    """``text`` as HTML that shows just that: no tags, and no formulas, which notebooks make of dollars and backslashes.

    Examples
    --------
    >>> text_html("<b> & $x$")
    '&lt;b&gt; &amp; <span>$</span>x<span>$</span>'
    """
    return without_formulas(html.escape(text))


def without_formulas(markup: str) -> str:
    """HTML whose attributes have no dollars and backslashes, so that its texts make no formulas.

    Examples
    --------
    >>> without_formulas("<td>$x$</td>")
    '<td><span>$</span>x<span>$</span></td>'
    """
    # A formula's delimiter is found within one element only.
    return re.sub(r"[$\\]", lambda found: f"<span>{found[0]}</span>", markup)


def frame_html(frame: pd.DataFrame) -> str:
    """A frame as a table, its texts as text.

    Examples
    --------
    >>> "<td>&lt;b&gt;</td>" in frame_html(pd.DataFrame({"run": ["<b>"]}))
    True
    """
    return without_formulas(frame.to_html(index=False, border=0))
