"""The app for Home Assistant's Supervisor: its files, and what it does before it is a server."""

import importlib.util
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from auricle import __version__
from auricle.apis.wyoming.settings import WyomingSettings
from tests.deploy.tools import DEPLOY, accepted, documents, tool

pytestmark = pytest.mark.process

FOLDER = DEPLOY / "home-assistant"
TOKEN = "the-supervisors-token"
KEYS = frozenset(
    {"name", "version", "slug", "description", "arch", "startup", "discovery", "homeassistant_api"}
    | {"watchdog", "backup_exclude", "ports", "ports_description", "options", "schema"}
)
"""Keys of ``config.yaml`` that the Supervisor knows; its schema is no package."""


@pytest.fixture(scope="module")
def app() -> ModuleType:
    spec = importlib.util.spec_from_file_location("run", FOLDER / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    [document] = documents(FOLDER / "config.yaml")
    return document


def test_the_configuration_is_what_the_supervisor_knows(config: dict[str, Any]) -> None:
    assert set(config) <= KEYS
    assert config["version"] == __version__
    assert set(config["options"]) <= set(config["schema"])
    assert set(config["ports"]) == set(config["ports_description"]) == {"10300/tcp", "6007/tcp"}


def test_hadolint_has_no_findings() -> None:
    assert accepted(tool("hadolint"), "--failure-threshold", "style", FOLDER / "Dockerfile") == ""


def wyoming_of(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> WyomingSettings:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return WyomingSettings()


def test_the_options_become_settings(
    app: ModuleType, config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = config["options"] | {"ends_commands": True, "api_keys": "anna:KEY", "model": "tiny"}
    environ = app.settings(options, TOKEN, tmp_path)
    own = wyoming_of(environ, monkeypatch)
    assert own.wyoming
    assert own.wyoming_open
    assert own.wyoming_ends_commands
    assert own.wyoming_home_assistant_url == "http://supervisor/core"
    assert own.wyoming_home_assistant_token is not None
    assert own.wyoming_home_assistant_token.get_secret_value() == TOKEN
    assert environ["AURICLE_HOST"] == "0.0.0.0"
    assert (environ["AURICLE_API_KEYS"], environ["AURICLE_MODEL"]) == ("anna:KEY", "tiny")


@pytest.mark.parametrize(
    ("options", "token"), [({"names": False}, TOKEN), ({"names": True}, ""), ({}, "")]
)
def test_names_need_the_option_and_the_token(
    app: ModuleType,
    options: dict[str, Any],
    token: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environ = app.settings(options, token, tmp_path)
    assert wyoming_of(environ, monkeypatch).wyoming_home_assistant_url == ""
    assert environ["AURICLE_HOST"] == "127.0.0.1"  # other APIs would need a key
    assert not [name for name in environ if name.endswith(("_KEYS", "_MODEL"))]


@contextmanager
def supervisor(status: int) -> Iterator[tuple[str, list[tuple[str, str, Any]]]]:
    """Serve a Supervisor; give its URL and what it receives: path, authorization, JSON."""
    received: list[tuple[str, str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            received.append((self.path, self.headers["Authorization"], body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(("status", "is_accepted"), [(200, True), (401, False)])
def test_the_server_is_announced_once_its_port_is_open(
    app: ModuleType, status: int, is_accepted: bool
) -> None:
    with supervisor(status) as (url, received), socket.create_server(("127.0.0.1", 0)) as port:
        number = port.getsockname()[1]
        assert app.announce(url, TOKEN, number) is is_accepted
    uri = f"tcp://{socket.gethostname()}:{number}"
    body = {"service": "wyoming", "config": {"uri": uri}}
    assert received == [("/discovery", f"Bearer {TOKEN}", body)]


def test_a_missing_supervisor_is_no_error(app: ModuleType) -> None:
    with socket.create_server(("127.0.0.1", 0)) as port:
        assert not app.announce("http://127.0.0.1:9", TOKEN, port.getsockname()[1])


@pytest.mark.skipif(os.geteuid() != 0, reason="changes the owner of a folder")
def test_the_folders_belong_to_the_user_of_the_server(app: ModuleType, tmp_path: Path) -> None:
    for _ in range(2):  # at the next start it is there
        app.own(tmp_path / "state")
    found = (tmp_path / "state").stat()
    assert (found.st_uid, found.st_mode & 0o777) == (app.USER_ID, 0o700)
