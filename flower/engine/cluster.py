"""The Dask cluster of a run: started or found, checked before the run, and watched while it lasts."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import dask
from distributed import Client, LocalCluster

from flower.engine import dask_tasks
from flower.engine.dask_tasks import Home
from flower.errors import GraphError, RunError

GONE_SECONDS = 10.0
"""How long a scheduler may be out of reach, or a cluster be without workers, before the run fails."""

PACKAGES = ("flower-streams", "pandas", "pyarrow")


class Cluster:
    """A client, and what was started for it.

    Parameters
    ----------
    executor : str or distributed.Client
        ``"dask"``: worker processes of this machine, one a core, which end with it; else an address or a client.

    Raises
    ------
    RunError
        If there is no scheduler at the address, or a worker cannot run this Flower's jobs.
    """

    def __init__(self, executor: str | Client) -> None:
        self._started: LocalCluster | None = None
        self._own_client = isinstance(executor, str)
        self._made: str | None = None
        self._lost_at: float | None = None
        self._workers: dict[str, dict[str, Any]] = {}
        self._asked_at = 0.0
        if executor == "dask":
            self._started = _local()
            self.client = Client(self._started, set_as_default=False)
        elif isinstance(executor, str):
            try:
                self.client = Client(executor, timeout="10s", set_as_default=False)
            except (OSError, ValueError) as error:
                raise RunError(
                    f"a Dask scheduler must answer at {executor!r}",
                    got=str(error) or type(error).__name__,
                    hint="start one with `dask scheduler` and `dask worker`, or use executor='dask'",
                ) from error
        else:
            self.client = executor
            if self.client.asynchronous:
                raise GraphError(
                    "the Client must be a synchronous one",
                    got="Client(asynchronous=True)",
                    hint="make it without asynchronous=True",
                )
        try:
            self.check()
        except BaseException:
            self.close()
            raise

    def workers(self) -> dict[str, dict[str, Any]]:
        """The workers by address, as the scheduler told a moment ago: asking is a round trip."""
        now = time.monotonic()
        if not self._workers or now - self._asked_at > 2.0:
            self._asked_at = now
            self._workers = dict(self.client.scheduler_info(n_workers=-1).get("workers", {}))
        return self._workers

    def threads(self) -> int:
        """How many tasks can run at once."""
        return sum(worker["nthreads"] for worker in self.workers().values())

    def memory(self) -> int:
        """Bytes that all workers together may use; 0: one of them does not know."""
        limits = [int(worker["memory_limit"] or 0) for worker in self.workers().values()]
        return sum(limits) if all(limits) else 0

    def check(self) -> None:
        """Wait for a worker, and see that all have what a job needs."""
        if self.client.status != "running":
            got = f"one that is {self.client.status}"
            raise RunError("the Client must be connected", got=got, hint="make a new one")
        if not self.workers():
            try:
                self.client.wait_for_workers(1, timeout=GONE_SECONDS)
            except TimeoutError as error:
                raise RunError(
                    "a cluster with a worker is required",
                    got=f"none within {GONE_SECONDS:.0f} s",
                    hint="start workers with `dask worker`, or scale the cluster up",
                ) from error
        ours = _asked()()
        for worker, theirs in self.client.run(_asked(), on_error="return").items():
            if isinstance(theirs, BaseException):
                raise RunError(f"worker {worker} must answer", got=f"{type(theirs).__name__}: {theirs}") from theirs
            if different := _different(ours, theirs):
                wanted = ", ".join(f"{name} {ours[name]}" for name in different)
                raise RunError(
                    f"worker {worker} must have what this process has: {wanted}",
                    got=", ".join(f"{name} {theirs[name] or 'missing'}" for name in different),
                    hint="install the same versions there and start the worker again",
                )

    def scratch(self, given: str | None, name: str) -> str:
        """A directory for the run's state that all workers reach.

        Raises
        ------
        GraphError
            If workers are on other machines and none was given.
        """
        if given is not None:
            path = os.path.abspath(os.path.join(given, name))  # workers may be in another directory
            os.makedirs(path, exist_ok=True)
            self._made = path
            return path
        here = {"127.0.0.1", "::1", "localhost", socket.gethostname(), ""}
        away = {host for address in self.workers() if (host := urlsplit(address).hostname or "") not in here}
        own = {worker["host"] for address, worker in self.workers().items() if urlsplit(address).hostname in away}
        if own - _addresses():
            raise GraphError(
                "a keyed step on workers of other machines needs `scratch`",
                got=f"workers on {', '.join(sorted(own)[:3])}",
                hint="give run(scratch=...) a directory that all workers reach",
            )
        self._made = tempfile.mkdtemp(prefix="flower-")
        return self._made

    def reach(self, home: Home, job: str) -> None:
        """See that every worker finds the job's checkpoint and may write there.

        Raises
        ------
        RunError
            If one does not; names it.
        """
        for worker, told in self.client.run(dask_tasks.reaches, home, job, on_error="return").items():
            if told is not None:
                raise RunError(
                    f"the checkpoint {home.address!r} must be within reach of every worker; it is not of {worker}",
                    got=str(told),
                    hint="give a directory that all machines share, or an address that fsspec reaches from each",
                )

    def watch(self) -> None:
        """See that the cluster is there.

        Raises
        ------
        RunError
            If its scheduler does not answer, or it has no workers, for a while.
        """
        told = None
        if self.client.status in ("closed", "closing"):
            raise RunError("the Dask cluster must last as long as the run", got="a client that was closed", hint=AGAIN)
        if self.client.status != "running":
            told = "a scheduler that does not answer"
        elif not self.workers():
            told = "a cluster without workers"
        if told is None:
            self._lost_at = None
            return
        self._lost_at = self._lost_at or time.monotonic()
        if time.monotonic() - self._lost_at > GONE_SECONDS:
            raise RunError(
                "the Dask cluster must last as long as the run", got=f"{told} for {GONE_SECONDS:.0f} s", hint=AGAIN
            )

    def close(self) -> None:
        """Let go of what was started for the run."""
        if self._own_client:
            self.client.close(timeout=2)
        if self._started is not None:
            self._started.close(timeout=10)
        if self._made is not None:
            shutil.rmtree(self._made, ignore_errors=True)


AGAIN = "look at the cluster's logs, and run again"


def _local() -> LocalCluster:
    # A worker that hangs is given up after a minute; Dask's own five are long for somebody who waits.
    with dask.config.set({"distributed.scheduler.worker-ttl": "60s"}):
        return LocalCluster(
            n_workers=max(2, os.cpu_count() or 1),
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address=None,
        )


def _addresses() -> set[str]:
    """The addresses of this machine."""
    try:
        return {str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None)}
    except OSError:
        return set()


def _asked() -> Callable[[], dict[str, str | None]]:
    """What workers are asked; a function inside a function travels by value, so a worker without Flower can answer."""
    names = PACKAGES

    def told() -> dict[str, str | None]:
        import platform
        from importlib import metadata

        found: dict[str, str | None] = {"python": platform.python_version().rpartition(".")[0]}
        for name in names:
            try:
                found[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                found[name] = None
        return found

    return told


def _different(ours: dict[str, str | None], theirs: dict[str, str | None]) -> list[str]:
    return [name for name in ours if ours[name] != theirs[name]]
