"""``auricle serve`` and ``auricle doctor`` with a Home Assistant, or without it."""

from pathlib import Path

import pytest
from anyio import to_thread

from auricle.apis.wyoming.home_assistant import client
from auricle.apis.wyoming.settings import WyomingSettings
from auricle.config.environment import secret_variables
from tests.apis.wyoming.home_assistant.fake import NAMES, TOKEN, home_assistant
from tests.support.command import completed, environment, serving, until

pytestmark = pytest.mark.process


def settings(url: str, token: str = TOKEN) -> dict[str, object]:
    return {
        "wyoming": 1,
        "wyoming_port": 0,
        "wyoming_home_assistant_url": url,
        "wyoming_home_assistant_token": token,
    }


@pytest.mark.wall_clock
async def test_a_server_reads_the_names(tmp_path: Path) -> None:
    async with home_assistant() as home:
        log = await to_thread.run_sync(_serve, tmp_path, settings(home.url))
        assert f'"names": {len(NAMES)}' in log
        assert home.connections == 1
    assert TOKEN not in log


@pytest.mark.wall_clock
async def test_a_server_starts_without_home_assistant_and_says_why_once(tmp_path: Path) -> None:
    async with home_assistant() as home:
        log = await to_thread.run_sync(_serve, tmp_path, settings(home.url, "a-wrong-token"))
    assert log.count("home_assistant_names_failed") == 1
    assert "rejects the access token" in log
    assert "a-wrong-token" not in log


def _serve(folder: Path, settings: dict[str, object]) -> str:
    """Return the log of a server that is stopped once it has tried to read the names."""
    with serving(folder, **settings) as (server, _):
        until(lambda: "home_assistant_names" in server.stderr, server)
        server.interrupt()
        assert server.wait() == 0
    return str(server.stderr)


async def test_the_doctor_reads_the_names_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LIMIT_S", 60.0)
    async with home_assistant() as home:
        well = await to_thread.run_sync(_doctor, tmp_path, settings(home.url))
        wrong = await to_thread.run_sync(_doctor, tmp_path, settings(home.url, "a-wrong-token"))
    assert f"wyoming   {len(NAMES)} names of Home Assistant" in well
    assert "rejects the access token" in wrong
    assert "a-wrong-token" not in wrong


def _doctor(folder: Path, settings: dict[str, object]) -> str:
    return completed("doctor", environ=environment(folder, **settings)).stdout


def test_the_token_is_not_passed_to_child_processes() -> None:
    assert "AURICLE_WYOMING_HOME_ASSISTANT_TOKEN" in secret_variables()


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("http://home:8123", None),
        ("ws://home:8123", TOKEN),
        ("http://anna:secret@home:8123", TOKEN),
        ("http://home:8123/?token=secret", TOKEN),
    ],
)
def test_settings_that_make_no_sense_are_refused(url: str, token: str | None) -> None:
    with pytest.raises(ValueError, match="WYOMING_HOME_ASSISTANT_TOKEN|write it as") as raised:
        WyomingSettings.model_validate(
            {"wyoming_home_assistant_url": url, "wyoming_home_assistant_token": token}
        )
    assert "secret" not in str(raised.value)
