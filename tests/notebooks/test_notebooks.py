"""The notebooks of the repository run from top to bottom, in an empty directory, and are stored without outputs."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

EXPORTED = {"01_first_stream": ("patient", "first_stream.py"), "02_on_a_cluster": ("delays", "delays.py")}
"""The stream of each notebook that leaves as a script, and the script."""

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def test_there_is_a_first_notebook():
    assert "01_first_stream.ipynb" in [path.name for path in NOTEBOOKS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path):
    for cell in nbformat.read(path, 4).cells:
        assert cell.get("outputs", []) == [] and cell.get("execution_count") is None
        assert cell.metadata == {}


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    # The kernel is this interpreter, whichever kernels are installed; its files are its own.
    kernels = tmp_path / "jupyter" / "kernels" / "python3"
    kernels.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Python 3", "language": "python"}
    (kernels / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    notebook = nbformat.read(path, 4)
    stream, script = EXPORTED[path.stem]
    notebook.cells.append(nbformat.v4.new_code_cell(f"{stream}.run().wait().results.to_parquet('expected.parquet')"))
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}})
    client.execute()
    assert not [
        output for cell in notebook.cells for output in cell.get("outputs", []) if output.output_type == "error"
    ]
    # In plain Python, as where the notebook extra is not installed.
    without = "import runpy, sys; sys.modules.update(dict.fromkeys(['IPython', 'ipywidgets', 'anywidget', 'bokeh']))"
    command = f"{without}; sys.argv[1:] = ['--output', 'rows']; runpy.run_path({script!r}, run_name='__main__')"
    subprocess.run([sys.executable, "-c", command], cwd=tmp_path, check=True, timeout=120)
    columns = ["carrier", "window_end", "flights", "mean_delay"]
    rows, expected = (pd.read_parquet(tmp_path / name)[columns] for name in ("rows", "expected.parquet"))
    rows = rows.drop_duplicates(["carrier", "window_end"], keep="last")
    pd.testing.assert_frame_equal(*(each.sort_values(columns[:2], ignore_index=True) for each in (rows, expected)))
