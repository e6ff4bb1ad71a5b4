"""binder/ installs what the tests ran with; `make binder` builds it."""

import os
import re
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[1]
BINDER = REPOSITORY / "binder"


def dependencies():
    return yaml.safe_load((BINDER / "environment.yml").read_text())["dependencies"]


def test_python_is_pinned_to_what_the_constraints_are_for():
    first = (REPOSITORY / ".ci/constraints.txt").read_text().splitlines()[0]
    assert f"python={re.search(r'Python (3[.][0-9]+)', first)[1]}" in dependencies()


def test_pins_are_those_of_the_constraints():
    constraints = dict(
        line.split("==") for line in (REPOSITORY / ".ci/constraints.txt").read_text().splitlines() if "==" in line
    )
    (pip,) = (each["pip"] for each in dependencies() if isinstance(each, dict))
    pins = dict(each.split("==") for each in pip if "==" in each)
    assert len(pins) > 5
    assert {name: constraints[name] for name in pins} == pins


def test_scripts_can_be_run_and_start_hands_over():
    for name in ("postBuild", "start"):
        assert os.access(BINDER / name, os.X_OK)
        assert (BINDER / name).read_text().startswith("#!/bin/bash\n")
    assert (BINDER / "start").read_text().rstrip().splitlines()[-1] == 'exec "$@"'


def test_flower_is_installed_with_the_notebook_and_the_constraints():
    text = (BINDER / "postBuild").read_text()
    assert "--constraint .ci/constraints.txt" in text
    assert '".[notebook,dask]"' in text
