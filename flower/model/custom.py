"""Windows of a person's own: a class that places rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd


class WindowFn(ABC):
    """Windows of your own: subclass it, and say in `assign` where rows go.

    One with parameters must be a frozen dataclass: equal ones are one, and its fields tell it in scripts.

    Notes
    -----
    ``merging = True``: windows of one key that overlap become one, as sessions do; with ``merge_touching = True`` also
    those that only touch. ``columns`` names the columns of the rows that `assign` looks at.

    Examples
    --------
    >>> import flower as fl, numpy as np, pandas as pd
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Shifts(fl.WindowFn):
    ...     hours: int = 8
    ...     def assign(self, time, rows):
    ...         length = np.timedelta64(self.hours, "h")
    ...         start = time - (time - np.datetime64("2000-01-01T06")) % length
    ...         return None, start, start + length
    >>> frame = pd.DataFrame({"t": pd.to_datetime(["2000-01-01 07:10", "2000-01-01 15:00"], utc=True), "v": [1, 2]})
    >>> shifts = fl.read.frame(frame, event_time="t").window(Shifts()).agg(total=("v", "sum"))
    >>> shifts.collect()[["window_start", "total"]]
                   window_start  total
    0 2000-01-01 06:00:00+00:00      1
    1 2000-01-01 14:00:00+00:00      2
    """

    merging: ClassVar[bool] = False
    merge_touching: ClassVar[bool] = False
    columns: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def assign(self, time: npt.NDArray[np.datetime64], rows: pd.DataFrame) -> tuple[Any, Any, Any]:
        """Place rows in windows: one call for many rows, and for any part of them the same answer.

        Parameters
        ----------
        time : ndarray of datetime64[us]
            Event time of each row, in UTC.
        rows : pandas.DataFrame
            The ``columns`` of the rows, with the index 0, 1, 2...

        Returns
        -------
        row : ndarray of int or None
            Which row each window is for: none, one or several for each. None: one each, in order.
        start, end : ndarray of int64 or datetime64
            The windows ``[start, end)``, as microseconds since 1970 UTC or as instants in UTC.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
