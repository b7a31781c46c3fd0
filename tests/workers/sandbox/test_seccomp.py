"""Which calls are refused; what that is worth for a worker is tried in ``test_confinement``."""

import os
import subprocess
import sys

import pytest

from auricle.workers.sandbox.attempts import ATTEMPTS
from auricle.workers.sandbox.seccomp import ARCHITECTURES

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(
        sys.platform != "linux" or os.uname().machine not in ARCHITECTURES,
        reason="there is no table for this system",
    ),
]


def met(action: str, **options: bool) -> str:
    """Return what a process meets that has given up its calls."""
    code = (
        "import ctypes, os, signal, socket, threading\n"
        "from auricle.workers.sandbox.attempts import ATTEMPTS\n"
        "from auricle.workers.sandbox.seccomp import forbid_calls\n"
        "def for_ever(name, *arguments):\n"
        "    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) < 0:\n"
        "        raise OSError(ctypes.get_errno(), name)\n"
        "ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)\n"
        f"forbid_calls(**{options!r})\n"
        f"try:\n    {action}\nexcept OSError as exc:\n    print(type(exc).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert not done.stderr
    return done.stdout.strip() or str(done.returncode)


REFUSED = "PermissionError"


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("socket.socket(socket.AF_INET)", REFUSED),
        ("socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)", REFUSED),
        ("socket.socket(socket.AF_UNIX)", REFUSED),
        ("socket.socketpair()", REFUSED),
        ("os.execv('/bin/true', ['true'])", REFUSED),
        ("os.fork()", REFUSED),
        ("os.posix_spawn('/bin/true', ['true'], {})", REFUSED),
        ("os.kill(os.getppid(), 0)", REFUSED),
        ("os.kill(1, 0)", REFUSED),
        ("os.kill(os.getpid(), 0)", "0"),
        ("os.chmod('/', 0o777)", REFUSED),
        ("os.utime('/')", REFUSED),
        ("os.sched_setaffinity(os.getppid(), {0})", REFUSED),
        ("os.sched_setaffinity(0, os.sched_getaffinity(0))", "0"),
        ("os.sched_setscheduler(os.getppid(), os.SCHED_IDLE, os.sched_param(0))", REFUSED),
        ("os.sched_setparam(os.getppid(), os.sched_param(0))", REFUSED),
        ("for_ever('shmget', 1, 100, 0o1600)", REFUSED),
        ("for_ever('semget', 1, 1, 0o1600)", REFUSED),
        ("for_ever('msgget', 1, 0o1600)", REFUSED),
        ("threading.Thread(target=int).start()", "0"),
        ("os.pipe(); open('/dev/null').read()", "0"),
        ("signal.raise_signal(signal.SIGTERM)", "-15"),
        ("os.abort()", "-6"),
    ],
)
def test_needed_headers_are_forwarded_and_others_rejected(action: str, expected: str) -> None:
    assert met(action) == expected


def test_sockets_within_the_machine_may_stay() -> None:
    assert met("socket.socket(socket.AF_UNIX)", for_gpu=True) == "0"
    assert met("socket.socket(socket.AF_INET)", for_gpu=True) == REFUSED


@pytest.mark.parametrize("name", ATTEMPTS)
def test_what_a_worker_that_was_taken_over_might_try_is_refused(name: str) -> None:
    assert met(f"ATTEMPTS[{name!r}]()") == REFUSED


def test_private_memory_and_harmless_options_stay() -> None:
    assert met("__import__('mmap').mmap(-1, 4096, 0x22).close()") == "0"
    assert met("assert ctypes.CDLL(None).prctl(15, b'name', 0, 0, 0) == 0") == "0"
    assert met("__import__('mmap').mmap(-1, 4096).close()", for_gpu=True) == "0"


def test_threads_that_are_there_are_held_as_well() -> None:
    code = (
        "import ctypes, os, threading\n"
        "from auricle.workers.sandbox.seccomp import forbid_calls\n"
        "may_try = threading.Event()\n"
        "def attempt():\n"
        "    may_try.wait()\n"
        "    try:\n"
        "        os.kill(1, 0)\n"
        "    except OSError as exc:\n"
        "        print(type(exc).__name__)\n"
        "thread = threading.Thread(target=attempt)\n"
        "thread.start()\n"
        "ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)\n"
        "forbid_calls()\n"
        "may_try.set()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == REFUSED


def test_permitted_attempts_are_reported() -> None:
    code = (
        "from auricle.workers.sandbox.attempts import not_refused; print(*not_refused(), sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = {"starting processes", "outliving the server", "shared memory (mmap)"}
    assert expected <= set(done.stdout.splitlines())
