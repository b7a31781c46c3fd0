"""The command line without the environment's settings."""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from auricle.cli import app
from auricle.config.section import variable
from auricle.config.settings import fields
from tests.support.job_server_fixtures import recording, server
from tests.support.s3_fixtures import bucket_settings, s3

__all__ = ["bucket_settings", "recording", "s3", "server"]

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, _ in fields():
        monkeypatch.delenv(variable(name), raising=False)


@pytest.fixture
def auricle() -> Run:
    """Run a command in this process; the result has ``exit_code``, ``stdout`` and ``stderr``."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments)

    return run
