"""A file with read limits, used by FFmpeg and the other readers.

FFmpeg reads as much as a file's structure demands, reasonable or not. This class reports the end of
the file when a limit is reached: a file that needs too many bytes or too much CPU time to open is
rejected, and the worker continues.
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
        """Result of :meth:`seekable`; ``False`` makes FFmpeg read the file sequentially."""
        self.limit_reached = False
        """Whether reading ended because of the last :meth:`limit`."""

    def limit(self, *, max_bytes: float = math.inf, max_cpu_s: float = math.inf) -> None:
        """Limit further reads: bytes, and CPU time of the calling thread in seconds."""
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
