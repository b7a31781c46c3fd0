"""Files in memory: entity tags, and compression for clients that accept it."""

import gzip
from io import BytesIO

import pytest
from starlette.requests import Request

from auricle.apis.pages.static_file import StaticFile

pytestmark = pytest.mark.unit

TEXT = b"captions " * 50
FILE = StaticFile.of(gzip.compress(TEXT), is_zipped=True, headers={"content-type": "text/plain"})


def request(**headers: str) -> Request:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": pairs})


def test_a_client_that_accepts_gzip_gets_the_bytes_as_they_are() -> None:
    response = FILE.respond(request(accept_encoding="br, gzip"))
    assert response.headers["content-encoding"] == "gzip"
    assert response.body == FILE.body


def test_another_client_gets_the_decompressed_text() -> None:
    response = FILE.respond(request())
    assert "content-encoding" not in response.headers
    assert response.body == TEXT


def test_the_text_is_decompressed_once_for_all_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    decompressed: list[bytes] = []

    def decompress(data: bytes) -> bytes:
        decompressed.append(data)
        return gzip.GzipFile(fileobj=BytesIO(data)).read()

    monkeypatch.setattr("auricle.apis.pages.static_file.gzip.decompress", decompress)
    file = StaticFile.of(FILE.body, is_zipped=True, headers={"content-type": "text/plain"})
    for _ in range(3):
        assert file.respond(request()).body == TEXT
        assert file.respond(request(accept_encoding="gzip")).body == FILE.body
    assert len(decompressed) == 1


def test_a_picture_is_sent_to_every_client_as_it_is() -> None:
    picture = StaticFile.of(b"\x89PNG", is_zipped=False, headers={"content-type": "image/png"})
    response = picture.respond(request(accept_encoding="gzip"))
    assert "content-encoding" not in response.headers
    assert response.body == b"\x89PNG"


def test_a_client_with_this_version_gets_304() -> None:
    tag = FILE.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}'):
        assert FILE.respond(request(if_none_match=known)).status_code == 304
    assert FILE.respond(request(if_none_match='"other"')).status_code == 200
