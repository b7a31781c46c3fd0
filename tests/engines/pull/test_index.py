"""Wheels are found in both forms of a package index."""

import json

import pytest

from auricle.engines.catalogue import PinnedFile, Wheel
from auricle.engines.pull.index import find_wheel
from auricle.values.errors import SetupError
from tests.support.file_server import FileServer
from tests.support.pull import Notes, quick_downloader

pytestmark = pytest.mark.process

WHEEL = Wheel("a-model", PinnedFile("a_model-1.0-py3-none-any.whl", 1, "0" * 64))
ADDRESS = f"https://files.example/1/{WHEEL.file.name}"


def find(files: FileServer, content: str) -> str:
    files.add("/simple/a-model/", content.encode())
    with quick_downloader(Notes()) as downloader:
        return find_wheel(downloader, f"{files.url}/simple/", WHEEL)


def page(*links: str) -> str:
    return "<h1>Links</h1>" + "".join(f'<a data-x="1" href="{link}">x</a>' for link in links)


def test_a_page_has_it(files: FileServer) -> None:
    assert find(files, page("a_model-0.9.whl", f"{ADDRESS}#sha256=00&amp;x")) == ADDRESS


def test_json_has_it(files: FileServer) -> None:
    assert find(files, json.dumps({"files": [{"url": "x.whl"}, {"url": ADDRESS}]})) == ADDRESS


def test_a_mirror_refers_to_itself(files: FileServer) -> None:
    found = find(files, page(f"../../files/{WHEEL.file.name}"))
    assert found == f"{files.url}/files/{WHEEL.file.name}"


@pytest.mark.parametrize("content", ["", "{}", "[]", page("other.whl"), "<a href=", "\0"])
def test_an_index_without_it_is_reported(files: FileServer, content: str) -> None:
    with pytest.raises(SetupError, match=f"does not have {WHEEL.file.name}.*PIP_INDEX_URL"):
        find(files, content)


def test_another_host_needs_https(files: FileServer) -> None:
    with pytest.raises(SetupError, match="without https"):
        find(files, page(f"http://127.0.0.1:9/{WHEEL.file.name}"))
