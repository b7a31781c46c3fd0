"""A file that is read within limits: what FFmpeg and our own readers get of an upload.

FFmpeg reads as much as a file's structure tells it to, whether that is reasonable or not. It reads
through this class, which ends the file when the limit is used up: a file that takes too many bytes
or too much processor time to open is refused, and the worker goes on.
"""

import io
import math
import os
import time


class InputFile:
    """An open file of known size; owns its descriptor.

    Args:
        file: A path, or a descriptor that is open for reading.

    Raises:
        OSError: The file can't be opened.
    """

    def __init__(self, file: str | int) -> None:
        self._file = io.FileIO(file)
        self.size_bytes = os.fstat(self._file.fileno()).st_size
        self._file.seek(0)
        self._bytes_left: float = math.inf
        self._cpu_ends_at = math.inf
        self.is_seekable = True
        """What is told to FFmpeg: ``False`` makes it read the file from its start to its end."""
        self.limit_reached = False
        """Whether the file seemed to end because of the last :meth:`limit`."""

    def limit(self, *, max_bytes: float = math.inf, max_cpu_s: float = math.inf) -> None:
        """Bound what is read from now on: bytes, and processor time of the calling thread."""
        self._bytes_left = max_bytes
        self._cpu_ends_at = math.inf if max_cpu_s == math.inf else time.thread_time() + max_cpu_s
        self.limit_reached = False

    def read(self, size_bytes: int = -1) -> bytes:
        """Return up to ``size_bytes``; empty at the end of the file or of the limit."""
        if self._bytes_left <= 0 or (
            self._cpu_ends_at < math.inf and time.thread_time() >= self._cpu_ends_at
        ):
            self.limit_reached = True
            return b""
        if self._bytes_left < math.inf and not 0 <= size_bytes <= self._bytes_left:
            size_bytes = int(self._bytes_left)
        data = self._file.read(size_bytes)
        self._bytes_left -= len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to another position and return it."""
        return self._file.seek(offset, whence)

    def seekable(self) -> bool:
        """Return whether FFmpeg may call :meth:`seek`."""
        return self.is_seekable

    def tell(self) -> int:
        """Return the current position."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file; idempotent."""
        self._file.close()
