"""The worker's end of the channel, in separate processes where it changes the process."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from auricle.workers.child.channel import (
    MAX_MESSAGE_BYTES,
    Channel,
    ParentGone,
    WireBroken,
    dump_frames,
    limit_memory,
    rss_bytes,
)
from auricle.workers.process.stack_frames import crash_frames
from auricle.workers.wire.framing import LENGTH, pack
from auricle.workers.wire.messages import StartFailed, StopWorker
from tests.support.poll import wait_until

pytestmark = pytest.mark.process

Pipes = tuple[Channel, int, int]


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    """A channel, the parent's end to write to, and the parent's end to read from."""
    to_child, from_parent = os.pipe()
    to_parent, from_child = os.pipe()
    yield Channel(to_child, from_child), from_parent, to_parent
    for fd in (to_child, from_parent, to_parent, from_child):
        try:
            os.close(fd)
        except OSError:
            continue  # the test closed it


def run(code: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    return subprocess.run(
        [sys.executable, "-c", code], **given, capture_output=True, timeout=60, check=False
    )


def test_a_message_arrives_whole_however_it_is_split(pipes: Pipes) -> None:
    channel, parent, _ = pipes
    wire = pack(StopWorker())
    for at in range(1, len(wire)):
        os.write(parent, wire[:at])
        os.write(parent, wire[at:])
        assert bytes(channel.receive_body()) == wire[LENGTH.size :]


def test_messages_in_one_write_come_one_by_one(pipes: Pipes) -> None:
    channel, parent, _ = pipes
    wires = [pack(StartFailed("x" * size)) for size in (0, 1, 300)]
    os.write(parent, b"".join(wires))
    assert [bytes(channel.receive_body()) for _ in wires] == [w[LENGTH.size :] for w in wires]


def test_what_is_sent_is_length_and_body(pipes: Pipes) -> None:
    channel, _, parent = pipes
    channel.send(StopWorker())
    assert os.read(parent, 1000) == pack(StopWorker())


@pytest.mark.parametrize("sent", [b"", b"\x01\x00", LENGTH.pack(9) + b"half"])
def test_a_closed_pipe_is_the_parents_end(pipes: Pipes, sent: bytes) -> None:
    channel, parent, _ = pipes
    os.write(parent, sent)
    os.close(parent)
    with pytest.raises(ParentGone):
        channel.receive_body()


def test_a_closed_pipe_means_that_the_parent_is_gone(pipes: Pipes) -> None:
    channel, _, parent = pipes
    os.close(parent)
    with pytest.raises(ParentGone):
        channel.send(StopWorker())


@pytest.mark.parametrize(("length", "is_taken"), [(0, True), (MAX_MESSAGE_BYTES + 1, False)])
def test_the_announced_length_is_checked_before_anything_is_read(
    pipes: Pipes, length: int, is_taken: bool
) -> None:
    channel, parent, _ = pipes
    os.write(parent, LENGTH.pack(length))
    if is_taken:
        assert channel.receive_body() == b""
    else:
        with pytest.raises(WireBroken):
            channel.receive_body()


def test_prints_go_to_stderr_and_reads_are_empty() -> None:
    done = run(
        "import os, sys\n"
        "from auricle.workers.child.channel import open_channel, leave\n"
        "from auricle.workers.wire.messages import StopWorker\n"
        "channel = open_channel()\n"
        "print('a library speaks'); os.system('echo a program speaks')\n"
        "assert sys.stdin.read() == ''\n"
        "channel.send(StopWorker())\n"
        "leave(5)\n",
        stdin=b"not for libraries",
    )
    assert done.returncode == 5
    assert done.stdout == pack(StopWorker())
    assert b"a library speaks" in done.stderr
    assert b"a program speaks" in done.stderr


@pytest.mark.parametrize(
    ("raised", "code"),
    [("ParentGone", 0), ("WireBroken", 76), ("MemoryError", 71), ("ValueError('words')", 70)],
)
def test_each_end_has_its_own_code(raised: str, code: int) -> None:
    done = run(
        "from auricle.workers.child.channel import *\n"
        "from auricle.workers.child.channel import ParentGone, WireBroken\n"
        "def serve(channel):\n"
        f"    raise {raised}\n"
        "run_child(serve)\n"
    )
    assert done.returncode == code
    assert b"words" not in done.stderr


def test_a_crash_leaves_frames_that_the_parent_can_read(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise RuntimeError("what was said")
    except RuntimeError as exc:
        dump_frames(exc)
    stderr = capsys.readouterr().err
    assert "what was said" not in stderr
    (frame,) = crash_frames(stderr.splitlines())
    assert "test_channel.py" in frame
    assert frame.endswith("test_a_crash_leaves_frames_that_the_parent_can_read")


@pytest.mark.parametrize(
    ("dump_after_s", "is_dumped"),
    [pytest.param(0.05, True, marks=pytest.mark.wall_clock), (0.0, False), (60.0, False)],
)
def test_a_block_that_runs_too_long_shows_its_stack(dump_after_s: float, is_dumped: bool) -> None:
    done = run(
        "import faulthandler, time\n"
        "from auricle.workers.child.channel import armed\n"
        "def too_long():\n"
        "    time.sleep(0.5)\n"
        f"with armed({dump_after_s}):\n"
        "    too_long()\n"
    )
    assert done.returncode == 0
    assert (b"in too_long" in done.stderr) == is_dumped


@pytest.mark.skipif("sys.platform != 'linux'")
def test_memory_beyond_the_limit_is_refused() -> None:
    done = run(
        "from auricle.workers.child.channel import limit_memory\n"
        "assert limit_memory(64 * 2**20)\n"
        "small = b'x' * 2**25\n"
        "try:\n"
        "    large = b'x' * 2**27\n"
        "except MemoryError:\n"
        "    print('refused')\n"
    )
    assert done.stdout.strip() == b"refused", done.stderr


CRASH = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
os.chdir(sys.argv[1])
from auricle.workers.child.channel import keep_memory_private
if sys.argv[2] == "private":
    keep_memory_private()
    assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
os.abort()
"""


@pytest.mark.skipif("sys.platform != 'linux'")
@pytest.mark.parametrize("wish", ["private", "not"])
def test_speech_is_in_no_core_file(tmp_path: Path, wish: str) -> None:
    if resource.getrlimit(resource.RLIMIT_CORE)[1] != resource.RLIM_INFINITY:
        pytest.skip("no core files can be had here")
    if not Path("/proc/sys/kernel/core_pattern").read_text().startswith("core"):
        pytest.skip("core files go elsewhere")
    done = subprocess.run([sys.executable, "-c", CRASH, tmp_path, wish], check=False)
    assert done.returncode == -signal.SIGABRT
    assert bool(list(tmp_path.iterdir())) == (wish == "not")


@pytest.mark.skipif("sys.platform != 'linux'")
def test_no_program_of_the_system_gets_its_memory_when_it_dies() -> None:
    done = run(
        "import ctypes\n"
        "from auricle.workers.child.channel import prepare_process\n"
        "prepare_process()\n"
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"  # PR_GET_DUMPABLE
    )
    assert done.stdout.strip() == b"0"


def test_no_limit_is_no_limit() -> None:
    assert not limit_memory(0)


def test_its_memory_is_reported_in_bytes() -> None:
    assert 5e6 < rss_bytes() < 50e9


@pytest.mark.skipif("sys.platform != 'linux'")
def test_it_dies_with_its_parent_even_when_it_hangs() -> None:
    """A parent starts a hanging child, prints its PID, and exits."""
    parent = run(
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', '''\n"
        "import time\n"
        "from auricle.workers.child.channel import prepare_process\n"
        "prepare_process()\n"
        'print("prepared", flush=True)\n'
        "time.sleep(1000)\n"
        "'''], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid)\n"
    )
    pid = int(parent.stdout)
    wait_until(lambda: is_gone(pid), "its end")


@pytest.mark.skipif("sys.platform != 'linux'")
def test_a_parent_that_dies_first_leaves_no_child_that_hangs() -> None:
    """A parent starts a child that is slow to begin and then hangs, prints its PID, and exits."""
    child = (
        "import time; time.sleep(0.5); "
        "from auricle.workers.child.channel import run_child; "
        "run_child(lambda channel: time.sleep(1000))"
    )
    parent = run(
        "from subprocess import DEVNULL, PIPE, Popen; import sys; "
        f"child = Popen([sys.executable, '-c', {child!r}], stdin=PIPE, stdout=DEVNULL, "
        "stderr=DEVNULL); print(child.pid)"
    )
    pid = int(parent.stdout)
    wait_until(lambda: is_gone(pid), "its end")


def is_gone(pid: int) -> bool:
    """Return whether a process that is not our child has ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_channel_knows_whether_a_message_comes(pipes: Pipes) -> None:
    channel, from_parent, _ = pipes
    assert not channel.has_input(0.0)
    os.write(from_parent, b"\x00")
    assert channel.has_input(60.0)


def test_a_closed_pipe_counts_as_input(pipes: Pipes) -> None:
    channel, from_parent, _ = pipes
    os.write(from_parent, b"\x00")
    assert not channel.is_closed()
    os.close(from_parent)
    assert channel.has_input(60.0)
    assert channel.is_closed()
