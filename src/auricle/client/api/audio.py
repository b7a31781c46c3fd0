"""The recording of a request: a path, the bytes themselves, or an open file."""

import io
import os
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

import anyio

from auricle.values.errors import RequestError

AudioInput = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""A path; the content of a file; or a file opened in binary mode that can seek, read from its
position."""

CHUNK_BYTES = 256 * 1024


class Audio(Protocol):
    """A recording that can be read repeatedly, since a failed upload is repeated."""

    @property
    def size_bytes(self) -> int:
        """Its size in bytes."""
        ...

    def chunks(self) -> Iterator[bytes]:
        """Iterate over its content.

        Raises:
            RequestError: It can't be read.
        """
        ...


async def in_thread(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Iterate over chunks; each is read in a thread, so that a slow disk blocks no other task."""
    while chunk := await anyio.to_thread.run_sync(next, chunks, b""):
        yield chunk


def open_audio(audio: AudioInput) -> Audio:
    """Return the recording.

    Raises:
        RequestError: The file can't be read, or an open file can't seek.
        TypeError: It is none of the supported types.
    """
    if isinstance(audio, bytes | bytearray | memoryview):
        return _Bytes(bytes(audio))
    if isinstance(audio, str | os.PathLike):
        return _Path(Path(audio))
    if isinstance(audio, io.TextIOBase):
        raise TypeError("audio is a file opened as text; open it with mode 'rb'")
    if not hasattr(audio, "read"):
        raise TypeError(f"audio is {type(audio).__name__}, not a path, bytes or a binary file")
    return _File(audio)


class _Bytes:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self.size_bytes = len(content)

    def chunks(self) -> Iterator[bytes]:
        yield self._content


class _Path:
    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):  # opening a pipe would block
                raise RequestError(f"{path} is not a file.")
            self.size_bytes = status.st_size
            path.open("rb").close()
        except (OSError, ValueError) as exc:
            raise _unreadable(path, exc) from exc

    def chunks(self) -> Iterator[bytes]:
        try:
            with self._path.open("rb") as file:
                yield from _chunks(file, self.size_bytes)
        except OSError as exc:
            raise _unreadable(self._path, exc) from exc


class _File:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        try:
            self._start = file.tell()
            self.size_bytes = file.seek(0, os.SEEK_END) - self._start
        except OSError as exc:  # a pipe; also of io.UnsupportedOperation
            raise RequestError(
                "The file can't seek, so a failed upload could not be repeated: pass file.read()."
            ) from exc

    def chunks(self) -> Iterator[bytes]:
        self._file.seek(self._start)
        yield from _chunks(self._file, self.size_bytes)


def _chunks(file: BinaryIO, size_bytes: int) -> Iterator[bytes]:
    """Iterate over as many bytes as were announced, even if the file grows meanwhile.

    Raises:
        RequestError: The file has become shorter.
    """
    while size_bytes:
        chunk = file.read(min(CHUNK_BYTES, size_bytes))
        if not chunk:
            raise RequestError("The file became shorter while it was sent.")
        size_bytes -= len(chunk)
        yield chunk


def _unreadable(path: Path, error: OSError | ValueError) -> RequestError:
    reason = error.strerror if isinstance(error, OSError) else None
    return RequestError(f"{path} can't be read: {reason or error}")
