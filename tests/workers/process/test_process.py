import os
import time
from pathlib import Path

import anyio
import msgspec
import psutil
import pytest

from auricle.config.environment import worker_environment
from auricle.workers.priority import lower_priority
from auricle.workers.process.process import WorkerProcess
from auricle.workers.process.stack_frames import crash_frames
from auricle.workers.process.stderr_tail import MAX_LINE_BYTES, MAX_LINES
from auricle.workers.wire.framing import LENGTH, pack
from auricle.workers.wire.messages import (
    MAX_START_ANSWER_BYTES,
    FromChild,
    StartFailed,
    WorkerReady,
)
from tests.support.poll import poll_until

pytestmark = pytest.mark.process

ANSWERS = msgspec.msgpack.Decoder(WorkerReady | StartFailed)


async def run_script(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str
) -> tuple[WorkerProcess, list[FromChild], str | None, int | None, tuple[str, ...]]:
    """Run a child program made of this source; return what came of it."""
    (tmp_path / "child_under_test.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = await WorkerProcess.spawn(["child_under_test"], worker_environment(1), ANSWERS)
    received: list[FromChild] = []
    exit = await process.run(received.append)
    return process, received, exit.signal, exit.code, exit.stack


async def test_messages_and_the_exit_code_come_through(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    message = WorkerReady(1, 2, 4.0)
    source = f"import sys; sys.stdout.buffer.write({pack(message)!r}); sys.exit(7)"
    _, received, signal, code, _ = await run_script(monkeypatch, tmp_path, source)
    assert (received, signal, code) == ([message], None, 7)


async def test_a_child_yields_to_the_server_from_its_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "child_under_test.py").write_text("import time; time.sleep(600)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = await WorkerProcess.spawn(["child_under_test"], worker_environment(1), ANSWERS)
    own = psutil.Process()
    for _ in range(2):  # the worker lowers its priority too, which must not add up
        assert psutil.Process(process.pid).nice() == min(19, own.nice() + 5)
        lower_priority(process.pid, own.pid)
    process.kill()
    await process.run(lambda message: None)


@pytest.mark.parametrize(
    "nonsense",
    [
        pytest.param(b"hello, this is no message", id="text"),
        pytest.param(LENGTH.pack(MAX_START_ANSWER_BYTES + 1), id="a length above the limit"),
        pytest.param(LENGTH.pack(3) + b"\xc1\xc1\xc1", id="not msgpack"),
        pytest.param(LENGTH.pack(1) + b"\x80", id="no type"),
    ],
)
async def test_nonsense_on_the_wire_ends_the_child(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, nonsense: bytes
) -> None:
    source = (
        f"import sys, time; sys.stdout.buffer.write({nonsense!r}); sys.stdout.flush()\n"
        "time.sleep(600)"
    )
    process, received, signal, _, _ = await run_script(monkeypatch, tmp_path, source)
    assert (received, signal) == ([], "SIGKILL")
    assert process.protocol_error is not None


async def test_a_child_that_only_closes_its_stdout_is_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = "import os, time; os.close(1); time.sleep(600)"
    _, _, signal, _, _ = await run_script(monkeypatch, tmp_path, source)
    assert signal == "SIGKILL"


async def test_a_flood_on_stderr_blocks_no_one_and_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = (
        "import sys\n"
        "sys.stderr.write('x' * 5_000_000 + '\\n')\n"
        "for n in range(100_000): sys.stderr.write(f'line {n}\\n')\n"
    )
    process, _, _, code, _ = await run_script(monkeypatch, tmp_path, source)
    assert code == 0
    assert len(process.stderr_tail) <= MAX_LINES
    assert max(map(len, process.stderr_tail)) <= MAX_LINE_BYTES


@pytest.mark.wall_clock
async def test_a_child_that_prints_without_end_does_not_delay_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = (
        "import os\n"
        "with open(2, 'wb', closefd=False, buffering=0) as stderr:\n"
        "    for _ in range(128): stderr.write(b'\\n' * 2**16)\n"
        "    stderr.write(b'last')\n"
    )
    (tmp_path / "child_under_test.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = await WorkerProcess.spawn(["child_under_test"], worker_environment(1), ANSWERS)
    delays_s: list[float] = []

    async def watch() -> None:
        while True:  # processor time, since on a busy machine any task may be late
            began_s = time.thread_time()
            await anyio.sleep(0.001)
            delays_s.append(time.thread_time() - began_s)

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        exit = await process.run(lambda message: None)
        group.cancel_scope.cancel()
    assert exit.code == 0
    assert process.stderr_tail[-1] == "last"
    assert exit.dropped_bytes > 128 * (2**16 - 2 * MAX_LINES)
    assert max(delays_s) < 0.3


async def test_a_segfault_leaves_its_frames(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = (
        "import ctypes, faulthandler; faulthandler.enable()\n"
        "def innermost(): ctypes.string_at(0)\n"
        "innermost()\n"
    )
    _, _, signal, _, stack = await run_script(monkeypatch, tmp_path, source)
    assert signal == "SIGSEGV"
    assert "child_under_test.py:2 innermost" in stack[1]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of modules: each has nine lines and some functions."""
    functions = ("main", "call", "decode", "wait", "string_at")
    text = "".join(f"def {name}(): ...\n" for name in functions) + "# more\n" * 4
    for name in ("outer", "inner", "engine", "threading"):
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def test_frames_of_a_traceback_come_innermost_first_and_without_its_message(folder: Path) -> None:
    stderr = [
        "Traceback (most recent call last):",
        f'  File "{folder}/outer.py", line 1, in main',
        "    call(secret)",
        f'  File "{folder}/inner.py", line 2, in call',
        "ValueError: a secret that was spoken",
    ]
    name = folder.name
    assert crash_frames(stderr) == (f"{name}/inner.py:2 call", f"{name}/outer.py:1 main")


def test_the_crashed_thread_is_read_from_a_dump_of_several(folder: Path) -> None:
    stderr = [
        "Fatal Python error: Segmentation fault",
        "",
        "Current thread 0x01 (most recent call first):",
        f'  File "{folder}/engine.py", line 9 in decode',
        "",
        "Thread 0x02 (most recent call first):",
        f'  File "{folder}/threading.py", line 5 in wait',
    ]
    assert crash_frames(stderr) == (f"{folder.name}/engine.py:9 decode",)


def test_a_dump_of_c_frames_does_not_hide_those_of_python(folder: Path) -> None:
    # Python 3.14 writes both (https://docs.python.org/3.14/library/faulthandler.html).
    stderr = [
        "Fatal Python error: Segmentation fault",
        "",
        "Current thread 0x00007fb899f39700 [python] (most recent call first):",
        f'  File "{folder}/engine.py", line 5 in string_at',
        "",
        "Current thread's C stack trace (most recent call first):",
        '  Binary file "/usr/bin/python", at _Py_DumpStack+0x42 [0x5b27f7d7147e]',
    ]
    assert crash_frames(stderr) == (f"{folder.name}/engine.py:5 string_at",)


def test_the_main_thread_is_read_from_a_dump_after_a_timeout(folder: Path) -> None:
    stderr = [
        "Timeout (0:00:09)!",
        "Thread 0x02 (most recent call first):",
        f'  File "{folder}/threading.py", line 5 in wait',
        "",
        "Thread 0x01 (most recent call first):",
        f'  File "{folder}/engine.py", line 9 in decode',
    ]
    assert crash_frames(stderr)[0].endswith("engine.py:9 decode")


@pytest.mark.parametrize(
    "line",
    [
        'File "what was said/loudly.py", line 1 in decode',
        'File "{folder}/what_was_said.py", line 1 in decode',
        'File "{folder}/engine.py", line 1 in what_was_said',
        'File "{folder}/engine.py", line 1 in <what_was_said>',
        'File "{folder}/engine.py", line 11 in decode',
        'File "{folder}/engine.py", line 0 in decode',
        'File "{folder}/notes.txt", line 1 in decode',
        'File "{folder}/pipe.py", line 1 in decode',
        'File "{folder}/../elsewhere.py", line 1 in decode',
        'File "/etc/hostname", line 1 in <module>',
    ],
)
def test_what_is_no_frame_of_a_real_file_does_not_pass(folder: Path, line: str) -> None:
    (folder / "notes.txt").write_text("def decode(): ...\n")
    (folder.parent / "elsewhere.py").write_text("def decode(): ...\n")
    os.mkfifo(folder / "pipe.py")
    known = f'  File "{folder}/engine.py", line 3 in decode'
    stderr = ["Current thread 0x01 (most recent call first):", "  " + line.format(folder=folder)]
    assert crash_frames([*stderr, known]) == (f"{folder.name}/engine.py:3 decode",)


@pytest.mark.parametrize(
    ("begin", "is_kept"),
    [
        pytest.param("Fatal Python error: Segmentation fault", True, id="death"),
        pytest.param("Timeout (0:00:09)!", False, id="slowness"),
    ],
)
async def test_work_that_is_given_to_a_dying_child_leaves_its_stack(
    folder: Path, begin: str, is_kept: bool
) -> None:
    dump = (
        f"{begin}\nCurrent thread 0x1 (most recent call first):\n"
        f'  File "{folder}/engine.py", line 3 in decode'
    )
    source = f"import sys; print({dump!r}, file=sys.stderr, flush=True); sys.stdin.read()"
    (folder / "child_under_test.py").write_text(source)
    process = await WorkerProcess.spawn(["child_under_test"], worker_environment(1), ANSWERS)

    async def give_work() -> None:
        await poll_until(lambda: any("decode" in line for line in process.stderr_tail))
        process.forget_stderr()
        process.kill()

    async with anyio.create_task_group() as group:
        group.start_soon(give_work)
        exit = await process.run(lambda message: None)
    assert exit.stack == ((f"{folder.name}/engine.py:3 decode",) if is_kept else ())
