"""Memory that one epoch gives back and the next one asks for again."""

from __future__ import annotations

import numpy as np

KEPT_BYTES = 2**25 - 2**16
"""The largest block that the GNU C library can be told to keep, less what it adds."""


def keep_freed_blocks() -> None:
    """Have the process keep the blocks that it frees, up to 32 MB each and 64 MB at the end of a heap.

    An epoch's columns are of megabytes and live for milliseconds. The GNU C library gives such blocks back to the
    system, which must clear every page when it hands them out again: a third of the CPU time of a windowed join of ten
    million rows. It keeps blocks as large as the largest that it has seen freed (mallopt(3), M_MMAP_THRESHOLD), so one
    is taken and freed that nobody writes to, and that costs nothing. Elsewhere, and where the environment has a
    threshold (Dask sets one for its workers), this does nothing.
    """
    np.empty(KEPT_BYTES, np.uint8)
