"""One real child process and the parent's side of its pipes, for tests."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from auricle.workers.kinds.asr.messages import BatchDone
from auricle.workers.kinds.decode.messages import StepDone, StepFailed
from auricle.workers.kinds.speakers.messages import StretchesEmbedded
from auricle.workers.kinds.turns.messages import TurnJudged
from auricle.workers.sandbox.confinement import SandboxPolicy, program
from auricle.workers.wire.framing import LENGTH, pack
from auricle.workers.wire.messages import Message, StartFailed, Submit, WorkDone, WorkerReady

ROOT = Path(__file__).parents[2]
LIMIT_S = 150.0
"""Upper bound of any wait; tests that pass wait much less."""
POLL_S = 0.02
Result = BatchDone | StepDone | StepFailed | StretchesEmbedded | TurnJudged
ANSWERS = msgspec.msgpack.Decoder(WorkerReady | StartFailed | WorkDone[Result])


class Child:
    """The worker of MODULE; a watchdog kills it ``LIMIT_S`` after a message: no read hangs."""

    def __init__(self, module: str, policy: SandboxPolicy | None = None) -> None:
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.process = subprocess.Popen(
            [sys.executable, "-m", *program(module, policy)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": path},
        )
        self._submitted: list[int] = []
        self._watch()
        self._stderr = b""
        self._drain = threading.Thread(target=self._read_stderr, daemon=True)
        self._drain.start()

    def send(self, *messages: Message) -> None:
        """Send messages; work is sent as :class:`.Submit`."""
        self._submitted += [each.id for each in messages if isinstance(each, Submit)]
        self.send_raw(b"".join(map(pack, messages)))

    def send_raw(self, data: bytes) -> None:
        assert self.process.stdin
        self._watchdog.cancel()
        self._watch()
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def receive(self) -> WorkerReady | StartFailed | Result:
        """Return the next message, or the result of the work that is due."""
        (length,) = LENGTH.unpack(self.read(LENGTH.size))
        answer: Any = ANSWERS.decode(self.read(length))
        if isinstance(answer, WorkerReady | StartFailed):
            return answer
        assert answer.id == self._submitted.pop(0)
        result: Result = answer.result
        return result

    def read(self, size_bytes: int) -> bytes:
        assert self.process.stdout
        data = self.process.stdout.read(size_bytes)
        if len(data) < size_bytes:
            raise EOFError(f"the child is gone; it said: {self.stderr()}")
        return data

    def close_stdin(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()

    def wait(self) -> int:
        """Wait for its own end and return its exit code."""
        return self.process.wait(LIMIT_S)

    def wait_for_stderr(self, words: str) -> None:
        """Wait until these words have come on stderr."""
        for _ in range(int(LIMIT_S / POLL_S)):
            if words.encode() in self._stderr:
                return
            time.sleep(POLL_S)
        raise AssertionError(f"never said {words!r}")

    def stderr(self) -> str:
        """Wait for its end and return all that it wrote to stderr."""
        self.wait()
        self._drain.join(LIMIT_S)
        return self._stderr.decode()

    def _watch(self) -> None:
        self._watchdog = threading.Timer(LIMIT_S, self.process.kill)
        self._watchdog.daemon = True
        self._watchdog.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._watchdog.cancel()
        self.process.kill()
        self.process.wait()
        self._drain.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe
            try:
                pipe.close()
            except BrokenPipeError:
                continue

    def _read_stderr(self) -> None:
        assert self.process.stderr
        while chunk := os.read(self.process.stderr.fileno(), 65536):
            self._stderr += chunk
