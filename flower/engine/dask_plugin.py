"""How jobs come to workers: as a plugin, which every worker gets when it starts, also those that come later."""

from __future__ import annotations

from typing import Any

from distributed import WorkerPlugin

from flower.engine import dask_tasks
from flower.engine.travel import unpacked_job


class JobPlugin(WorkerPlugin):
    """Brings one job."""

    def __init__(self, job: str, blob: bytes, home: str | None) -> None:
        self.name = f"flower-{job}"
        self._job, self._blob, self._home = job, blob, home

    def setup(self, worker: Any) -> None:
        """Make the job known."""
        dask_tasks.jobs[self._job] = unpacked_job(self._blob)

    def teardown(self, worker: Any) -> None:
        """Forget the job and its states."""
        dask_tasks.forget_job(self._job, self._home)


def register_sizes() -> None:
    """Tell Dask how large results are: it would take a state of ours for a few bytes."""
    from dask.sizeof import sizeof

    from flower.engine.aligned import AlignedState
    from flower.engine.sessions import SessionState
    from flower.io.ingest import Ingested

    sizeof.register((dask_tasks.Done, AlignedState, SessionState))(lambda value: 64 + value.nbytes)
    sizeof.register(Ingested)(lambda rows: 64 + rows.batch.rows.nbytes + 16 * len(rows.batch))


register_sizes()
