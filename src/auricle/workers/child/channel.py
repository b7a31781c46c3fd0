"""The worker's end of the channel to its pool, and the setup and exit of a worker process.

A child reads ``[uint32_le length][msgpack]`` from stdin and writes the same to stdout
(:mod:`auricle.workers.wire.messages`). It first moves both to private descriptors, so that
libraries print to stderr and read from an empty stdin.

A child is crash-only. It exits immediately, without the interpreter's teardown (native libraries
have been seen to hang in theirs), on a stop message, when its parent is gone, and on an unknown
exception. In the last case it writes its stack to stderr in faulthandler's format: frames only,
because an exception's message may contain speech.
"""

import contextlib
import ctypes
import faulthandler
import os
import select
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import NoReturn

import msgspec
import psutil

from auricle.workers.priority import lower_priority
from auricle.workers.wire.framing import LENGTH, pack
from auricle.workers.wire.handover import FileReceiver

MAX_MESSAGE_BYTES = 64 * 2**20  # 64 jobs of 30 s of PCM16 are 61 MB.
"""Maximum size of a message to a child; the limit of an answer depends on the request."""

EXIT_STOPPED = 0
EXIT_CRASHED = 70  # sysexits.h: EX_SOFTWARE
EXIT_OUT_OF_MEMORY = 71  # sysexits.h: EX_OSERR
EXIT_PROTOCOL = 76  # sysexits.h: EX_PROTOCOL
EXIT_START_FAILED = 78  # sysexits.h: EX_CONFIG

OOM_SCORE_ADJ = 500
"""Adds half of the memory to a worker's score, so that the kernel kills it before the server."""

PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4  # linux/prctl.h


class ParentGone(Exception):
    """The pipe to the parent is closed."""


class WireBroken(Exception):
    """The parent sent an invalid or unexpected message."""


class Channel:
    """Send and receive whole messages over two private descriptors."""

    def __init__(self, read_fd: int, write_fd: int, files: FileReceiver | None = None) -> None:
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._files = files

    def receive_body(self) -> bytearray:
        """Wait for the next message and return its body.

        Raises:
            ParentGone: The pipe was closed, possibly in the middle of a message.
            WireBroken: The length prefix is above the limit.
        """
        (length,) = LENGTH.unpack(self._read(LENGTH.size))
        if length > MAX_MESSAGE_BYTES:
            raise WireBroken
        return self._read(length)

    def has_input(self, wait_s: float) -> bool:
        """Wait for the next message; return whether it has begun to arrive or the pipe is closed.

        Windows cannot wait for a pipe: there the answer is always yes.
        """
        return sys.platform == "win32" or bool(select.select([self._read_fd], [], [], wait_s)[0])

    def is_closed(self) -> bool:
        """Return whether the parent is gone, as far as this is seen without reading."""
        if sys.platform == "win32":
            return False
        poll = select.poll()
        poll.register(self._read_fd, 0)  # nothing but the end of the connection
        return bool(poll.poll(0))

    def receive_file(self) -> int:
        """Wait for an open file and return its descriptor, which the caller must close.

        Raises:
            ParentGone: The socket is closed.
            WireBroken: This worker was started without a socket for files.
        """
        if self._files is None:
            raise WireBroken
        try:
            return self._files.receive()
        except OSError as exc:
            raise ParentGone from exc

    def send(self, message: msgspec.Struct) -> None:
        """Write one message.

        Raises:
            ParentGone: The pipe is closed.
        """
        rest = memoryview(pack(message))
        while rest:
            try:
                rest = rest[os.write(self._write_fd, rest) :]
            except OSError as exc:  # EPIPE; EINVAL on Windows
                raise ParentGone from exc

    def _read(self, size_bytes: int) -> bytearray:
        data = bytearray(size_bytes)
        view, at = memoryview(data), 0
        while at < size_bytes:
            try:
                got = os.readv(self._read_fd, [view[at:]]) if _HAS_READV else self._copy(view[at:])
            except OSError as exc:
                raise ParentGone from exc
            if not got:
                raise ParentGone
            at += got
        return data

    def _copy(self, into: memoryview) -> int:
        chunk = os.read(self._read_fd, len(into))
        into[: len(chunk)] = chunk
        return len(chunk)


_HAS_READV = hasattr(os, "readv")


def open_channel() -> Channel:
    """Move stdin and stdout to private descriptors and return a channel over them."""
    read_fd, write_fd = os.dup(0), os.dup(1)  # not inheritable (PEP 446)
    if sys.platform == "win32":
        import msvcrt

        for fd in (read_fd, write_fd):
            msvcrt.setmode(fd, os.O_BINARY)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return Channel(read_fd, write_fd, FileReceiver.inherited())


def run_child(serve: Callable[[Channel], int]) -> NoReturn:
    """Set up this process as a worker, serve its parent, and exit with the code of ``serve``."""
    channel = open_channel()
    prepare_process()
    if channel.is_closed():  # the parent died before this process was tied to it
        leave(EXIT_STOPPED)
    try:
        code = serve(channel)
    except ParentGone:
        code = EXIT_STOPPED
    except WireBroken:
        code = EXIT_PROTOCOL
    except MemoryError as exc:
        dump_frames(exc)
        code = EXIT_OUT_OF_MEMORY
    except Exception as exc:
        dump_frames(exc)
        code = EXIT_CRASHED
    leave(code)


def leave(code: int) -> NoReturn:
    """Exit immediately, without running destructors."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def dump_frames(exc: BaseException) -> None:
    """Write an exception's stack to stderr in faulthandler's format, without message or values."""
    frames = traceback.extract_tb(exc.__traceback__)
    lines = [f'  File "{f.filename}", line {f.lineno} in {f.name}' for f in reversed(frames)]
    heading = (
        f"Fatal Python error: {type(exc).__name__}",
        "",
        f"Current thread 0x{threading.get_ident():016x} (most recent call first):",
    )
    with contextlib.suppress(OSError):
        sys.stderr.write("\n".join((*heading, *lines, "")))
        sys.stderr.flush()


@contextlib.contextmanager
def armed(dump_after_s: float) -> Iterator[None]:
    """Write all stacks to stderr if the block runs longer than ``dump_after_s``; 0 disables it."""
    if dump_after_s > 0:
        faulthandler.dump_traceback_later(dump_after_s)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def prepare_process() -> None:
    """Enable crash dumps, lower the priority, and tie this process to its server's lifetime."""
    faulthandler.enable()
    # Ctrl-C, systemd and `timeout` signal the whole process group; the server first finishes
    # accepted work, then sends its workers a stop message.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    lower_priority(os.getpid(), os.getppid())
    if sys.platform == "linux":
        _offer_to_oom_killer()
        _die_with_parent()
    keep_memory_private()  # last: afterwards root owns the files in /proc/self


def keep_memory_private() -> None:
    """Disable core files, which would contain speech.

    On Linux this also prevents other processes of the user from reading this process's memory and
    environment.
    """
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        # The limit does not apply to cores that are piped to a program such as systemd's (core(5)).
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def limit_memory(allowed_bytes: int) -> bool:
    """Limit the growth of this process to ``allowed_bytes``; return whether the limit is set.

    Linux counts private writable memory, which is what engines allocate, against RLIMIT_DATA (since
    4.7). Exceeding it raises ``MemoryError`` or aborts in a library; both end the child.
    """
    in_use_bytes = getattr(psutil.Process().memory_info(), "data", 0)
    if sys.platform != "linux" or not allowed_bytes or not in_use_bytes:
        return False
    import resource

    _, hard_bytes = resource.getrlimit(resource.RLIMIT_DATA)
    limit_bytes = in_use_bytes + allowed_bytes
    if hard_bytes != resource.RLIM_INFINITY:
        limit_bytes = min(limit_bytes, hard_bytes)
    resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, hard_bytes))
    return True


def rss_bytes() -> int:
    """Return the resident memory of this process."""
    return int(psutil.Process().memory_info().rss)


def _offer_to_oom_killer() -> None:
    with contextlib.suppress(OSError, ValueError), open("/proc/self/oom_score_adj", "r+") as score:
        if int(score.read()) < OOM_SCORE_ADJ:
            score.seek(0)
            score.write(str(OOM_SCORE_ADJ))


def _die_with_parent() -> None:
    # The closed pipe shows the same, but is not read while a model hangs.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
