"""Texts of a stream in HTML."""

from __future__ import annotations

import html
import re


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
