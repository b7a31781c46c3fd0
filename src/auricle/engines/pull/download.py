"""Downloads one file over HTTP: resumed, bounded, and checked before it gets its name.

Bytes go to ``NAME.part``; ``NAME.part.etag`` keeps the server's strong validator. The next attempt,
in this run or in a later one, asks for the rest (RFC 9110 §14: Range, If-Range). A server that
ignores the range or has another file now answers with all of it: then the file begins anew.
"""

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import httpx2 as httpx

import auricle
from auricle.engines.catalogue import PinnedFile
from auricle.engines.pull.disk import writing
from auricle.engines.pulled import sha256_of
from auricle.values.errors import SetupError

CONNECT_TIMEOUT_S = 20.0
READ_TIMEOUT_S = 60.0
"""A connection without a byte for this long is broken."""
MAX_REDIRECTS = 8
MAX_IDLE_ATTEMPTS = 5
"""Attempts in a row without a new byte after which a download fails."""
FIRST_PAUSE_S = 1.0
MAX_PAUSE_S = 30.0
"""Pauses between attempts double; a server's Retry-After is honoured up to the maximum."""
MAX_FILE_BYTES = 20 * 10**9
"""No model's file is larger; bounds a file of unknown size."""
MAX_DOCUMENT_BYTES = 16 * 2**20
"""Maximum size of an index page or a listing."""
RETRIED_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
T = TypeVar("T")
CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class PullProgress(Protocol):
    """Receives the progress of a pull."""

    def start(self, name: str, done_bytes: int, total_bytes: int | None) -> None:
        """A file begins, or continues after ``done_bytes``."""
        ...

    def advance(self, size_bytes: int) -> None:
        """More bytes have arrived, or have been checked or unpacked."""
        ...

    def note(self, text: str) -> None:
        """Something that the operator should know, such as a broken connection."""
        ...


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of a file before its download.

    Attributes:
        name: Its name.
        size_bytes: Its size; ``None`` if unknown.
        sha256: Its SHA-256, if known.
        git_blob: Its name in git (SHA-1 of a header and the content), if known.
    """

    name: str
    size_bytes: int | None = None
    sha256: str = ""
    git_blob: str = ""

    @classmethod
    def of(cls, file: PinnedFile) -> "Expected":
        """Return what a pinned file must be."""
        return cls(file.name, file.size_bytes, file.sha256)


class _Broken(Exception):
    """The attempt failed in a way that another one may not."""

    def __init__(self, reason: str, pause_s: float | None = None) -> None:
        super().__init__(reason)
        self.pause_s = pause_s


class Downloader:
    """Downloads files and documents; close it, or use it as a context manager.

    Proxies and certificates come from the usual variables (HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE).
    """

    def __init__(
        self,
        progress: PullProgress,
        *,
        tokens: dict[str, str] | None = None,
        pause_s: float = FIRST_PAUSE_S,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        """Make a client.

        Args:
            progress: Receives what happens.
            tokens: Bearer tokens by origin (scheme, host and port); sent nowhere else.
            pause_s: First pause between attempts.
            read_timeout_s: Maximum time without a byte.
        """
        self._progress = progress
        self._tokens = tokens or {}
        self._pause_s = pause_s
        timeout = httpx.Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S)
        agent = f"auricle/{auricle.__version__}"
        self._client = httpx.Client(timeout=timeout, headers={"user-agent": agent})

    def __enter__(self) -> "Downloader":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def document(self, url: str, accept: str) -> tuple[bytes, str]:
        """Return a small document and the address where it was found.

        Raises:
            SetupError: It can't be had; the message says why.
        """

        def attempt() -> tuple[bytes, str]:
            with self._open(url, {"accept": accept}) as response:
                _check_status(response)
                content = bytearray()
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > MAX_DOCUMENT_BYTES:
                        raise SetupError(f"{url} is larger than {MAX_DOCUMENT_BYTES} bytes.")
                return bytes(content), str(response.url)

        return self._retry(url, attempt, lambda: 0)

    def fetch(self, url: str, directory: Path, file: Expected) -> PinnedFile:
        """Download a file into a directory, unless it is there; return its size and SHA-256.

        Raises:
            SetupError: It can't be had, is not the expected one, or does not fit on the disk.
        """
        target = directory / file.name
        part = target.with_name(target.name + ".part")
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            os.replace(target, part)
        while True:
            is_resumed = _size(part) > 0
            self._retry(url, lambda: self._attempt(url, part, file), lambda: _size(part))
            try:
                checked = self._check(part, file)
            except SetupError:
                _forget(part)
                if not is_resumed:
                    raise
                self._progress.note(f"{file.name} had changed; downloading all of it")
                continue
            os.replace(part, target)
            _forget(part)
            return checked

    def _retry(self, url: str, attempt: Callable[[], T], done_bytes: Callable[[], int]) -> T:
        idle, pause_s = 0, self._pause_s
        while True:
            before = done_bytes()
            try:
                return attempt()
            except (httpx.TransportError, _Broken) as exc:
                reason = str(exc) or type(exc).__name__
                idle = 0 if done_bytes() > before else idle + 1
                if idle >= MAX_IDLE_ATTEMPTS:
                    raise SetupError(
                        f"{_shown(url)} can't be downloaded: {reason}. Check the network "
                        "(HTTPS_PROXY), and run the command again: it continues where it stopped."
                    ) from exc
                if idle == 0:
                    pause_s = self._pause_s
                wanted_s = getattr(exc, "pause_s", None) or pause_s
                self._progress.note(f"{reason}; trying again")
                time.sleep(min(wanted_s, MAX_PAUSE_S))
                pause_s = min(2 * pause_s, MAX_PAUSE_S)
            except httpx.InvalidURL as exc:
                raise SetupError(f"{_shown(url)} is not an address: {exc}.") from exc

    def _attempt(self, url: str, part: Path, file: Expected) -> None:
        """Request what is missing of a file and append it."""
        offset = _size(part)
        if offset and offset == file.size_bytes:
            return
        if file.size_bytes is not None and offset > file.size_bytes:
            _forget(part)
            offset = 0
        headers = {"accept-encoding": "identity"}
        if offset:
            headers["range"] = f"bytes={offset}-"
            if etag := _read_etag(part):
                headers["if-range"] = etag
            elif not file.sha256:  # nothing would notice that it is another file now
                offset = 0
                del headers["range"]
        with self._open(url, headers) as response:
            if response.status_code == 416:  # the file has become shorter, or was complete
                _forget(part)
                raise _Broken("the server rejected the range")
            _check_status(response)
            if response.status_code != 206:
                offset = 0
            total = _total_bytes(response, offset)
            limit = MAX_FILE_BYTES if file.size_bytes is None else file.size_bytes
            if total is not None and (
                total > limit or (file.size_bytes is not None and total != file.size_bytes)
            ):
                raise SetupError(
                    f"{_shown(url)} has {total} bytes, not {limit}. It is not the expected file."
                )
            self._progress.start(file.name, offset, file.size_bytes or total)
            with writing(part, None if total is None else total - offset):
                _write_etag(part, response.headers.get("etag", ""))
                with part.open("r+b" if offset else "wb") as output:
                    output.seek(offset)
                    output.truncate()
                    self._copy(response, output.write, offset, limit, url)
                    output.flush()
                    os.fsync(output.fileno())
            done = _size(part)
            if total is not None and done < total:
                raise _Broken(f"the connection broke after {done} of {total} bytes")

    def _copy(
        self,
        response: httpx.Response,
        write: Callable[[bytes], int],
        done_bytes: int,
        limit: int,
        url: str,
    ) -> None:
        for chunk in response.iter_raw():
            done_bytes += len(chunk)
            if done_bytes > limit:
                raise SetupError(f"{_shown(url)} has more than {limit} bytes. It was not kept.")
            write(chunk)
            self._progress.advance(len(chunk))

    def _check(self, path: Path, file: Expected) -> PinnedFile:
        size_bytes = path.stat().st_size
        self._progress.start(f"checking {file.name}", 0, size_bytes)
        sha256 = sha256_of(path, self._progress.advance)
        problem = ""
        if file.size_bytes is not None and size_bytes != file.size_bytes:
            problem = f"it has {size_bytes} bytes, not {file.size_bytes}"
        elif file.sha256 and sha256 != file.sha256:
            problem = f"its SHA-256 is {sha256}, not {file.sha256}"
        elif file.git_blob and _git_blob(path) != file.git_blob:
            problem = f"its git hash is not {file.git_blob}"
        if problem:
            raise SetupError(
                f"The download of {file.name} is not the expected file: {problem}. It was removed. "
                "Try again; if it happens again, the source or a proxy serves another file."
            )
        return PinnedFile(file.name, size_bytes, sha256)

    @contextlib.contextmanager
    def _open(self, url: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """Send a GET and follow redirects: to other hosts over https only."""
        address = httpx.URL(url)
        for _ in range(MAX_REDIRECTS):
            token = self._tokens.get(origin_of(address))
            sent = headers | ({"authorization": f"Bearer {token}"} if token else {})
            with self._client.stream("GET", address, headers=sent) as response:
                if response.status_code not in REDIRECTS:
                    yield response
                    return
                location = response.headers.get("location", "")
            target = address.join(location)
            check_target(address, target)
            address = target
        raise SetupError(f"{_shown(url)} redirects more than {MAX_REDIRECTS} times.")


def check_target(source: httpx.URL, target: httpx.URL) -> None:
    """Check an address that a server named: the same origin, or another one over https.

    Raises:
        SetupError: It is neither.
    """
    if target.scheme != "https" and origin_of(target) != origin_of(source):
        raise SetupError(
            f"{_shown(str(source))} refers to {_shown(str(target))}, which is another host without "
            "https. Nothing was downloaded from there."
        )


def origin_of(url: httpx.URL) -> str:
    """Return scheme, host and port of an address."""
    port = url.port or {"https": 443, "http": 80}.get(url.scheme, 0)
    return f"{url.scheme}://{url.host}:{port}"


def _check_status(response: httpx.Response) -> None:
    status = response.status_code
    if status in (200, 206):
        return
    shown = _shown(str(response.url))
    if status in RETRIED_STATUS:
        pause = response.headers.get("retry-after", "")
        raise _Broken(f"{shown} answered {status}", float(pause) if pause.isdecimal() else None)
    match status:
        case 401 | 403:
            advice = "It needs permission: accept its terms on its page, and set HF_TOKEN"
        case 404 | 410:
            advice = "It is not there any more, or the mirror does not have it"
        case 407:
            advice = "The proxy needs a name and a password: set them in HTTPS_PROXY"
        case _:
            advice = "Try again later"
    raise SetupError(f"{shown} answered {status}. {advice}.")


def _total_bytes(response: httpx.Response, offset: int) -> int | None:
    """Return the size of the whole file as the response states it."""
    if response.status_code == 206:
        match = CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        if match is None or int(match[1]) != offset:
            raise _Broken("the server sent another range than was requested")
        return None if match[3] == "*" else int(match[3])
    length = response.headers.get("content-length", "")
    return offset + int(length) if length.isdecimal() else None


def _shown(url: str) -> str:
    """Return an address without its query, which may hold a signature."""
    return url.partition("?")[0]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _etag_path(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _read_etag(part: Path) -> str:
    try:
        return _etag_path(part).read_text(encoding="latin-1")
    except FileNotFoundError:
        return ""


def _write_etag(part: Path, etag: str) -> None:
    """Keep a strong validator; a weak one does not identify the bytes (RFC 9110 §13.1.5)."""
    if etag.startswith('"'):
        _etag_path(part).write_text(etag, encoding="latin-1")
    else:
        _etag_path(part).unlink(missing_ok=True)


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _etag_path(part).unlink(missing_ok=True)


def _git_blob(path: Path) -> str:
    content = path.read_bytes()  # files in git itself are small
    digest = hashlib.sha1(b"blob %d\0" % len(content), usedforsecurity=False)
    digest.update(content)
    return digest.hexdigest()
