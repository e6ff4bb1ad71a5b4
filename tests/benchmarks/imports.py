"""What `import flower` costs beyond pandas, on which it stands."""

from __future__ import annotations

from harness import measure


def import_flower() -> str:
    """All that a first line of a notebook waits for."""
    with measure():
        import flower  # noqa: F401
    return ""


def import_pandas() -> str:
    """What one has imported anyway."""
    with measure():
        import pandas  # noqa: F401
    return ""
