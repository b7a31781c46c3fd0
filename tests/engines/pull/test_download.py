"""A file arrives whole, and is the expected one, whatever the server does."""

import os
import random
import resource
import signal
from collections.abc import Iterator
from hashlib import sha1, sha256
from pathlib import Path

import httpx2 as httpx
import pytest

from auricle.engines.pull.download import Expected, check_target, origin_of
from auricle.values.errors import SetupError
from tests.support.file_server import Fault, FileServer
from tests.support.pull import Notes, quick_downloader

pytestmark = pytest.mark.process

CONTENT = random.Random(1).randbytes(1_000_000)
NAME = "model.bin"
PINNED = Expected(NAME, len(CONTENT), sha256(CONTENT).hexdigest())
UNKNOWN = Expected(NAME)


def fetch(
    url: str,
    directory: Path,
    file: Expected = PINNED,
    notes: Notes | None = None,
    read_timeout_s: float = 60.0,
) -> bytes:
    """Download; return what is in the directory under the file's name."""
    with quick_downloader(notes or Notes(), read_timeout_s=read_timeout_s) as downloader:
        found = downloader.fetch(url, directory, file)
    assert os.listdir(directory) == [NAME]
    content = (directory / NAME).read_bytes()
    assert (found.size_bytes, found.sha256) == (len(content), sha256(content).hexdigest())
    return content


@pytest.mark.parametrize("file", [PINNED, UNKNOWN])
def test_a_file_is_downloaded(files: FileServer, tmp_path: Path, file: Expected) -> None:
    notes = Notes()
    assert fetch(files.add("/f", CONTENT), tmp_path, file, notes) == CONTENT
    assert notes.started[0] == (NAME, 0, len(CONTENT))
    assert notes.total_bytes == 2 * len(CONTENT)  # once to write it, once to check it
    assert files.requests[0][1]["user-agent"].startswith("auricle/")


def test_a_broken_connection_is_continued(files: FileServer, tmp_path: Path) -> None:
    url = files.add("/f", CONTENT, Fault(breaks_after=300_000), Fault(breaks_after=400_000))
    notes = Notes()
    assert fetch(url, tmp_path, PINNED, notes) == CONTENT
    assert files.ranges() == ["", "bytes=300000-", "bytes=700000-"]
    assert files.requests[1][1]["if-range"] == '"1"'
    assert len(notes.notes) == 2


@pytest.mark.wall_clock
def test_a_stalled_connection_is_continued(files: FileServer, tmp_path: Path) -> None:
    url = files.add("/f", CONTENT, Fault(stalls_after=300_000))
    assert fetch(url, tmp_path, read_timeout_s=0.5) == CONTENT
    assert files.ranges() == ["", "bytes=300000-"]


def test_a_later_run_continues(files: FileServer, tmp_path: Path) -> None:
    faults = [Fault(breaks_after=500_000), *[Fault(status=503)] * 5]
    url = files.add("/f", CONTENT, *faults)
    with pytest.raises(SetupError, match=r"answered 503.*continues where it stopped"):
        fetch(url, tmp_path)
    assert sorted(os.listdir(tmp_path)) == [f"{NAME}.part", f"{NAME}.part.etag"]
    notes = Notes()
    assert fetch(url, tmp_path, PINNED, notes) == CONTENT
    assert notes.started[0] == (NAME, 500_000, len(CONTENT))


def test_a_server_without_ranges_sends_all_of_it(files: FileServer, tmp_path: Path) -> None:
    url = files.add("/f", CONTENT, Fault(breaks_after=300_000), Fault(ignores_range=True))
    assert fetch(url, tmp_path) == CONTENT
    assert files.ranges() == ["", "bytes=300000-"]


@pytest.mark.parametrize("file", [PINNED, UNKNOWN])
def test_a_file_that_changed_begins_anew(files: FileServer, tmp_path: Path, file: Expected) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(b"old" * 1000)
    (tmp_path / f"{NAME}.part.etag").write_text('"0"')
    assert fetch(files.add("/f", CONTENT), tmp_path, file) == CONTENT
    assert files.requests[0][1]["if-range"] == '"0"'


def test_a_mixture_of_two_files_is_downloaded_again(files: FileServer, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(b"old" * 1000)  # without a validator
    notes = Notes()
    assert fetch(files.add("/f", CONTENT), tmp_path, PINNED, notes) == CONTENT
    assert files.ranges() == ["bytes=3000-", ""]
    assert "had changed" in notes.notes[0]


def test_without_validator_and_digest_nothing_is_continued(
    files: FileServer, tmp_path: Path
) -> None:
    url = files.add("/f", CONTENT, Fault(breaks_after=300_000), etag='W/"weak"')
    assert fetch(url, tmp_path, UNKNOWN) == CONTENT
    assert files.ranges() == ["", ""]


def test_a_part_that_is_longer_than_the_file_is_removed(files: FileServer, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT + b"x")
    assert fetch(files.add("/f", CONTENT), tmp_path) == CONTENT
    assert files.ranges() == [""]


def test_a_complete_part_is_only_checked(files: FileServer, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT)
    assert fetch(files.add("/f", CONTENT), tmp_path) == CONTENT
    assert not files.requests


def test_a_rejected_range_begins_anew(files: FileServer, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT + b"x")
    (tmp_path / f"{NAME}.part.etag").write_text('"1"')
    assert fetch(files.add("/f", CONTENT), tmp_path, UNKNOWN) == CONTENT
    assert files.ranges() == [f"bytes={len(CONTENT) + 1}-", ""]


@pytest.mark.parametrize("value", ["bytes 5-9/10", "bytes */10", "", "5-9"])
def test_another_range_than_the_requested_one_is_not_written(
    files: FileServer, tmp_path: Path, value: str
) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT[:1000])
    url = files.add("/f", CONTENT, Fault(headers={"Content-Range": value}))
    assert fetch(url, tmp_path) == CONTENT


def test_a_wrong_file_is_removed(files: FileServer, tmp_path: Path) -> None:
    url = files.add("/f", CONTENT[:-1] + b"?")
    with pytest.raises(SetupError, match=r"not the expected file: its SHA-256 is .*was removed"):
        fetch(url, tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("content", [CONTENT + b"x", CONTENT[:-1], b""])
def test_a_file_of_another_size_is_rejected_before_it_is_read(
    files: FileServer, tmp_path: Path, content: bytes
) -> None:
    with pytest.raises(SetupError, match=f"has {len(content)} bytes, not {len(CONTENT)}"):
        fetch(files.add("/f", content), tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_body_without_a_length_is_bounded(files: FileServer, tmp_path: Path) -> None:
    whole = Fault(headers={"Content-Length": "", "Connection": "close"}, content=CONTENT * 3)
    with pytest.raises(SetupError, match=f"more than {len(CONTENT)} bytes"):
        fetch(files.add("/f", CONTENT, whole), tmp_path)


def test_a_body_without_a_length_is_read_to_its_end(files: FileServer, tmp_path: Path) -> None:
    close = Fault(headers={"Content-Length": "", "Connection": "close"})
    assert fetch(files.add("/f", CONTENT, close), tmp_path) == CONTENT


def test_a_hash_of_git_is_checked(files: FileServer, tmp_path: Path) -> None:
    blob = sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()
    url = files.add("/f", CONTENT)
    assert fetch(url, tmp_path, Expected(NAME, len(CONTENT), git_blob=blob)) == CONTENT
    (tmp_path / NAME).unlink()
    with pytest.raises(SetupError, match="git hash"):
        fetch(url, tmp_path, Expected(NAME, len(CONTENT), git_blob="0" * 40))


def test_a_file_that_is_there_is_checked_and_repaired(files: FileServer, tmp_path: Path) -> None:
    url = files.add("/f", CONTENT)
    (tmp_path / NAME).write_bytes(CONTENT)
    assert fetch(url, tmp_path) == CONTENT
    assert not files.requests
    (tmp_path / NAME).write_bytes(b"?" * len(CONTENT))
    assert fetch(url, tmp_path) == CONTENT


@pytest.mark.parametrize(
    ("status", "advice"), [(401, "HF_TOKEN"), (403, "HF_TOKEN"), (404, "not there"), (418, "later")]
)
def test_a_refusal_is_reported_at_once(
    files: FileServer, tmp_path: Path, status: int, advice: str
) -> None:
    url = files.add("/f", CONTENT, Fault(status=status))
    with pytest.raises(SetupError, match=rf"answered {status}\. .*{advice}"):
        fetch(url, tmp_path)
    assert len(files.requests) == 1


def test_a_busy_server_is_asked_again(files: FileServer, tmp_path: Path) -> None:
    busy = Fault(status=429, headers={"Retry-After": "0"})
    assert fetch(files.add("/f", CONTENT, busy, busy), tmp_path) == CONTENT


def test_nothing_at_the_address_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"127\.0\.0\.1:9/f can't be downloaded.*HTTPS_PROXY"):
        fetch("http://127.0.0.1:9/f?signature=secret", tmp_path)


@pytest.mark.parametrize("url", ["nonsense", "http://[", "ftp://127.0.0.1/f"])
def test_an_invalid_address_is_reported(url: str, tmp_path: Path) -> None:
    with pytest.raises(SetupError):
        fetch(url, tmp_path)


def test_redirects_are_followed(files: FileServer, tmp_path: Path) -> None:
    files.add("/f", CONTENT)
    url = files.add("/from", b"", Fault(status=302, headers={"Location": "/f?signature=1"}))
    files.add("/f?signature=1", CONTENT)
    assert fetch(url, tmp_path) == CONTENT


def test_a_circle_of_redirects_ends(files: FileServer, tmp_path: Path) -> None:
    circle = Fault(status=302, headers={"Location": "/f"})
    with pytest.raises(SetupError, match="redirects more than"):
        fetch(files.add("/f", b"", *[circle] * 20), tmp_path)


def test_a_redirect_to_another_host_needs_https(files: FileServer, tmp_path: Path) -> None:
    away = Fault(status=302, headers={"Location": "http://127.0.0.1:9/f?key=secret"})
    with pytest.raises(SetupError, match="another host without https") as error:
        fetch(files.add("/f", b"", away), tmp_path)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("source", "target", "is_allowed"),
    [
        ("https://a/x", "https://b/y", True),
        ("http://a/x", "https://b/y", True),
        ("http://a/x", "http://a:80/y", True),
        ("http://a/x", "http://a:81/y", False),
        ("https://a/x", "http://a/x", False),
        ("https://a/x", "file:///etc/passwd", False),
    ],
)
def test_which_addresses_a_server_may_name(source: str, target: str, is_allowed: bool) -> None:
    if is_allowed:
        check_target(httpx.URL(source), httpx.URL(target))
    else:
        with pytest.raises(SetupError):
            check_target(httpx.URL(source), httpx.URL(target))


def test_a_token_is_sent_to_its_host_only(files: FileServer, tmp_path: Path) -> None:
    url = files.add("/f", CONTENT)
    with quick_downloader(Notes(), {origin_of(httpx.URL(url)): "secret"}) as downloader:
        downloader.fetch(url, tmp_path, PINNED)
    assert files.requests[0][1]["authorization"] == "Bearer secret"
    with quick_downloader(Notes(), {"https://other:443": "secret"}) as downloader:
        downloader.fetch(url, tmp_path / "again", PINNED)
    assert "authorization" not in files.requests[1][1]


@pytest.fixture
def small_files() -> Iterator[None]:
    """Limit the size of files that this process writes; EFBIG in place of a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("small_files")
def test_a_file_that_does_not_fit_is_reported(files: FileServer, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"larger than .* allows: 1 MB more .* MB are free"):
        fetch(files.add("/f", CONTENT), tmp_path)
    assert (tmp_path / f"{NAME}.part").stat().st_size <= 400_000


def test_a_document_is_bounded(files: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    url = files.add("/d", b"x" * 1001)
    with quick_downloader(Notes()) as downloader:
        assert downloader.document(url, "text/plain") == (b"x" * 1001, url)
        assert files.requests[0][1]["accept"] == "text/plain"
        monkeypatch.setattr("auricle.engines.pull.download.MAX_DOCUMENT_BYTES", 1000)
        with pytest.raises(SetupError, match="larger than 1000 bytes"):
            downloader.document(url, "text/plain")
