"""What may lie where in the repository."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOP = {
    "pyproject.toml",
    "flower",
    "notebooks",
    "extension",
    "tests",
    "binder",
    "README.md",
    "LICENSE",
    "Makefile",
    "CHANGELOG.md",
}


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def test_the_top_level_holds_only_what_it_may():
    top = {name.split("/")[0] for name in tracked()}
    assert "pyproject.toml" in top
    assert {name for name in top if not name.startswith(".")} - TOP == set()


def test_no_tracked_file_names_a_machine_path():
    # Written in parts, so that this file does not find itself.
    machine = re.compile("/(" + "|".join(["work", "root", "home"]) + r")/\w")
    for name in tracked():
        if name.endswith((".parquet", ".png", ".json")):
            continue
        assert not machine.search((ROOT / name).read_text()), name


def test_pins_are_plain_names_and_versions():
    for name in (".ci/constraints.txt", ".ci/lowest.txt"):
        lines = (ROOT / name).read_text().splitlines()
        pins = [line for line in lines if not line.startswith("#")]
        assert pins
        for pin in pins:
            assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin), pin


def test_no_test_is_skipped():
    skip = re.compile(r"pytest\.(skip|importorskip)|mark\.skip" + "(if)?")
    for path in sorted((ROOT / "tests").rglob("*.py")):
        if path != Path(__file__):
            assert not skip.search(path.read_text()), path
