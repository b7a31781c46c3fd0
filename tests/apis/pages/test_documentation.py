"""The documentation site at /docs."""

import gzip
import hashlib
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from auricle.apis.pages import documentation
from tests.support.service import InProcess

pytestmark = pytest.mark.server

SCRIPT = "run()"
PAGE = f"<!doctype html><title>Keys</title><script>{SCRIPT}</script><script src=a.js></script>"
PICTURE = b"\x89PNG\r\n"


def serving(archive: Path) -> TestClient:
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    app.include_router(documentation.routes(archive))
    return TestClient(app)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    archive = tmp_path / "documentation.zip"
    with zipfile.ZipFile(archive, "w") as entries:
        entries.writestr("index.html.gz", gzip.compress(b"<!doctype html><title>Start</title>"))
        entries.writestr("how-to/access.html.gz", gzip.compress(PAGE.encode()))
        entries.writestr("examples/stream.py.gz", gzip.compress(b"import asyncio"))
        entries.writestr("images/page.png", PICTURE)
    (tmp_path / "secret.html").write_text("not for anybody")
    with serving(archive) as started:
        yield started


@pytest.mark.parametrize(
    ("path", "media_type", "body"),
    [
        ("/docs/how-to/access.html", "text/html; charset=utf-8", PAGE.encode()),
        ("/docs/examples/stream.py", "text/plain; charset=utf-8", b"import asyncio"),
        ("/docs/images/page.png", "image/png", PICTURE),
    ],
)
def test_a_file_of_the_site_is_served(
    client: TestClient, path: str, media_type: str, body: bytes
) -> None:
    for _ in range(2):
        response = client.get(path)
        assert response.headers["content-type"] == media_type
        assert response.content == body
    assert client.get(path, headers={"accept-encoding": "identity"}).content == body


def test_only_the_scripts_of_the_page_may_run(client: TestClient) -> None:
    policy = client.get("/docs/how-to/access.html").headers["content-security-policy"]
    digest = b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}';" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    policy = client.get("/docs/index.html").headers["content-security-policy"]
    assert "script-src 'self';" in policy


def test_the_start_redirects_to_the_first_page_below_any_folder_of_a_proxy(
    service: InProcess,
) -> None:
    for path, location in (("/docs", "docs/index.html"), ("/docs/", "index.html")):
        response = service.client.get(path, follow_redirects=False)
        assert response.status_code == 307
        assert response.headers["location"] == location


@pytest.mark.parametrize("name", ["nope.html", "how-to/nope.html", "../secret.html", "%2e%2e/x"])
def test_a_missing_page_leads_back_to_the_start(client: TestClient, name: str) -> None:
    response = client.get(f"/docs/{name}")
    assert response.status_code == 404
    assert "not for anybody" not in response.text
    if name == "how-to/nope.html":
        assert 'href="../index.html"' in response.text


def test_without_the_archive_the_page_says_how_to_build_it(tmp_path: Path) -> None:
    with serving(tmp_path / "documentation.zip") as client:
        response = client.get("/docs/index.html")
    assert response.status_code == 404
    assert "make docs" in response.text
