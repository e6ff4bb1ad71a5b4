"""The notebooks of the repository run from top to bottom, in an empty directory, and are stored without outputs.

What they export is run too: in this environment, and in fresh ones without the notebook extra (``make scripts``).
"""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

EXPORTED = {
    "01_first_stream": ("patient", "first_stream.py"),
    "02_on_a_cluster": ("delays", "delays.py"),
    "03_time": ("answered", "answered.py"),
}
"""The stream of each notebook that leaves as a script, and the script."""

REPOSITORY = Path(__file__).parents[2]
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
WITHOUT = "import runpy, sys; sys.modules.update(dict.fromkeys(['IPython', 'ipywidgets', 'anywidget', 'bokeh']))"
COLUMNS = ["carrier", "window_end", "flights", "mean_delay"]


@dataclass(frozen=True)
class Ran:
    """A notebook that was run: what it left in its folder."""

    notebook: nbformat.NotebookNode
    folder: Path
    script: str

    def gives_the_same(self, output: str) -> None:
        """See that a script's Parquet files have the rows of the notebook."""
        rows, expected = (pd.read_parquet(self.folder / name)[COLUMNS] for name in (output, "expected.parquet"))
        rows = rows.drop_duplicates(COLUMNS[:2], keep="last")  # the last pane of each window, as in the view
        pd.testing.assert_frame_equal(*(each.sort_values(COLUMNS[:2], ignore_index=True) for each in (rows, expected)))


@pytest.fixture(scope="session", params=NOTEBOOKS, ids=lambda path: path.stem)
def ran(request, tmp_path_factory) -> Ran:
    """Each notebook, run once; its files are its own."""
    folder = tmp_path_factory.mktemp("notebook")
    # The kernel is this interpreter, whichever kernels are installed.
    kernels = folder / "jupyter" / "kernels" / "python3"
    kernels.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Python 3", "language": "python"}
    (kernels / "kernel.json").write_text(json.dumps(spec))
    notebook = nbformat.read(request.param, 4)
    stream, script = EXPORTED[request.param.stem]
    notebook.cells.append(nbformat.v4.new_code_cell(f"{stream}.run().wait().results.to_parquet('expected.parquet')"))
    resources = {"metadata": {"path": folder}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder / "jupyter"))
        NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    return Ran(notebook, folder, script)


def test_there_is_a_first_notebook():
    assert "01_first_stream.ipynb" in [path.name for path in NOTEBOOKS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path):
    for cell in nbformat.read(path, 4).cells:
        assert cell.get("outputs", []) == [] and cell.get("execution_count") is None
        assert cell.metadata == {}


@pytest.mark.slow
def test_a_notebook_runs_and_its_script_gives_the_same_rows_here_and_on_a_cluster(ran, cluster):
    outputs = [output for cell in ran.notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    for output, options in ("here", []), ("there", ["--scheduler", cluster.scheduler_address]):
        # In plain Python, as where the notebook extra is not installed.
        arguments = ["--output", output, *options]
        command = f"{WITHOUT}; sys.argv[1:] = {arguments}; runpy.run_path({ran.script!r}, run_name='__main__')"
        subprocess.run([sys.executable, "-c", command], cwd=ran.folder, check=True, timeout=120)
        ran.gives_the_same(output)


# -- in fresh environments


@dataclass(frozen=True)
class Fresh:
    """An environment that has Flower's wheel and what it requires, nothing else."""

    folder: Path

    @property
    def variables(self) -> dict[str, str]:
        """Those of this process, but for what would lead back to it."""
        return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}

    def command(self, *arguments: str) -> list[str]:
        """Python with these arguments."""
        return [str(self.folder / "bin/python"), *arguments]

    def run(self, *arguments: str, cwd: Path) -> str:
        """What Python prints."""
        done = subprocess.run(
            self.command(*arguments), cwd=cwd, env=self.variables, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """The package as it is published."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, REPOSITORY], check=True)
    (made,) = folder.glob("*.whl")
    return made


def fresh(folder: Path, wheel: Path, extra: str) -> Fresh:
    """Make an environment."""
    venv.create(folder, with_pip=True)
    made = Fresh(folder)
    constraints = str(REPOSITORY / ".ci/constraints.txt")
    made.run("-m", "pip", "install", "-q", "--constraint", constraints, f"{wheel}{extra}", cwd=folder)
    return made


@pytest.fixture(scope="session")
def plain(wheel, tmp_path_factory) -> Fresh:
    """Without any extra."""
    return fresh(tmp_path_factory.mktemp("plain"), wheel, "")


@pytest.fixture(scope="session")
def with_dask(wheel, tmp_path_factory) -> Fresh:
    """With the extra for clusters."""
    return fresh(tmp_path_factory.mktemp("dask"), wheel, "[dask]")


@pytest.fixture(scope="session")
def address(with_dask, tmp_path_factory) -> Iterator[str]:
    """Of a scheduler with two workers, as a person starts them in that environment."""
    folder = tmp_path_factory.mktemp("cluster")
    known = folder / "scheduler.json"
    file = f"--scheduler-file={known}"
    scheduler = ["distributed.cli.dask_scheduler", "--host=127.0.0.1", "--port=0", "--no-dashboard", file]
    worker = ["distributed.cli.dask_worker", "--host=127.0.0.1", "--no-dashboard", "--nthreads=1", file]
    with ExitStack() as stack:
        for module, *options in (scheduler, worker, worker):
            process = stack.enter_context(
                subprocess.Popen(with_dask.command("-m", module, *options), cwd=folder, env=with_dask.variables)
            )
            stack.callback(process.terminate)
        found = f"from distributed import Client; print(Client(scheduler_file={str(known)!r}).scheduler.address)"
        yield with_dask.run("-c", found, cwd=folder).strip()


def modules(environment: Fresh) -> set[str]:
    """Which of these it has."""
    names = ["IPython", "anywidget", "bokeh", "distributed", "ipykernel", "ipywidgets", "pandas"]
    code = f"from importlib.util import find_spec; print(*[name for name in {names} if find_spec(name)])"
    return set(environment.run("-c", code, cwd=environment.folder).split())


@pytest.mark.slow
@pytest.mark.fresh
def test_a_script_gives_the_same_rows_in_an_environment_without_extras(ran, plain):
    assert modules(plain) == {"pandas"}
    plain.run(ran.script, "--output", "plain", cwd=ran.folder)
    ran.gives_the_same("plain")


@pytest.mark.slow
@pytest.mark.fresh
def test_a_script_gives_the_same_rows_on_a_cluster_without_the_notebook_extra(ran, with_dask, address):
    assert modules(with_dask) == {"distributed", "pandas"}
    with_dask.run(ran.script, "--output", "fresh", "--scheduler", address, cwd=ran.folder)
    ran.gives_the_same("fresh")
