"""The command line."""

import pytest

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
