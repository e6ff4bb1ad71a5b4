"""An environment for each peer, made when it is first measured, with the versions of ``peers.toml``."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

from flower.errors import FlowerError

PINNED = Path(__file__).parent / "peers.toml"


class NotInstalled(FlowerError, RuntimeError):
    """The environment of a peer cannot be made here."""


@cache
def pinned() -> dict[str, list[str]]:
    """What each environment has."""
    return tomllib.loads(PINNED.read_text())


def python(environment: str | None, cache: Path) -> Path:
    """The interpreter of an environment, made if it is not there; without a name, this one's.

    Raises
    ------
    NotInstalled
        If it cannot be made, with the last that pip said.
    """
    if environment is None:
        return Path(sys.executable)
    packages = pinned()[environment]
    versions = hashlib.sha256("\n".join(packages).encode()).hexdigest()[:8]
    directory = cache / "environments" / f"{environment}-{versions}"
    interpreter = directory / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    done = directory / "installed"
    if done.exists():
        return interpreter
    shutil.rmtree(directory, ignore_errors=True)
    directory.parent.mkdir(parents=True, exist_ok=True)
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", *packages]
    for command in ([sys.executable, "-m", "venv", str(directory)], [str(interpreter), *pip]):
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode:
            said = [line for line in made.stderr.splitlines() if line.strip()] or ["nothing was said"]
            raise NotInstalled(
                f"the environment of {environment!r} cannot be made with {', '.join(packages)}", got=said[-1][:200]
            )
    done.touch()
    return interpreter
