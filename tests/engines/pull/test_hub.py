"""Listings of the hub, from a server that answers like it."""

import json
from typing import Any

import pytest

from auricle.engines.catalogue import HubFiles
from auricle.engines.pull.download import Expected
from auricle.engines.pull.hub import Listing, file_url, list_files
from auricle.values.errors import SetupError
from tests.support.file_server import FileServer
from tests.support.pull import Notes, quick_downloader

pytestmark = pytest.mark.process

COMMIT, SHA1, SHA256 = "a" * 40, "b" * 40, "c" * 64
SOURCE = HubFiles("an/model", COMMIT, patterns=("config.json", "*.bin"))
PATH = f"/api/models/an/model/revision/{COMMIT}?blobs=true"
CONFIG = {"rfilename": "config.json", "size": 10, "blobId": SHA1}
WEIGHTS = {
    "rfilename": "model.bin",
    "size": 20,
    "blobId": SHA1,
    "lfs": {"sha256": SHA256, "size": 20, "pointerSize": 134},
}
README = {"rfilename": "README.md", "size": 30, "blobId": SHA1}


def answer(files: FileServer, **changes: Any) -> Listing:
    usual = {
        "sha": COMMIT,
        "siblings": [README, CONFIG, WEIGHTS],
        "cardData": {"license": "mit"},
    }
    files.add(PATH, json.dumps(usual | changes).encode())
    with quick_downloader(Notes()) as downloader:
        return list_files(downloader, files.url, SOURCE)


def test_the_files_that_match_are_listed_with_their_hashes(files: FileServer) -> None:
    assert answer(files) == Listing(
        (
            Expected("config.json", 10, git_blob=SHA1),
            Expected("model.bin", 20, sha256=SHA256),
        ),
        "mit",
    )


@pytest.mark.parametrize("card", [None, {}, {"license": None}])
def test_a_repository_may_state_no_licence(files: FileServer, card: object) -> None:
    assert answer(files, cardData=card).licence == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"sha": "d" * 40},
        {"siblings": []},
        {"siblings": [README]},
        {"siblings": None},
        {"siblings": ["model.bin"]},
        {"siblings": [WEIGHTS | {"rfilename": "../model.bin"}]},
        {"siblings": [WEIGHTS | {"rfilename": "/etc/model.bin"}]},
        {"siblings": [WEIGHTS | {"size": None}]},
        {"siblings": [WEIGHTS | {"size": -1}]},
        {"siblings": [WEIGHTS | {"lfs": {}}]},
        {"siblings": [CONFIG | {"blobId": None}]},
        {"cardData": "mit"},
    ],
)
def test_other_answers_are_rejected(files: FileServer, changes: dict[str, Any]) -> None:
    with pytest.raises(SetupError, match="did not list the files of an/model as expected"):
        answer(files, **changes)


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"\xff"])
def test_what_is_not_json_is_rejected(files: FileServer, content: bytes) -> None:
    files.add(PATH, content)
    with quick_downloader(Notes()) as downloader, pytest.raises(SetupError, match="as expected"):
        list_files(downloader, files.url, SOURCE)


def test_names_are_escaped_in_addresses() -> None:
    expected = f"https://hub/an/model/resolve/{COMMIT}/int8/a%20file%3F.onnx"
    assert file_url("https://hub", SOURCE, "int8/a file?.onnx") == expected
