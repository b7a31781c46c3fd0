"""``auricle doctor``: one line for each check, advice below it, and the exit code."""

from collections.abc import Callable

import pytest
from typer.testing import Result

from auricle.cli.doctor import checks, command
from auricle.cli.support.finding import Finding, Level
from auricle.config.settings import Settings
from auricle.server.api_spec import ApiSpec, MountedApi
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit

Run = Callable[..., Result]


def check_that_finds(finding: Finding) -> Callable[[Settings], Finding]:
    return lambda settings: finding


@pytest.mark.parametrize(
    ("level", "exit_code"), [(Level.OK, 0), (Level.WARNING, 0), (Level.WRONG, 1)]
)
def test_only_errors_change_the_exit_code(
    auricle: Run, monkeypatch: pytest.MonkeyPatch, level: Level, exit_code: int
) -> None:
    finding = Finding("disk", level, "a text", "an advice")
    monkeypatch.setattr(checks, "CHECKS", [check_that_finds(finding)])
    monkeypatch.setattr(command, "find_parts", tuple)
    result = auricle("doctor")
    assert result.exit_code == exit_code
    first, second = result.stdout.splitlines()
    assert first.split() == [level.value, "disk", "a", "text"]
    assert second.strip() == "→ an advice"


def test_checks_of_apis_are_lines_too(auricle: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise SetupError("Its token is wrong.")

    def mount(server: object) -> MountedApi:
        return MountedApi()

    api = ApiSpec(
        name="home", title="Home", page="", mount=mount, checks=lambda settings: (lambda: "5", fail)
    )
    monkeypatch.setattr(checks, "CHECKS", [])
    monkeypatch.setattr(checks, "find_apis", lambda: (api,))
    monkeypatch.setattr(command, "find_parts", tuple)
    result = auricle("doctor")
    assert result.exit_code == 0
    found, failed, advice = result.stdout.splitlines()
    assert found.split() == ["ok", "home", "5"]
    assert failed.split()[:2] == ["warning", "home"]
    assert advice.strip() == "→ Its token is wrong."


def test_the_gpu_is_checked_on_request_only(auricle: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "CHECKS", [])
    monkeypatch.setattr(checks, "check_gpu", check_that_finds(Finding("gpu", Level.OK, "found")))
    assert "gpu" not in auricle("doctor").stdout
    assert "gpu" in auricle("doctor", "--gpu").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--client", "n8n"],
        ["http://127.0.0.1:6007"],
        ["--client", "n8n", "--model", "tiny", "http://127.0.0.1:6007"],
    ],
)
def test_a_client_needs_a_url(auricle: Run, arguments: list[str]) -> None:
    result = auricle("doctor", *arguments)
    assert result.exit_code == 2
    assert "--client requires a URL" in result.stderr
