"""One child process: started as a program, spoken to in typed messages, killed and reaped.

Nothing here decides anything; see ``policy`` for when and ``crew`` for what. The child's stderr is
always drained (a pipe that nobody reads blocks the child at 64 KiB) and its tail is the crash
report.
"""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import anyio
import msgspec

from auricle.workers.process.handover import FILES_VARIABLE, FileSender
from auricle.workers.process.messages import (
    LENGTH,
    MAX_START_ANSWER_BYTES,
    Message,
    ToParent,
    pack,
    parse_from_child,
)
from auricle.workers.process.priority import lower_priority
from auricle.workers.process.stack_frames import crash_frames

STDERR_TAIL_LINES = 200
STDERR_LINE_BYTES = 2000
PIPE_BYTES = 2**20
"""Asked for the child's stdin: 30 s of PCM16 then take 4 ms instead of 15 (pipe-max-size)."""
READ_LIMIT_BYTES = 2**20
EXIT_GRACE_S = 2.0
"""From the end of a child's stdout to its kill: time for it to exit and for stderr to be read."""

_FATAL = "Fatal Python error: "
"""How faulthandler begins the dump of a process that dies."""


@dataclass(frozen=True, slots=True)
class ProcessExit:
    """How a child ended, and the frames that it left on stderr, innermost first."""

    signal: str | None
    code: int | None
    stack: tuple[str, ...]

    @property
    def signature(self) -> str | None:
        """What makes two deaths the same: ending and top frame; ``None`` if no frame is known."""
        if not self.stack:
            return None
        return f"{self.signal or self.code} {self.stack[0]}"


class WorkerProcess:
    """A running child program.

    :meth:`run` must be awaited for as long as the child lives; everything else may be called from
    the same event loop at any time.
    """

    def __init__(
        self, process: asyncio.subprocess.Process, files: FileSender | None = None
    ) -> None:
        self._process = process
        self._files = files
        self._stderr: deque[str] = deque(maxlen=STDERR_TAIL_LINES)
        self.max_message_bytes = MAX_START_ANSWER_BYTES
        """Longer messages of the child end it; set for each piece of work."""
        self.protocol_error: str | None = None
        """Set when the child was killed because it sent nonsense."""

    @classmethod
    async def spawn(
        cls, program: Sequence[str], environment: Mapping[str, str], *, gets_files: bool = False
    ) -> Self:
        """Start ``python -m PROGRAM``: a module, and its arguments.

        Args:
            program: The module and its arguments.
            environment: All of its environment.
            gets_files: Whether open files can be sent to it.

        Raises:
            OSError: The system can't start a process now.
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
        return cls(process, files)

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def stderr_tail(self) -> tuple[str, ...]:
        """The last lines that the child wrote to stderr; may hold anything: not for logs."""
        return tuple(self._stderr)

    def forget_stderr(self) -> None:
        """Drop what it wrote so far: that doesn't explain what happens from now on.

        Unless it is dying just now, and only its end has not come yet.
        """
        if not any(line.startswith(_FATAL) for line in self._stderr):
            self._stderr.clear()

    def send(self, message: Message, file: int | None = None) -> None:
        """Hand over a message without waiting; one batch at a time bounds what is buffered.

        Args:
            message: The message.
            file: An open file that it is about.

        Raises:
            OSError: The child doesn't take the files that it is sent.
        """
        assert self._process.stdin is not None
        if file is not None:
            assert self._files is not None
            self._files.send(file)
        if not self._process.stdin.is_closing():
            self._process.stdin.write(pack(message))

    def kill(self) -> None:
        """SIGKILL, or TerminateProcess: a hung C call hears nothing less."""
        if self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            if sys.platform == "win32":
                self._process.kill()
            else:
                # Popen.kill() polls first, and so may reap the child before asyncio's watcher
                # does, which then knows no exit code (CPython 3.11, subprocess.send_signal).
                os.kill(self._process.pid, signal.SIGKILL)

    async def run(self, on_message: Callable[[ToParent], None]) -> ProcessExit:
        """Read until the child closes its end, reap it, and say how it ended.

        A message that can't be parsed ends the child. Cancelling this kills the child and still
        reaps it.
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

    async def _read_messages(self, on_message: Callable[[ToParent], None]) -> None:
        assert self._process.stdout is not None
        try:
            while True:
                (length,) = LENGTH.unpack(await self._process.stdout.readexactly(LENGTH.size))
                if length > self.max_message_bytes:
                    raise ValueError(f"announces {length} bytes")
                on_message(parse_from_child(await self._process.stdout.readexactly(length)))
        except asyncio.IncompleteReadError:
            return  # The end of its stdout is the end of the child.
        except (ValueError, msgspec.DecodeError) as exc:
            self.protocol_error = type(exc).__name__
            self.kill()

    async def _drain_stderr(self) -> None:
        assert self._process.stderr is not None
        while True:
            try:
                line = await self._process.stderr.readuntil(b"\n")
            except asyncio.IncompleteReadError as exc:
                self._stderr.append(exc.partial[:STDERR_LINE_BYTES].decode("utf-8", "replace"))
                return
            except asyncio.LimitOverrunError as exc:
                await self._process.stderr.readexactly(exc.consumed)
                continue
            self._stderr.append(line[:STDERR_LINE_BYTES].decode("utf-8", "replace").rstrip())

    def _exit(self, code: int) -> ProcessExit:
        return ProcessExit(
            signal=_signal_name(-code) if code < 0 else None,
            code=code if code >= 0 else None,
            stack=crash_frames(self._stderr),
        )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _widen_pipe(process: asyncio.subprocess.Process) -> None:
    """Ask for a larger pipe where the system has such a thing (Linux)."""
    try:
        import fcntl

        set_size: int = fcntl.F_SETPIPE_SZ
    except (ImportError, AttributeError):
        return
    assert process.stdin is not None
    pipe = process.stdin.transport.get_extra_info("pipe")
    if pipe is None:  # uvloop, on which Ray Serve runs, gives a socket and doesn't tell
        return
    with contextlib.suppress(OSError, ValueError):  # closed, if the child is dead already
        fcntl.fcntl(pipe.fileno(), set_size, PIPE_BYTES)
