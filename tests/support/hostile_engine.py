"""An engine that was taken over: ``tests.support.hostile_engine``.

A job's ``initial_prompt`` is what it tries, ``NAME:ARGUMENT``; its text is ``done``, or the error
that it met. A name that begins with ``thread-`` is tried by a thread that has been there since the
engine was loaded.
"""

import ctypes
import fcntl
import os
import queue
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from auricle.engines.base import EngineSettings, EngineSpec, NoModelFiles
from auricle.values.errors import AudioError
from auricle.values.types import Job, Segment, Transcript
from auricle.workers.sandbox import attempts

PTRACE_ATTACH, PTRACE_DETACH = 16, 17
IO_URING_SETUP = 425
F_SETSIG = 10
EAT_BYTES = 16 * 2**30

SPEC = EngineSpec("hostile", reads_prompts=True, models=NoModelFiles("hostile"))


def load(settings: EngineSettings) -> "HostileEngine":
    return HostileEngine()


class HostileEngine:
    def __init__(self) -> None:
        self._asked: queue.Queue[str] = queue.Queue(maxsize=1)
        self._answered: queue.Queue[str] = queue.Queue(maxsize=1)
        threading.Thread(target=self._work, daemon=True).start()

    def warm_up(self) -> None: ...

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | AudioError]:
        texts = [self._try(job.options.initial_prompt or "nothing:") for job in jobs]
        return [
            Transcript(text, "en", 1.0, job.pcm.size, (Segment(0, job.pcm.size, text),))
            for job, text in zip(jobs, texts, strict=True)
        ]

    def _try(self, what: str) -> str:
        if what.startswith("thread-"):
            self._asked.put(what.removeprefix("thread-"))
            return self._answered.get()
        return outcome(what)

    def _work(self) -> None:
        while True:
            self._answered.put(outcome(self._asked.get()))


def outcome(what: str) -> str:
    name, _, argument = what.partition(":")
    try:
        ATTEMPTS[name](argument)
    except OSError as exc:
        return type(exc).__name__
    return "done"


def tcp(port: str) -> None:
    socket.create_connection(("127.0.0.1", int(port)), timeout=10).close()


def udp(port: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"what was said", ("127.0.0.1", int(port)))


def ask_kernel(number: int, *arguments: object) -> None:
    call = ctypes.CDLL(None, use_errno=True).syscall
    if call(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")


def trace_parent(_: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(PTRACE_ATTACH, os.getppid(), None, None):
        raise OSError(ctypes.get_errno(), "ptrace")
    os.waitpid(os.getppid(), 0)
    libc.ptrace(PTRACE_DETACH, os.getppid(), None, None)


def signal_through_pipe(_: str) -> None:
    """Let the kernel send the signal when a pipe has something to read."""
    read_fd, write_fd = os.pipe()
    fcntl.fcntl(read_fd, F_SETSIG, signal.SIGUSR1)
    fcntl.fcntl(read_fd, fcntl.F_SETOWN, os.getppid())
    fcntl.fcntl(read_fd, fcntl.F_SETFL, os.O_ASYNC)
    os.write(write_fd, b"x")


def limit_parent(_: str) -> None:
    import resource

    resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (999, 1000))


def idle_parent(_: str) -> None:
    os.sched_setscheduler(os.getppid(), os.SCHED_IDLE, os.sched_param(0))


def pin_parent(_: str) -> None:
    os.sched_setaffinity(os.getppid(), os.sched_getaffinity(os.getppid()))


def memory_for_ever(_: str) -> None:
    """Take memory that stays when this process is gone, and give it back."""
    libc = ctypes.CDLL(None, use_errno=True)
    segment = libc.shmget(0, 100, 0o600)
    if segment < 0:
        raise OSError(ctypes.get_errno(), "shmget")
    libc.shmctl(segment, 0, None)  # IPC_RMID


def fork(_: str) -> None:
    if pid := os.fork():
        os.waitpid(pid, 0)
    else:
        os._exit(0)


def eat(_: str) -> None:
    """Allocate memory all at once, between two samples of the supervisor."""
    bytearray(EAT_BYTES)


def many_threads(count: str) -> None:
    threading.stack_size(64 * 2**10)  # so that they don't reach the limit on memory
    for _ in range(int(count)):
        threading.Thread(target=threading.Event().wait, daemon=True).start()


def spin() -> None:
    while True:
        pass


ATTEMPTS: dict[str, Callable[[str], object]] = {
    "nothing": lambda _: None,
    "tcp": tcp,
    "udp": udp,
    "local-socket": lambda _: socket.socket(socket.AF_UNIX).close(),
    "io-uring": lambda _: ask_kernel(IO_URING_SETUP, 1, ctypes.create_string_buffer(120)),
    "read": lambda path: Path(path).read_bytes(),
    "list": os.listdir,
    "write": lambda path: Path(path).write_text("x"),
    "append": lambda path: Path(path).open("ab").close(),
    "truncate": lambda path: os.truncate(path, 0),
    "remove": lambda path: Path(path).unlink(),
    "chmod": lambda path: os.chmod(path, 0o777),
    "run": lambda program: subprocess.run([program], check=True),
    "fork": fork,
    "signal": lambda _: os.kill(os.getppid(), signal.SIGUSR1),
    "signal-group": lambda _: os.kill(0, signal.SIGUSR1),
    "signal-through-pipe": signal_through_pipe,
    "trace": trace_parent,
    "parent-environment": lambda _: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
    "parent-memory": lambda _: Path(f"/proc/{os.getppid()}/mem").open("rb").close(),
    "limit-parent": limit_parent,
    "renice-parent": lambda _: os.setpriority(os.PRIO_PROCESS, os.getppid(), 19),
    "idle-parent": idle_parent,
    "pin-parent": pin_parent,
    "memory-for-ever": memory_for_ever,
    "thread": lambda _: threading.Thread(target=int).start(),
    "signal-itself": lambda _: os.kill(os.getpid(), 0),
    "eat": eat,
    "many-threads": many_threads,
    "spin": lambda _: threading.Thread(target=spin, daemon=True).start(),
    "attempt": lambda name: attempts.ATTEMPTS[name](),
}
