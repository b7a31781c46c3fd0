"""``auricle serve`` with Wyoming's port."""

import socket
from pathlib import Path

import pytest

from tests.apis.wyoming.service import spoken
from tests.support.command import LIMIT_S, serving

pytestmark = pytest.mark.process


def test_home_assistant_gets_its_transcript_after_ctrl_c(tmp_path: Path) -> None:
    options = ("--wyoming", "--wyoming-host", "0.0.0.0", "--wyoming-port", "0", "--wyoming-open")
    with serving(tmp_path, *options, drain_s=LIMIT_S) as (server, _):
        events = {event["event"]: event for event in server.events()}
        port = events["wyoming_started"]["port"]
        assert f"0.0.0.0 port {port}" in events["wyoming_open"]["message"]
        with socket.create_connection(("127.0.0.1", port), LIMIT_S) as home:
            said = spoken()
            home.sendall(said[: len(said) // 2])
            assert "voice-started" in home.makefile().readline()
            server.interrupt()
            server.line_with("draining")
            home.sendall(said[len(said) // 2 :])
            home.shutdown(socket.SHUT_WR)
            assert '"transcript-stop"' in home.makefile().read()
        [session] = [e for e in server.events() if e["event"] == "session_started"]
        assert (session["dialect"], session["client"]) == ("wyoming", "wyoming")
        assert (session["address"], session["user_agent"]) == ("127.0.0.1", None)
        assert server.wait() == 0
    assert "Traceback" not in server.stderr
