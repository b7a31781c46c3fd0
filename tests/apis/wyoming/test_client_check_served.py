"""``auricle doctor --client`` as Home Assistant with a real server."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.doctor import doctor, served

pytestmark = pytest.mark.process


class Server(NamedTuple):
    """Addresses of a server."""

    url: str
    wyoming: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with served(folder, wyoming=1, wyoming_port=0) as (command, url):
        [started] = [e for e in command.events() if e["event"] == "wyoming_started"]
        yield Server(url, f"tcp://127.0.0.1:{started['port']}")


@pytest.mark.wall_clock
def test_a_command_is_sent_as_home_assistant_sends_it(server: Server, tmp_path: Path) -> None:
    done = doctor(tmp_path, "home-assistant", server.wyoming)
    assert re.search(r"ok       services  Auricle with \d+ languages", done.stdout)
    assert re.search(r"speech    [\d.]+% word errors in 30 words, text [\d.]+ s after", done.stdout)


def test_a_port_that_is_not_wyoming_s(server: Server, tmp_path: Path) -> None:
    done = doctor(tmp_path, "home-assistant", server.url.replace("http", "tcp"))
    assert "the server does not answer" in done.stdout
    assert "Enter the host and port of a server: 127.0.0.1:10300." in done.stdout
    done = doctor(tmp_path, "home-assistant", "tcp://127.0.0.1:1")
    assert "Start the server with `auricle serve --wyoming`." in done.stdout
    assert "set AURICLE_WYOMING_HOST" in done.stdout
