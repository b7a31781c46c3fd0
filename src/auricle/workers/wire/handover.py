"""Pass open files from the server to a worker as descriptors over a Unix socket.

The worker can then read a file without knowing its name or having access to its folder. Windows
does not support this: there the worker opens the file by its path.
"""

import contextlib
import os
import socket
import stat

FILES_VARIABLE = "AURICLE_WORKER_FILES"
"""Environment variable with the number of the socket's descriptor in the worker."""


def is_available() -> bool:
    """Return whether this system can pass open files."""
    return hasattr(socket, "send_fds") and hasattr(socket, "AF_UNIX")


def open_regular(path: str) -> int:
    """Open a regular file for reading; blocks.

    Raises:
        OSError: The file cannot be read or is not a regular file.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe without a writer would block
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("not a regular file")
    return descriptor


class FileSender:
    """The server's end: pass the other end to a new worker, then call :meth:`started`."""

    def __init__(self) -> None:
        self._parent_end, self._child_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._parent_end.setblocking(False)
        self._parent_end.shutdown(socket.SHUT_RD)  # workers send nothing on this socket

    @property
    def worker_end(self) -> int:
        """Descriptor that the worker inherits."""
        return self._child_end.fileno()

    def started(self) -> None:
        """Close the server's copy of the worker's end, once the worker was started."""
        self._child_end.close()

    def send(self, descriptor: int) -> None:
        """Send a file; it stays open in this process.

        Raises:
            OSError: The socket is full: the worker did not receive earlier files.
        """
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the worker is exiting
            socket.send_fds(self._parent_end, [b"f"], [descriptor])

    def close(self) -> None:
        """Close both ends; idempotent."""
        self._parent_end.close()
        self._child_end.close()


class FileReceiver:
    """The worker's end."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.set_inheritable(False)

    @classmethod
    def inherited(cls) -> "FileReceiver | None":
        """Return the receiver that the server passed to this process; only the first call does."""
        descriptor = os.environ.pop(FILES_VARIABLE, None)
        return None if descriptor is None else cls(int(descriptor))

    def receive(self) -> int:
        """Wait for a file and return its descriptor, which the caller must close.

        Raises:
            OSError: The server is gone or sent no file.
        """
        data, descriptors, _, _ = socket.recv_fds(self._socket, 1, 1)
        if not data or len(descriptors) != 1:
            for descriptor in descriptors:
                os.close(descriptor)
            raise OSError("no file was received")
        os.set_inheritable(descriptors[0], False)
        return descriptors[0]
