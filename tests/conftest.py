"""Profiles of the property tests, and the Dask cluster that tests share.

Property tests have the same examples every time by default, new ones under ``make fuzz`` and ``make chaos``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import Phase, settings

settings.register_profile("default", derandomize=True, deadline=None)
settings.register_profile("fuzz", max_examples=2000, deadline=None, print_blob=True)
settings.register_profile("chaos", max_examples=500, deadline=None, print_blob=True)
# Whether a mutant fails is all that is asked: its smallest failing example would take minutes to find.
settings.register_profile("mutants", derandomize=True, deadline=None, phases=[Phase.explicit, Phase.generate])
settings.load_profile("default")


def pytest_addoption(parser: pytest.Parser) -> None:
    """What ``make chaos`` says."""
    parser.addoption("--first-seed", type=int, default=0, help="the first seed of what is killed at random instants")
    parser.addoption("--seeds", type=int, default=3, help="how many there are, one after another")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes a ``chaos_seed`` is run with each of them; its name tells which."""
    if "chaos_seed" in metafunc.fixturenames:
        first, count = (metafunc.config.getoption(name) for name in ("--first-seed", "--seeds"))
        metafunc.parametrize("chaos_seed", range(first, first + count))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """Two worker processes of one thread each. Tests that kill workers start their own."""
    import distributed

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def client(cluster: Any) -> Iterator[Any]:
    """A client of the shared cluster."""
    import distributed

    with distributed.Client(cluster, set_as_default=False) as client:
        yield client


@pytest.fixture(params=["embedded", pytest.param("dask", marks=pytest.mark.slow)])
def executor(request: pytest.FixtureRequest) -> Any:
    """What ``run`` takes for this process, and for the shared cluster."""
    return request.getfixturevalue("client") if request.param == "dask" else request.param
