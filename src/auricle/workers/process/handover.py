"""Open files, handed from the server to a worker: a descriptor over a Unix socket.

A worker so reads a file of which it knows no name, in a folder that it may not look into. Windows
has no such thing: there the worker opens the file by its path.
"""

import contextlib
import os
import socket
import stat

FILES_VARIABLE = "AURICLE_WORKER_FILES"
"""Tells a worker which of its descriptors the socket is."""


def is_available() -> bool:
    """Return whether this system can hand over open files."""
    return hasattr(socket, "send_fds") and hasattr(socket, "AF_UNIX")


def open_regular(path: str) -> int:
    """Open a file for reading only; blocks.

    Raises:
        OSError: It can't be read, or isn't a regular file.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe without a writer would block
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("not a regular file")
    return descriptor


class FileSender:
    """The server's end: give the other end to a new worker, then close it here."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._ours.setblocking(False)
        self._ours.shutdown(socket.SHUT_RD)  # a worker has nothing to say here

    @property
    def worker_end(self) -> int:
        """The descriptor that the worker inherits."""
        return self._theirs.fileno()

    def started(self) -> None:
        """Close the worker's end here: it has it now, or never will."""
        self._theirs.close()

    def send(self, descriptor: int) -> None:
        """Hand over a file; it stays open here, too.

        Raises:
            OSError: The worker doesn't take what it was given before.
        """
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # its end is near
            socket.send_fds(self._ours, [b"f"], [descriptor])

    def close(self) -> None:
        """Close both ends; idempotent."""
        self._ours.close()
        self._theirs.close()


class FileReceiver:
    """The worker's end."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.set_inheritable(False)

    @classmethod
    def inherited(cls) -> "FileReceiver | None":
        """Return what the server gave this process, once."""
        descriptor = os.environ.pop(FILES_VARIABLE, None)
        return None if descriptor is None else cls(int(descriptor))

    def receive(self) -> int:
        """Wait for a file and return its descriptor, which the caller owns.

        Raises:
            OSError: The server is gone, or sent something else.
        """
        data, descriptors, _, _ = socket.recv_fds(self._socket, 1, 1)
        if not data or len(descriptors) != 1:
            for descriptor in descriptors:
                os.close(descriptor)
            raise OSError("no file was handed over")
        os.set_inheritable(descriptors[0], False)
        return descriptors[0]
