"""Actions that a compromised worker might try, run in this process to test its sandbox. Linux.

Each attempt is harmless if it succeeds. ``auricle doctor`` and the tests run all of them in a
sandboxed process; each must fail with ``PermissionError``.
"""

import contextlib
import ctypes
import errno
import mmap
import os
import socket
from collections.abc import Callable

from auricle.workers.sandbox import seccomp

_AT_FDCWD = -100
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_IPC_PRIVATE = 0


def _call(name: str, *arguments: object) -> None:
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    result = call(ctypes.c_long(seccomp.number_of(name)), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    if name.startswith(("inotify", "fanotify", "memfd", "io_uring")):
        os.close(result)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def _fork() -> None:
    if process := os.fork():
        os.waitpid(process, 0)
    else:
        os._exit(0)


def _file_handle() -> None:
    try:
        _call("name_to_handle_at", _AT_FDCWD, b"/", ctypes.create_string_buffer(8), None, 0)
    except OSError as exc:
        if exc.errno == errno.EPERM:
            raise


def _run() -> None:
    with contextlib.suppress(FileNotFoundError):
        os.execv("/nowhere/auricle-attempt", ["auricle-attempt"])


ATTEMPTS: dict[str, Callable[[], object]] = {
    "opening network connections": lambda: socket.socket(socket.AF_INET).close(),
    "io_uring": lambda: _call("io_uring_setup", 1, ctypes.create_string_buffer(120)),
    "starting programs": _run,
    "starting processes": _fork,
    "signals to the server": lambda: os.kill(os.getppid(), 0),
    "watching files (inotify)": lambda: _call("inotify_init1", 0),
    "watching files (fanotify)": lambda: _call("fanotify_init", 0, 0),
    "file handles": _file_handle,
    "memory in files (memfd_create)": lambda: _call("memfd_create", b"auricle", 0),
    "memory in files (memfd_secret)": lambda: _call("memfd_secret", 0),
    "shared memory (mmap)": lambda: mmap.mmap(-1, 4096, mmap.MAP_SHARED).close(),
    "shared memory (shmget)": lambda: _call("shmget", _IPC_PRIVATE, -1, 0o600),
    "outliving the server": lambda: _prctl(_PR_SET_PDEATHSIG, 0),
    "core files": lambda: _prctl(_PR_SET_DUMPABLE, 0),
}
"""Attempts by what a worker would gain."""


def not_refused() -> tuple[str, ...]:
    """Return the names of the attempts that were not refused."""
    return tuple(name for name in ATTEMPTS if not _is_refused(name))


def _is_refused(name: str) -> bool:
    try:
        ATTEMPTS[name]()
    except PermissionError:
        return True
    except OSError:
        return False
    return False
