"""Break each rule of the model once, in a copy of the tree, and see whether the tests notice: ``make mutants``.

Prints a line a mutant and the score; fails if one survives, or if a mutant no longer fits the code. Names select:
``python tests/mutants retract`` runs those whose rule has the word.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

sys.path.insert(0, str(Path(__file__).parent))
from rules import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
JOBS = min(2, os.cpu_count() or 1)


def copied(into: str) -> Path:
    """The tracked files of the tree."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "flower", "tests", "pyproject.toml"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists():
            target = Path(into) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
    return Path(into)


def tested(tree: Path, tests: tuple[str, ...]) -> int:
    """The exit code of pytest on some tests."""
    pytest = [sys.executable, "-m", "pytest", "--hypothesis-profile=mutants", "-x", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*pytest, "-k", "not dask", *tests],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    return done.returncode


def outcome(tree: Path, mutant: Mutant) -> str:
    """``killed``, or what is wrong."""
    path = tree / mutant.file
    whole = path.read_text()
    if whole.count(mutant.old) != 1:
        return f"does not fit: its text is {whole.count(mutant.old)} times in {mutant.file}"
    path.write_text(whole.replace(mutant.old, mutant.new))
    try:
        code = tested(tree, mutant.tests)
    finally:
        path.write_text(whole)
    return {0: "SURVIVED", 1: "killed"}.get(code, f"pytest ended with {code}")


def main() -> int:
    """Run them."""
    chosen = [m for m in MUTANTS if all(word in m.rule for word in sys.argv[1:])]
    with tempfile.TemporaryDirectory() as base, ThreadPoolExecutor(JOBS) as pool:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(JOBS):
            trees.put(copied(os.path.join(base, str(number))))

        def run(mutant: Mutant) -> str:
            tree = trees.get()
            try:
                return outcome(tree, mutant)
            finally:
                trees.put(tree)

        killed = 0
        for mutant, result in zip(chosen, pool.map(run, chosen), strict=True):
            killed += result == "killed"
            print(f"{result:10} {mutant.rule}", flush=True)
    print(f"{killed} of {len(chosen)} mutants killed")
    return 0 if killed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
