"""The systemd unit, started by a real systemd that is the first process of a container."""

from collections.abc import Iterator

import pytest

from tests.deploy.tools import DEPLOY
from tests.images.client import KEY, LIMIT_S, require, transcript
from tests.support.clips import CLIPS, words
from tests.support.podman import Container, systemd
from tests.support.poll import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.outside]

UNIT = DEPLOY / "systemd" / "auricle.service"
SETTINGS = f"AURICLE_API_KEYS=anna:{KEY}\nAURICLE_WORKERS=1\n"


@pytest.fixture(scope="module")
def machine() -> Iterator[Container]:
    """A machine on which the unit is installed as deploy/systemd/README.md says, and started."""
    require("cpu")
    require("systemd")
    with systemd() as running:
        install(running, "/etc/systemd/system/auricle.service", "0644", UNIT.read_text())
        install(running, "/etc/auricle/environment", "0600", SETTINGS)
        running.execute("systemctl", "daemon-reload")
        running.execute("systemctl", "start", "auricle")
        running.wait_ready()
        yield running


def install(machine: Container, path: str, mode: str, text: str) -> None:
    machine.execute("install", "-D", f"--mode={mode}", "/dev/stdin", path, text=text)


def shown(machine: Container, name: str) -> str:
    return machine.execute("systemctl", "show", "auricle", f"--property={name}", "--value")


def test_the_unit_serves(machine: Container) -> None:
    assert transcript(machine.url) == words(CLIPS["short.wav"].text)


def test_the_unit_confines_the_server(machine: Container) -> None:
    main = shown(machine, "MainPID")
    status = machine.execute("cat", f"/proc/{main}/status")
    assert "NoNewPrivs:\t1" in status
    assert "CapBnd:\t0000000000000000" in status
    assert "Uid:\t0" not in status
    assert machine.execute("stat", "--format=%a", "/var/lib/private/auricle") == "700"
    assert shown(machine, "TasksMax") == "2048"
    assert shown(machine, "MemoryMax") != "infinity"


def test_a_reload_keeps_the_server_and_a_crash_starts_another(machine: Container) -> None:
    main = shown(machine, "MainPID")
    machine.execute("systemctl", "reload", "auricle")
    assert transcript(machine.url) == words(CLIPS["short.wav"].text)
    assert shown(machine, "MainPID") == main
    machine.execute("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "auricle")
    wait_until(
        lambda: shown(machine, "NRestarts") == "1" and shown(machine, "MainPID") not in (main, "0"),
        "the unit was started again",
        LIMIT_S,
    )
    machine.wait_ready()
    assert transcript(machine.url) == words(CLIPS["short.wav"].text)


def test_a_stop_is_in_order(machine: Container) -> None:
    machine.execute("systemctl", "stop", "auricle")
    assert (shown(machine, "ActiveState"), shown(machine, "Result")) == ("inactive", "success")
