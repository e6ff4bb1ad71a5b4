"""``%load_ext flower``: the magics, their completion, and how streams look in a notebook."""

from __future__ import annotations

from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from flower.api.stream import Stream
from flower.notebook import live
from flower.notebook.completion import FlowMatcher
from flower.notebook.magics import FlowMagics
from flower.notebook.preview import stream_html

_loaded: dict[int, tuple[FlowMagics, FlowMatcher]] = {}


def load_ipython_extension(ip: InteractiveShell) -> None:
    """Add to a shell ``%%flow``, ``%flow``, what completes them, and the displays."""
    unload_ipython_extension(ip)
    magics, matcher = FlowMagics(ip), FlowMatcher(ip.user_ns)
    ip.register_magics(magics)
    ip.Completer.custom_matchers.append(matcher)
    _html(ip).for_type(Stream, stream_html)
    live.install(ip)
    _loaded[id(ip)] = magics, matcher


def unload_ipython_extension(ip: InteractiveShell) -> None:
    """Take it all away again, and stop the runs that magics started."""
    if id(ip) not in _loaded:
        return
    magics, matcher = _loaded.pop(id(ip))
    live.uninstall(ip)
    magics.forget()
    ip.magics_manager.magics["line"].pop("flow", None)
    ip.magics_manager.magics["cell"].pop("flow", None)
    ip.Completer.custom_matchers.remove(matcher)
    _html(ip).pop(Stream, None)


def _html(ip: InteractiveShell) -> Any:
    assert ip.display_formatter is not None
    return ip.display_formatter.formatters["text/html"]
