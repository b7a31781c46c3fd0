"""The app for Home Assistant's Supervisor, run as the Supervisor does (``make test-images``)."""

import json
import socket
from pathlib import Path

import pytest

from auricle.apis.wyoming.wire.framing import EventFramer
from tests.apis.wyoming.home_assistant.fake import (
    NAMES,
    TOKEN,
    FakeHomeAssistant,
    home_in_thread,
)
from tests.apis.wyoming.service import spoken
from tests.images.client import require
from tests.support.clips import CLIPS, words
from tests.support.podman import IMAGES, Container, started
from tests.support.poll import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SHORT = CLIPS["short.wav"]
OPTIONS = {"names": True, "ends_commands": False}


def transcript() -> list[str]:
    framer = EventFramer()
    with socket.create_connection(("127.0.0.1", 10300), 60) as connection:
        connection.sendall(spoken(SHORT.pcm, language="en"))
        while data := connection.recv(2**16):
            framer.receive_data(data)
            for event in iter(framer.next_event, None):
                if event.type == "transcript":
                    return words(event.data["text"])
    raise ConnectionError("no transcript")


def is_ready(running: Container) -> bool:
    assert running.is_running(), running.logs()
    return '"event": "ready"' in running.logs()


def test_the_app_transcribes_with_the_names_of_the_home(tmp_path: Path) -> None:
    require("home-assistant")
    (tmp_path / "options.json").write_text(json.dumps(OPTIONS))
    tmp_path.chmod(0o755)
    options = (
        *("--network=host", "--add-host=supervisor:127.0.0.1", f"--volume={tmp_path}:/data"),
        *(f"--env=SUPERVISOR_TOKEN={TOKEN}", "--env=AURICLE_WORKERS=1", "--init"),
    )
    with (
        home_in_thread(FakeHomeAssistant(), port=80) as home,
        started(*options, IMAGES["home-assistant"]) as running,
    ):
        wait_until(lambda: is_ready(running), "it is ready", 240)
        assert transcript() == words(SHORT.text)
        assert f'"names": {len(NAMES)}' in running.logs()
        assert home.connections >= 1
        assert TOKEN not in running.logs()
        servers = [p for p in running.processes() if "serve" in p.cmdline()]
        assert servers
        assert {process.uids().real for process in servers} == {10001}
        assert (tmp_path / "state").stat().st_uid == 10001
        assert running.stop() == 0
