"""``auricle models``: what can be pulled, what is here, and pulls over real sockets."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from auricle.engines.pulled import LOCK_NAME, pulled_directory
from auricle.engines.registry import catalogue
from tests.cli.conftest import Run
from tests.support.file_server import Fault, FileServer, file_server

pytestmark = pytest.mark.process

REPOSITORY, COMMIT = "Systran/faster-whisper-large-v2", "f0fe81560cb8b68660e564f55dd99207059c092e"
"""A model of the catalogue without known digests: the hub's are used."""
CONTENT = {
    name: name.encode() * 1000
    for name in ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt")
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AURICLE_CACHE_DIR", str(tmp_path))
    for name in ("HTTP_PROXY", "http_proxy", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A hub that has the model."""
    with file_server() as files:
        monkeypatch.setenv("HF_ENDPOINT", f"{files.url}/")
        for name, content in CONTENT.items():
            files.add(f"/{REPOSITORY}/resolve/{COMMIT}/{name}", content)
        siblings = [
            {
                "rfilename": name,
                "size": len(content),
                "lfs": {"sha256": sha256(content).hexdigest()},
            }
            for name, content in CONTENT.items()
        ]
        listing = {"sha": COMMIT, "siblings": siblings, "cardData": {"license": "mit"}}
        path = f"/api/models/{REPOSITORY}/revision/{COMMIT}?blobs=true"
        files.add(path, json.dumps(listing).encode())
        yield files


@pytest.mark.parametrize("command", [("models",), ("models", "list")])
def test_every_model_has_a_line(auricle: Run, command: tuple[str, ...]) -> None:
    header, *lines = auricle(*command).stdout.splitlines()
    assert header.split() == ["name", "engine", "languages", "MB", "licence", "here"]
    rows = {line.split()[0]: line.split() for line in lines}
    assert rows.keys() == {model.name for model in catalogue()}
    assert rows["tiny.en"][1:3] == ["whisper", "en"]
    assert rows["large-v2"][-1] == "no"
    assert rows["tiny-en"][1:5] == ["moonshine", "en", "44", "MIT"]


def test_a_model_is_pulled_listed_verified_and_removed(
    auricle: Run, hub: FileServer, cache: Path
) -> None:
    pulled = auricle("models", "pull", "large-v2")
    assert pulled.stdout == "AURICLE_ENGINE=whisper AURICLE_MODEL=large-v2\n"
    assert f"{REPOSITORY} from huggingface.co/{REPOSITORY}" in pulled.stderr
    assert "Licence: MIT (https://github.com/openai/whisper" in pulled.stderr
    assert "revision f0fe81560cb8, digests as the hub reported them" in pulled.stderr
    directory = pulled_directory(cache, "whisper", "large-v2")
    assert {path.name for path in directory.iterdir()} == {*CONTENT, LOCK_NAME}
    (row,) = [line for line in auricle("models").stdout.splitlines() if "large-v2 " in line][:1]
    assert row.split()[0] == "large-v2"
    assert row.split()[-1] == "yes"

    verified = auricle("models", "verify", "whisper:large-v2")
    assert verified.exit_code == 0
    assert "all 4 files are as recorded" in verified.stdout
    (directory / "model.bin").write_bytes(CONTENT["model.bin"][::-1])
    damaged = auricle("models", "verify", "large-v2")
    assert damaged.exit_code == 2
    assert "Run: auricle models pull whisper:large-v2" in damaged.stderr

    removed = auricle("models", "remove", "large-v2")
    assert removed.exit_code == 0
    assert not directory.exists()
    assert auricle("models", "remove", "large-v2").exit_code == 2


def test_a_pull_that_breaks_off_says_how_to_go_on(
    auricle: Run, hub: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auricle.engines.pull.download.FIRST_PAUSE_S", 0.0)
    path = f"/{REPOSITORY}/resolve/{COMMIT}/model.bin"
    hub.files[path].faults += [Fault(breaks_after=5000), *[Fault(status=404)]]
    result = auricle("models", "pull", "large-v2")
    assert result.exit_code == 2
    assert "the connection broke" in result.stderr or "trying again" in result.stderr
    assert "answered 404. It is not there any more" in result.stderr
    removed = auricle("models", "remove", "large-v2")
    assert (removed.exit_code, removed.stdout) == (0, "Removed an unfinished download\n")
    assert auricle("models", "pull", "large-v2").exit_code == 0


@pytest.mark.parametrize("command", ["pull", "verify", "remove"])
@pytest.mark.parametrize(
    ("name", "hint"),
    [("larg-v2", "Did you mean large-v2"), ("nothing:tiny", "There is no model"), ("../x", "no")],
)
def test_an_unknown_name_is_reported(auricle: Run, command: str, name: str, hint: str) -> None:
    result = auricle("models", command, name)
    assert result.exit_code == 2
    assert hint in result.stderr


def test_a_model_that_was_not_pulled_cannot_be_verified(auricle: Run) -> None:
    result = auricle("models", "verify", "tiny")
    assert result.exit_code == 2
    assert "tiny was not pulled" in result.stderr
