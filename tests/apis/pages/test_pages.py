import gzip
import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from auricle.apis.pages import pages
from auricle.server.http.errors import EXCEPTION_HANDLERS
from tests.support.service import InProcess

pytestmark = pytest.mark.server

STYLE = "body{margin:0}"
INDEX = f"<!doctype html><title>Captions</title><style>{STYLE}</style>"
SCRIPT = "export {};" * 100


@contextmanager
def serving(folder: Path) -> Iterator[TestClient]:
    app = FastAPI(exception_handlers=EXCEPTION_HANDLERS, openapi_url=None, redirect_slashes=False)
    app.state.refusals = {}
    app.include_router(pages.routes(folder))
    with TestClient(app) as client:
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    static = tmp_path / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text(INDEX)
    (static / "status.html").write_text("<!doctype html><title>Status</title>")
    (static / "reader.html").write_text("<!doctype html><title>Reader</title>")
    (static / "assets" / "index-abc.js").write_text(SCRIPT)
    (static / "assets" / "icon-abc.svg").write_text("<svg/>")
    (tmp_path / "secret.html").write_text("not for anybody")
    return static


@pytest.fixture
def client(folder: Path) -> Iterator[TestClient]:
    with serving(folder) as started:
        yield started


@pytest.mark.parametrize(
    ("path", "media_type", "body"),
    [
        ("/", "text/html; charset=utf-8", INDEX),
        ("/status", "text/html; charset=utf-8", "<!doctype html><title>Status</title>"),
        ("/reader", "text/html; charset=utf-8", "<!doctype html><title>Reader</title>"),
        ("/llms.txt", "text/plain; charset=utf-8", pages.FOR_AGENTS.read_text()),
        ("/assets/index-abc.js", "text/javascript; charset=utf-8", SCRIPT),
        ("/assets/icon-abc.svg", "image/svg+xml", "<svg/>"),
    ],
)
def test_each_file_is_served_as_what_it_is(
    client: TestClient, path: str, media_type: str, body: str
) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert answer.text == body
    assert answer.headers["x-content-type-options"] == "nosniff"
    head = client.head(path)
    assert (head.content, head.headers["etag"]) == (b"", answer.headers["etag"])


def test_a_page_may_load_from_its_server_alone(client: TestClient) -> None:
    headers = client.get("/").headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    digest = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": f"'sha256-{digest}'",
        "connect-src": "'self'",
        "worker-src": "'self'",
        "media-src": "blob:",
        "img-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert "microphone=(self)" in headers["permissions-policy"]
    assert headers["referrer-policy"] == "no-referrer"


def test_a_workers_script_brings_its_own_policy(client: TestClient) -> None:
    headers = client.get("/assets/index-abc.js").headers
    assert "connect-src 'self'" in headers["content-security-policy"]
    assert "style-src 'none'" in headers["content-security-policy"]


def test_a_browser_keeps_assets_and_asks_again_for_pages(client: TestClient) -> None:
    assert "immutable" in client.get("/assets/index-abc.js").headers["cache-control"]
    page = client.get("/")
    assert page.headers["cache-control"] == "no-cache"
    for known in (page.headers["etag"], f'"other", W/{page.headers["etag"]}'):
        again = client.get("/", headers={"if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
    assert client.get("/", headers={"if-none-match": '"other"'}).status_code == 200


def test_files_are_sent_compressed_to_clients_that_accept_it(client: TestClient) -> None:
    path = "/assets/index-abc.js"
    with client.stream("GET", path, headers={"accept-encoding": "br, gzip"}) as answer:
        sent = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "accept-encoding"
    assert gzip.decompress(sent).decode() == SCRIPT
    assert len(sent) < len(SCRIPT) / 5
    plain = client.get(path, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.text == SCRIPT


@pytest.mark.parametrize(
    "path",
    [
        "/assets/",
        "/assets/none.js",
        "/assets/..%2Findex.html",
        "/assets/..%2F..%2Fsecret.html",
        "/assets/%2e%2e%2f%2e%2e%2fsecret.html",
        "/assets//etc/passwd",
        "/secret.html",
        "/index.html",
        "/status/",
    ],
)
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_what_is_changed_on_disk_later_is_not_seen(client: TestClient, folder: Path) -> None:
    (folder / "index.html").write_text("changed")
    assert client.get("/").text == INDEX


def test_without_a_build_a_page_says_how_to_make_one(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        for path in ("/", "/status"):
            answer = client.get(path)
            assert answer.status_code == 200
            assert "make web" in answer.text
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert client.get("/assets/index.js").status_code == 404


def test_the_application_serves_them_to_anybody_and_leaves_them_out_of_its_description(
    service: InProcess,
) -> None:
    for path in ("/", "/status"):
        answer = service.client.get(path)
        assert answer.status_code == 200
        assert "Auricle" in answer.text
    assert not {"/", "/status"} & set(service.client.get("/openapi.json").json()["paths"])


def test_a_page_has_no_script_or_style_that_its_policy_does_not_know(service: InProcess) -> None:
    """True of the pages as they are built, if they are."""
    for path in ("/", "/status"):
        text = service.client.get(path).text
        assert not re.search(r"\s(?:style|on\w+)=", text)
        assert all("src=" in script for script in re.findall(r"<script[^>]*>", text))
