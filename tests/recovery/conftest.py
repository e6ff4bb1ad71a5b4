"""Checkpoints after a few epochs, and live sources that are only a little ahead: so that faults meet them often."""

from collections.abc import Iterator

import pytest

from flower.engine import recovery
from flower.io import live


@pytest.fixture(autouse=True, scope="session")
def often() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recovery, "EPOCHS", 3)
        patch.setattr(recovery, "SECONDS", float("inf"))
        patch.setattr(recovery, "SHARE", 1e9)
        patch.setattr(live, "BUFFER_ROWS", 40)
        yield
