"""Requests of commands to a server: lists, errors and other programs' responses."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from auricle.cli.support import server
from auricle.cli.support.server import Server, checked_url
from auricle.config.sections.client import ClientSettings
from auricle.config.settings import Settings
from auricle.values.errors import AuricleError, NotFound, RequestError, SetupError

pytestmark = pytest.mark.server

PAGES = {
    "/list?limit=1": {"items": ["a"], "next": 9},
    "/list?before=9&limit=1": {"items": ["b"], "next": None},
}
REFUSED = {"code": "bad_request", "message": "No."}


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = {
            "/not-found": (404, {"error": REFUSED | {"code": "not_found"}}),
            "/refused": (400, {"error": REFUSED}),
            "/locked": (401, {"error": REFUSED | {"code": "unauthorized"}}),
            "/other": (500, "<html>"),
            "/proxy": (502, "<html>"),
            "/a%2Fb%3Fc": (200, "quoted"),
            "/odd?limit=1": (200, {"items": 1}),
        }.get(self.path, (200, PAGES.get(self.path)))
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def requests() -> Iterator[Server]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as answers:
        thread = threading.Thread(target=answers.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{answers.server_address[1]}"
        with Server(Settings(client=ClientSettings(url=url))) as started:
            yield started
        answers.shutdown()
        thread.join()


@pytest.mark.parametrize(("limit", "items"), [(1, ["a"]), (2, ["a", "b"]), (9, ["a", "b"])])
def test_a_list_is_read_page_by_page(
    requests: Server, monkeypatch: pytest.MonkeyPatch, limit: int, items: list[str]
) -> None:
    monkeypatch.setattr(server, "MAX_PAGE", 1)
    assert list(requests.pages("items", "list", query={}, limit=limit)) == items


def test_parts_of_the_path_are_quoted(requests: Server) -> None:
    assert requests.document("GET", "a/b?c") == "quoted"


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("not-found", NotFound, r"^No\.$"),
        ("refused", RequestError, r"^No\. \(bad_request\)$"),
        ("locked", SetupError, "AURICLE_API_KEY"),
        ("other", RequestError, "HTTP 500.*not from an Auricle server"),
        ("proxy", SetupError, "No Auricle server answers"),
    ],
)
def test_a_refusal_is_an_error(
    requests: Server, path: str, error: type[AuricleError], message: str
) -> None:
    with pytest.raises(error, match=message):
        requests.send("GET", path)


def test_a_list_of_another_program_is_an_error(requests: Server) -> None:
    with pytest.raises(RequestError, match="not from an Auricle server"):
        list(requests.pages("items", "odd", query={}, limit=1))


def test_without_a_url_it_is_this_machines_server() -> None:
    with Server(Settings()) as local:
        assert local.url == "http://127.0.0.1:6007"


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:99999", "nowhere", "ftp://h"])
def test_an_invalid_address_is_reported(url: str) -> None:
    with pytest.raises(SetupError, match="Invalid --url"):
        checked_url(url)


def test_unreadable_certificates_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing"))
    with pytest.raises(SetupError, match="SSL_CERT_FILE"):
        Server(Settings())


def test_a_server_that_is_away_is_reported() -> None:
    settings = Settings(client=ClientSettings(url="http://127.0.0.1:9"))
    with Server(settings) as away, pytest.raises(SetupError, match="No Auricle server answers"):
        away.send("GET", "x")
