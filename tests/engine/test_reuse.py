"""Memory that is freed is there for the next epoch."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
from flower.engine.reuse import keep_freed_blocks

if {keep}:
    keep_freed_blocks()
# Blocks that are too small for huge pages, so that every page is counted.
for _ in range(100):
    np.ones(400_000, np.int64)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    blocks = [np.ones(400_000, np.int64) for _ in range(5)]
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.parametrize("keep", [True, False])
def test_pages_of_an_epoch_before_are_not_asked_for_again(keep: bool) -> None:
    # Dask sets these for its workers, which then keep nothing.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    program = [sys.executable, "-c", PROGRAM.format(keep=keep)]
    told = subprocess.run(program, check=True, capture_output=True, text=True, env=environment)
    pages = 100 * 5 * 400_000 * 8 // 4096
    given_back = not keep or platform.libc_ver()[0] != "glibc"
    assert (int(told.stdout) > pages // 10) == given_back
