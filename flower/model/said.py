"""How windows and triggers show the expressions that they were given."""

from __future__ import annotations

from pandas.api.typing import Expression


def said(value: object) -> str:
    """Source of what a person gave as an expression; a function's name.

    Examples
    --------
    >>> said("total > 100")
    "'total > 100'"
    """
    if isinstance(value, Expression):
        return repr(value)
    if not isinstance(value, str) and hasattr(value, "children"):
        value = str(value)
    return repr(value) if isinstance(value, str) or not hasattr(value, "name") else str(value.name)
