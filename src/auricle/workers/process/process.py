"""Run one child process: start it, exchange typed messages, kill and reap it.

This module makes no decisions: ``policy`` decides when to act, ``supervisor`` what to do. The
child's stderr is always drained, because a full pipe would block the child at 64 KiB; its last
lines are the crash report.
"""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import anyio
import msgspec

from auricle.workers.priority import lower_priority
from auricle.workers.process.stack_frames import crash_frames
from auricle.workers.process.stderr_tail import StderrTail
from auricle.workers.wire.framing import LENGTH, decode, pack
from auricle.workers.wire.handover import FILES_VARIABLE, FileSender
from auricle.workers.wire.messages import MAX_START_ANSWER_BYTES, FromChild, Message

STDERR_PART_BYTES, STDERR_PAUSE_S = 2**16, 0.005
"""Bytes of stderr read at once, and the pause after a full part: a child that prints without end
is read at 13 MB/s, and then waits for its pipe."""
PIPE_BYTES = 2**20
"""Pipe size for the child's stdin: 30 s of PCM16 then take 4 ms instead of 15 (pipe-max-size)."""
READ_LIMIT_BYTES = 2**20
EXIT_GRACE_S = 2.0
"""Time from the end of a child's stdout to its kill, for it to exit and for reading its stderr."""

_FATAL = "Fatal Python error: "
"""First line of faulthandler's dump when a process crashes."""


@dataclass(frozen=True, slots=True)
class ProcessExit:
    """How a child exited, and the stack frames from its stderr, innermost first.

    ``dropped_bytes`` is output on stderr that was too much to be kept until it was read.
    """

    signal: str | None
    code: int | None
    stack: tuple[str, ...]
    dropped_bytes: int = 0

    @property
    def signature(self) -> str | None:
        """Signal or exit code, and the top frame; ``None`` if no frame is known.

        Two crashes with the same signature count as the same crash.
        """
        if not self.stack:
            return None
        return f"{self.signal or self.code} {self.stack[0]}"


class WorkerProcess:
    """A running child program.

    :meth:`run` must be awaited while the child lives; all other methods may be called at any time
    from the same event loop.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        answers: msgspec.msgpack.Decoder[Any],
        files: FileSender | None = None,
    ) -> None:
        self._process = process
        self._answers = answers
        self._files = files
        self._stderr = StderrTail()
        self.max_message_bytes = MAX_START_ANSWER_BYTES
        """A child that sends a larger message is killed; set for each assignment."""
        self.protocol_error: str | None = None
        """Name of the exception if the child was killed for an invalid message."""

    @classmethod
    async def spawn(
        cls,
        program: Sequence[str],
        environment: Mapping[str, str],
        answers: msgspec.msgpack.Decoder[Any],
        *,
        gets_files: bool = False,
    ) -> Self:
        """Start ``python -m PROGRAM``.

        Args:
            program: The module and its arguments.
            environment: The complete environment of the child.
            answers: Decodes the child's messages.
            gets_files: Whether open files can be sent to the child.

        Raises:
            OSError: The system cannot start a process.
        """
        files = FileSender() if gets_files else None
        inherited = {} if files is None else {FILES_VARIABLE: str(files.worker_end)}
        options: dict[str, Any] = {} if files is None else {"pass_fds": (files.worker_end,)}
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", *program),
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                env=dict(environment) | inherited,
                limit=READ_LIMIT_BYTES,
                **options,
            )
        except BaseException:
            if files is not None:
                files.close()
            raise
        if files is not None:
            files.started()
        lower_priority(process.pid, os.getpid())
        _widen_pipe(process)
        return cls(process, answers, files)

    @property
    def pid(self) -> int:
        """Process ID of the child."""
        return self._process.pid

    @property
    def stderr_tail(self) -> tuple[str, ...]:
        """Last lines of the child's stderr; never log them, they may contain speech."""
        return tuple(self._stderr)

    def forget_stderr(self) -> None:
        """Discard the stderr output so far, as it is unrelated to the next assignment.

        A dump of a crash in progress is kept.
        """
        if not any(line.startswith(_FATAL) for line in self._stderr):
            self._stderr.clear()

    def send(self, message: Message, file: int | None = None) -> None:
        """Queue a message without waiting; the buffer holds at most one batch.

        Args:
            message: The message.
            file: Descriptor of an open file that belongs to the message.

        Raises:
            OSError: The child does not receive the files that it is sent.
        """
        assert self._process.stdin is not None
        if file is not None:
            assert self._files is not None
            self._files.send(file)
        if not self._process.stdin.is_closing():
            self._process.stdin.write(pack(message))

    def kill(self) -> None:
        """Send SIGKILL (Windows: TerminateProcess); a hung C call ignores other signals."""
        if self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            if sys.platform == "win32":
                self._process.kill()
            else:
                # Popen.kill() polls first and may reap the child before asyncio's watcher does,
                # which then has no exit code (CPython 3.11, subprocess.send_signal).
                os.kill(self._process.pid, signal.SIGKILL)

    async def run(self, on_message: Callable[[FromChild], None]) -> ProcessExit:
        """Read messages until the child closes its stdout, reap it, and return how it exited.

        An invalid message kills the child. Cancelling this method kills and reaps the child.
        """
        try:
            async with anyio.create_task_group() as readers:
                readers.start_soon(self._drain_stderr)
                await self._read_messages(on_message)
                readers.cancel_scope.deadline = anyio.current_time() + EXIT_GRACE_S
        finally:
            self.kill()
            with anyio.CancelScope(shield=True):
                code = await self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()
            if self._files is not None:
                self._files.close()
        return self._exit(code)

    async def _read_messages(self, on_message: Callable[[FromChild], None]) -> None:
        assert self._process.stdout is not None
        try:
            while True:
                (length,) = LENGTH.unpack(await self._process.stdout.readexactly(LENGTH.size))
                if length > self.max_message_bytes:
                    raise ValueError(f"message of {length} bytes")
                body = await self._process.stdout.readexactly(length)
                on_message(decode(self._answers, body))
        except asyncio.IncompleteReadError:
            return  # the child closed its stdout: it is exiting
        except (ValueError, msgspec.DecodeError) as exc:
            self.protocol_error = type(exc).__name__
            self.kill()

    async def _drain_stderr(self) -> None:
        assert self._process.stderr is not None
        while part := await self._process.stderr.read(STDERR_PART_BYTES):
            self._stderr.receive_data(part)
            if len(part) == STDERR_PART_BYTES:
                await anyio.sleep(STDERR_PAUSE_S)
        self._stderr.receive_eof()

    def _exit(self, code: int) -> ProcessExit:
        return ProcessExit(
            signal=_signal_name(-code) if code < 0 else None,
            code=code if code >= 0 else None,
            stack=crash_frames(self._stderr),
            dropped_bytes=self._stderr.dropped_bytes,
        )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _widen_pipe(process: asyncio.subprocess.Process) -> None:
    """Enlarge the pipe to the child's stdin where the system supports it (Linux)."""
    try:
        import fcntl

        set_size: int = fcntl.F_SETPIPE_SZ
    except (ImportError, AttributeError):
        return
    assert process.stdin is not None
    pipe = process.stdin.transport.get_extra_info("pipe")
    if pipe is None:  # uvloop (used by Ray Serve) has a socket instead and exposes no pipe
        return
    with contextlib.suppress(OSError, ValueError):  # closed if the child has exited
        fcntl.fcntl(pipe.fileno(), set_size, PIPE_BYTES)
