"""A decode worker that was taken over: what it is given names what it tries.

The file that it is handed holds a path. It answers with the error that each attempt met.
"""

import os
from collections.abc import Callable
from pathlib import Path

from auricle.workers.child.channel import EXIT_STOPPED, Channel
from auricle.workers.kinds.decode.messages import TO_CHILD, StepFailed
from auricle.workers.wire.messages import StopWorker, Submit, WorkDone, WorkerReady


def serve(channel: Channel, seal: Callable[[], tuple[str, ...]]) -> int:
    TO_CHILD.decode(channel.receive_body())
    channel.send(WorkerReady(os.getpid(), 10**8, unconfined=seal()))
    while not isinstance(message := TO_CHILD.decode(channel.receive_body()), StopWorker):
        if isinstance(message, Submit):
            assert message.work.path is None
            failed = StepFailed("bad_audio", tried(channel.receive_file()))
            channel.send(WorkDone(message.id, failed))
    return EXIT_STOPPED


def tried(file: int) -> str:
    path = os.pread(file, 1000, 0).decode()
    attempts: dict[str, Callable[[], object]] = {
        "open": lambda: Path(path).read_bytes(),
        "list": lambda: os.listdir(Path(path).parent),
        "write": lambda: os.pwrite(file, b"x", 0),
        "reopen": lambda: os.open(f"/proc/self/fd/{file}", os.O_RDWR),
        "parent": lambda: os.listdir(f"/proc/{os.getppid()}/fd"),
    }
    return ", ".join(f"{name} {met(attempt)}" for name, attempt in attempts.items())


def met(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as exc:
        return type(exc).__name__
    return "done"
