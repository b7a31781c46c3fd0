"""A file server for each test."""

from collections.abc import Iterator

import pytest

from tests.support.file_server import FileServer, file_server


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def files() -> Iterator[FileServer]:
    with file_server() as server:
        yield server
