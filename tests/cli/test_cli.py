"""The command as a whole: help, version, and how errors look."""

import pytest

import auricle as package
from tests.cli.conftest import Run

pytestmark = pytest.mark.unit

COMMANDS = ("serve", "transcribe", "live", "models", "doctor", "settings", "keys")


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


def test_a_setting_that_cant_be_is_one_line_without_a_traceback(
    auricle: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURICLE_PORT", "http")
    result = auricle("doctor")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("auricle: Settings can't be used: AURICLE_PORT: ")
    assert result.stderr.count("\n") == 1


def test_a_command_that_is_not_there_is_refused(auricle: Run) -> None:
    assert auricle("listen").exit_code == 2
