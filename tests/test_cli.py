"""The command line."""

import sys
from types import SimpleNamespace

import pytest

from flower import cli
from flower.cli import main


def test_the_demo_prints_its_results_and_writes_its_charts(tmp_path, capsys):
    page = tmp_path / "demo.html"
    assert main(["demo", "--fast", "--page", str(page)]) == 0
    printed = capsys.readouterr().out
    assert "4,604" in printed
    assert "ten worst windows" in printed
    assert "08 Mar" in printed
    assert str(page) in printed
    assert "Mean delay in minutes" in page.read_text()


def test_a_command_that_does_not_exist_is_refused_with_those_that_do(capsys):
    with pytest.raises(SystemExit):
        main(["dmeo"])
    assert "demo" in capsys.readouterr().err


@pytest.fixture
def started(monkeypatch):
    """What would have been started."""
    commands = []
    monkeypatch.setattr(
        cli.subprocess, "run", lambda command: commands.append(command) or SimpleNamespace(returncode=0)
    )
    return commands


def test_lab_opens_the_first_notebook_for_this_machine_only(tmp_path, monkeypatch, started):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "01_first_stream.ipynb").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert main(["lab"]) == 0
    (command,) = started
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert "--ServerApp.ip=127.0.0.1" in command
    assert f"--ServerApp.root_dir={tmp_path / 'notebooks'}" in command
    assert "--LabApp.default_url=/lab/tree/01_first_stream.ipynb" in command


def test_lab_opens_any_directory(tmp_path, monkeypatch, started):
    monkeypatch.chdir(tmp_path)
    assert main(["lab"]) == 0
    assert f"--ServerApp.root_dir={tmp_path}" in started[0]
    assert not any("default_url" in each for each in started[0])


def test_lab_without_its_directory_or_without_jupyterlab_says_so(tmp_path, monkeypatch, started, capsys):
    assert main(["lab", str(tmp_path / "nope")]) == 1
    assert "there is no directory" in capsys.readouterr().err
    monkeypatch.setattr(cli.importlib.util, "find_spec", lambda name: None)
    assert main(["lab"]) == 1
    assert "pip install 'flower-streams[notebook]'" in capsys.readouterr().err
    assert started == []
