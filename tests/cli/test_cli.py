"""The whole command: help, version and errors."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer.core
import typer.main

import auricle as package
from auricle.cli import app
from auricle.cli.support.console import errors, results
from tests.cli.conftest import Run

pytestmark = pytest.mark.unit

COMMANDS = (
    "serve",
    "transcribe",
    "live",
    "jobs",
    "transcripts",
    "models",
    "doctor",
    "settings",
    "keys",
)


def test_the_version_is_the_packages(auricle: Run) -> None:
    result = auricle("--version")
    assert result.exit_code == 0
    assert result.stdout == f"auricle {package.__version__}\n"


def test_help_names_every_command(auricle: Run) -> None:
    result = auricle("--help")
    assert result.exit_code == 0
    assert all(command in result.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(auricle: Run, command: str) -> None:
    result = auricle(command, "--help")
    assert result.exit_code == 0
    assert "Usage: auricle" in result.stdout


def commands(group: typer.core.TyperGroup, *names: str) -> Iterator[tuple[str, ...]]:
    """Yield the names of the commands."""
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            yield from commands(command, *names, name)
        else:
            yield (*names, name)


def test_no_help_loses_words_in_brackets_to_markup(auricle: Run) -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    listed = list(commands(group))
    assert ("cluster", "up") in listed
    seen: set[str] = set()
    for names in listed:
        command: Any = group
        for name in names:
            command = command.commands[name]
        source = inspect.getdoc(inspect.unwrap(command.callback)) or ""
        words = set(re.findall(r"\S*\[[^]]*\]\S*", re.sub(r"\[(bold|/)\]", "", source)))
        output = auricle(*names, "--help").stdout
        assert all(word in output for word in words), (names, words)
        seen |= words
    assert seen  # or this tries nothing


def test_messages_keep_words_in_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    results.print("a file in /tmp/[bold]/x")
    errors.print("a file in /tmp/[red]/x", style="yellow")
    output = capsys.readouterr()
    assert "/tmp/[bold]/x" in output.out
    assert "/tmp/[red]/x" in output.err


def test_a_setting_that_cant_be_is_one_line_without_a_traceback(
    auricle: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURICLE_PORT", "http")
    result = auricle("doctor")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("auricle: Invalid settings: AURICLE_PORT: ")
    assert result.stderr.count("\n") == 1


def test_a_command_that_is_not_there_is_refused(auricle: Run) -> None:
    assert auricle("listen").exit_code == 2
