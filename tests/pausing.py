"""Runs that wait before their first epoch, so that a test says how many they do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flower.engine import run as engine_run


class _Paused(engine_run.Run):
    def _work(self) -> None:
        self._state = "paused"
        super()._work()


def paused(stream: Any, path: Any, epoch_rows: int = 6, **options: Any) -> Any:
    """A run that waits before its first epoch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_run, "Run", _Paused)
        return stream.run(checkpoint=path, epoch_rows=epoch_rows, **options).pause()


def some_epochs(stream: Any, path: Path, n: int = 3, **options: Any) -> Any:
    """A run that is stopped after ``n`` epochs."""
    return paused(stream, path, **options).step(n).stop()
