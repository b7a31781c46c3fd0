"""The child's end of the wire to the pool, and how a worker process is set up and ends.

A child reads ``[uint32_le length][msgpack]`` from its standard input and writes the same to its
standard output (:mod:`auricle.workers.process.messages`). Before anything else both are moved to
descriptors of their own: what a library prints goes to stderr, and what it reads is empty.

A child is crash-only. It leaves at once, without the interpreter's teardown (native libraries
have been seen to hang in theirs): when told to stop, when its parent is gone, and when anything
happens that it does not know. Then its stack goes to stderr in faulthandler's format: frames
only, because an exception's message may hold speech.
"""

import contextlib
import ctypes
import faulthandler
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import NoReturn

import psutil

from auricle.workers.process.handover import FileReceiver
from auricle.workers.process.messages import LENGTH, MAX_MESSAGE_BYTES, Message, pack
from auricle.workers.process.priority import lower_priority

EXIT_STOPPED = 0
EXIT_CRASHED = 70  # sysexits.h: EX_SOFTWARE
EXIT_OUT_OF_MEMORY = 71  # sysexits.h: EX_OSERR
EXIT_PROTOCOL = 76  # sysexits.h: EX_PROTOCOL
EXIT_START_FAILED = 78  # sysexits.h: EX_CONFIG

OOM_SCORE_ADJ = 500
"""Half of memory on top of what is really used: the kernel takes a worker before the server."""

PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4  # linux/prctl.h


class ParentGone(Exception):
    """The pipe to the parent is closed: there is nobody left to work for."""


class WireBroken(Exception):
    """The parent sent what no parent of ours sends."""


class Channel:
    """Whole messages over two descriptors that nobody else in this process knows."""

    def __init__(self, read_fd: int, write_fd: int, files: FileReceiver | None = None) -> None:
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._files = files

    def receive_body(self) -> bytearray:
        """Wait for the next message and return it without its length.

        Raises:
            ParentGone: The pipe is closed, also in the middle of a message.
            WireBroken: The announced length is above the limit.
        """
        (length,) = LENGTH.unpack(self._read(LENGTH.size))
        if length > MAX_MESSAGE_BYTES:
            raise WireBroken
        return self._read(length)

    def receive_file(self) -> int:
        """Wait for an open file and return its descriptor, which the caller owns.

        Raises:
            ParentGone: The socket is closed.
            WireBroken: Nobody said that there would be files.
        """
        if self._files is None:
            raise WireBroken
        try:
            return self._files.receive()
        except OSError as exc:
            raise ParentGone from exc

    def send(self, message: Message) -> None:
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
    """Take stdin and stdout away from everybody else in this process and return them."""
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
    """Set this process up as a worker, serve its parent, and exit with what ``serve`` returns."""
    channel = open_channel()
    prepare_process()
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
    """End this process now, running no destructors."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def dump_frames(exc: BaseException) -> None:
    """Write where an exception came from to stderr, as faulthandler does: no message, no values."""
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
    """Write all stacks to stderr if the block is still running after so long; 0 never does."""
    if dump_after_s > 0:
        faulthandler.dump_traceback_later(dump_after_s)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def prepare_process() -> None:
    """Make this process a good worker: explains its crashes, yields to the server, dies with it."""
    faulthandler.enable()
    # Ctrl-C, systemd and `timeout` send these to the whole group: the server finishes accepted work
    # first, and then tells its workers to stop.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    lower_priority(os.getpid(), os.getppid())
    if sys.platform == "linux":
        _offer_to_oom_killer()
        _die_with_parent()
    keep_memory_private()  # which makes files in /proc root's: after what writes to them


def keep_memory_private() -> None:
    """Keep what this process holds, which is speech, out of core files and from its neighbours.

    On Linux no other process of the user can look into it, either, nor at its environment.
    """
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        # A core that goes to a program, such as systemd's, isn't held to that limit (core(5)).
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def limit_memory(allowed_bytes: int) -> bool:
    """Let this process grow by so much and no more, where the system can; return whether it does.

    Linux counts private writable memory against RLIMIT_DATA (since 4.7), which is what an engine
    grows in. Going over it is a ``MemoryError``, or an abort in a library: either ends the child.
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
    """Return the memory that this process holds."""
    return int(psutil.Process().memory_info().rss)


def _offer_to_oom_killer() -> None:
    with contextlib.suppress(OSError, ValueError), open("/proc/self/oom_score_adj", "r+") as score:
        if int(score.read()) < OOM_SCORE_ADJ:
            score.seek(0)
            score.write(str(OOM_SCORE_ADJ))


def _die_with_parent() -> None:
    # The closed pipe says the same, but nobody reads it while a model hangs.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
