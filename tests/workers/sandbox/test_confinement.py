"""What workers that were taken over can't do: real ones, in a pool, that try it."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import structlog
from structlog.testing import capture_logs

from auricle.config.sections.decode import DecodeSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.values.errors import AudioError, PoisonJob
from auricle.values.types import Job, JobId, Options, Source
from auricle.workers.kinds.asr.pool import WorkerPool
from auricle.workers.kinds.decode import pool as decode_pool
from auricle.workers.kinds.decode.pool import DecodePool
from auricle.workers.process import usage
from auricle.workers.sandbox.attempts import ATTEMPTS
from auricle.workers.sandbox.confinement import CALLS, FILES
from auricle.workers.sandbox.landlock import version
from auricle.workers.sandbox.seccomp import ARCHITECTURES
from tests.support.older_kernel import LANDLOCK, SECCOMP, interpreter
from tests.support.poll import poll_until
from tests.support.pool import worker_pool
from tests.support.worker_pool import ROOT, START_LIMIT_S

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(
        sys.platform != "linux" or version() < 6 or os.uname().machine not in ARCHITECTURES,
        reason="this kernel has no Landlock, or an old one",
    ),
]

HOSTILE = "tests.support.hostile_engine"
KEY = "a-key-that-no-worker-sees"


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """A folder with a model and a file of keys, of which a worker is shown only the model."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.bin").write_bytes(b"weights")
    (tmp_path / "keys").write_text(KEY)
    (tmp_path / "keys").chmod(0o600)
    return tmp_path


@asynccontextmanager
async def hostile_pool(
    model: Path, engine: str = HOSTILE, **settings: object
) -> AsyncIterator[WorkerPool]:
    given = {"workers": 1, "job_timeout_min_s": 60.0, "sandbox_folders": (), **settings}
    pool = worker_pool(WorkerSettings.model_validate(given), engine=engine, model=str(model))
    await pool.start()
    try:
        await pool.wait_ready(START_LIMIT_S)
        yield pool
    finally:
        await pool.aclose()


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


@pytest.fixture
def signals() -> Iterator[list[int]]:
    """The signals that reach this process, the workers' parent."""
    received: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: received.append(number))
    yield received
    signal.signal(signal.SIGUSR1, before)


@contextmanager
def listener(kind: socket.SocketKind) -> Iterator[int]:
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            found.listen()
        yield found.getsockname()[1]


async def tried(pool: WorkerPool, what: str) -> str:
    pcm = np.zeros(1600, np.int16)
    return (await pool.transcribe(Job(JobId(what), pcm, Options(initial_prompt=what)))).text


def attempts(ours: Path, tcp_port: int, udp_port: int) -> dict[str, str]:
    """Return what a confined worker is to meet, by what it tries; harmless if it gets through."""
    refused = "PermissionError"
    return {
        f"tcp:{tcp_port}": refused,
        f"udp:{udp_port}": refused,
        "local-socket:": refused,
        "io-uring:": refused,
        f"thread-tcp:{tcp_port}": refused,
        "read:/etc/hostname": refused,
        f"read:{ours / 'keys'}": refused,
        f"thread-read:{ours / 'keys'}": refused,
        f"list:{ours}": refused,
        "list:/": refused,
        f"write:{ours / 'new'}": refused,
        f"read:{ours / 'model/model.bin'}": "done",
        f"append:{ours / 'model/model.bin'}": refused,
        f"truncate:{ours / 'model/model.bin'}": refused,
        f"chmod:{ours / 'keys'}": refused,
        f"remove:{ours / 'keys'}": refused,
        "run:/bin/true": refused,
        "thread-run:/bin/true": refused,
        "fork:": refused,
        "trace:": refused,
        "parent-environment:": refused,
        "parent-memory:": refused,
        "limit-parent:": refused,
        "renice-parent:": refused,
        "idle-parent:": refused,
        "pin-parent:": refused,
        "memory-for-ever:": refused,
        "signal:": refused,
        "thread-signal:": refused,
        "signal-group:": refused,
        "signal-through-pipe:": "done",  # as long as the signal doesn't come
        "thread:": "done",
        "signal-itself:": "done",
        "nothing:": "done",
    } | {f"{thread}attempt:{name}": refused for name in ATTEMPTS for thread in ("", "thread-")}


async def test_a_worker_that_was_taken_over_gets_nowhere(
    ours: Path, signals: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ours)  # where the server is started may lie anything
    with listener(socket.SOCK_STREAM) as tcp_port, listener(socket.SOCK_DGRAM) as udp_port:
        expected = attempts(ours, tcp_port, udp_port)
        async with hostile_pool(ours / "model") as pool:
            met = {what: await tried(pool, what) for what in expected}
            assert pool.stats().workers[0].restarts == 0
    assert met == expected
    assert signals == []
    assert (ours / "keys").read_text() == KEY
    assert (ours / "keys").stat().st_mode & 0o777 == 0o600
    assert (ours / "model/model.bin").read_bytes() == b"weights"


async def test_without_confinement_it_would(ours: Path, signals: list[int]) -> None:
    """Nothing else stops these attempts; those that would harm this process are left out."""
    left_out = ("trace", "limit-parent", "renice-parent", "idle-parent", "signal-group")
    # What the kernel or this machine may refuse by itself.
    rare = ("io-uring", "io_uring", "fanotify", "memfd_secret", "shmget")
    with listener(socket.SOCK_STREAM) as tcp_port, listener(socket.SOCK_DGRAM) as udp_port:
        asked = [
            what
            for what in attempts(ours, tcp_port, udp_port)
            if not what.startswith(left_out) and not any(name in what for name in rare)
        ]
        async with hostile_pool(ours / "model", sandbox="off") as pool:
            assert {what: await tried(pool, what) for what in asked} == dict.fromkeys(asked, "done")
    assert len(signals) >= 3  # the pipe may send more than one


async def test_a_worker_knows_no_secrets(ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AURICLE_API_KEYS", "AURICLE_OPERATOR_KEY", "AURICLE_APIKEYS", "AWS_SECRET"):
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("HF_TOKEN", KEY)
    async with hostile_pool(ours / "model") as pool:
        (worker,) = pool.stats().workers
        assert KEY not in psutil.Process(worker.pid).environ().values()


async def test_memory_taken_at_once_ends_the_worker_and_no_job_of_others(ours: Path) -> None:
    settings = {"worker_hard_mb": 300, "workers": 2, "backoff_max_s": 0.05}
    async with hostile_pool(ours / "model", HOSTILE, **settings) as pool:
        eater = asyncio.create_task(tried(pool, "eat:"))
        others = await asyncio.gather(*(tried(pool, "nothing:") for _ in range(8)))
        assert others == ["done"] * 8
        with pytest.raises(PoisonJob):
            await eater
        (last, *_) = [w.last_exit for w in pool.stats().workers if w.last_exit is not None]
        # Not "memory", which the check every second would have reported.
        assert (last.reason, last.code) == ("exited", 71)


def reasons(pool: WorkerPool) -> list[str]:
    return [w.last_exit.reason for w in pool.stats().workers if w.last_exit is not None]


async def test_a_worker_with_many_threads_is_replaced(ours: Path) -> None:
    async with hostile_pool(ours / "model") as pool:
        with suppress(PoisonJob):  # on a slow machine it is replaced before it can answer
            assert await tried(pool, "many-threads:300") == "done"
        await poll_until(lambda: reasons(pool) == ["threads"])


async def test_a_worker_that_continues_after_its_answer_is_replaced(
    ours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "IDLE_CPU_S", 0.5)
    monkeypatch.setattr(usage, "IDLE_CPU_SHARE", 0.001)  # other tests may leave it little of a core
    async with hostile_pool(ours / "model") as pool:
        assert await tried(pool, "spin:") == "done"
        await poll_until(lambda: reasons(pool) == ["idle_cpu"])


async def test_folders_that_are_named_may_be_written(ours: Path) -> None:
    async with hostile_pool(ours / "model", sandbox_folders=(ours / "model",)) as pool:
        assert await tried(pool, f"write:{ours / 'model/new'}") == "done"
        assert await tried(pool, f"write:{ours / 'new'}") == "PermissionError"


async def test_a_model_behind_links_can_be_read(ours: Path) -> None:
    (ours / "snapshot").mkdir()
    (ours / "snapshot/model.bin").symlink_to(ours / "model/model.bin")
    async with hostile_pool(ours / "snapshot") as pool:
        assert await tried(pool, f"read:{ours / 'snapshot/model.bin'}") == "done"


async def test_an_engine_in_the_folder_of_the_start_is_found(
    ours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "tests/support/hostile_engine.py", ours / "my_engine.py")
    monkeypatch.chdir(ours)
    async with hostile_pool(ours / "model", "my_engine") as pool:
        assert await tried(pool, "nothing:") == "done"


async def test_a_decoder_gets_an_open_file_and_reaches_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode_pool, "CHILD", "tests.support.hostile_decoder")
    (tmp_path / "another").write_text("another speaker's")
    (tmp_path / "upload").write_text(str(tmp_path / "another"))
    pool = DecodePool(
        WorkerSettings(decode_workers=1, sandbox_folders=()), DecodeSettings(decode_budget_s=60)
    )
    await pool.start()
    try:
        with pytest.raises(AudioError) as caught:
            await anext(pool.decode(Source(str(tmp_path / "upload"))))
    finally:
        await pool.aclose()
    assert str(caught.value) == (
        "open PermissionError, list PermissionError, write OSError, reopen PermissionError, "
        "parent PermissionError"
    )


def test_threads_from_before_are_reported(ours: Path) -> None:
    code = (
        "import threading\n"
        "from auricle.workers.sandbox.confinement import SandboxPolicy, enter\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "print(enter(SandboxPolicy()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert FILES in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("missing", "told"), [([LANDLOCK], [FILES]), ([SECCOMP[os.uname().machine]], [CALLS])]
)
def test_what_the_kernel_lacks_is_reported_and_the_rest_holds(
    tmp_path: Path, missing: list[int], told: list[str]
) -> None:
    command = [interpreter(tmp_path, *missing), "-m", "auricle.workers.sandbox.confinement"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == told


async def test_workers_on_an_older_kernel_work_and_the_log_says_what_is_missing(
    ours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", interpreter(ours, LANDLOCK))
    structlog.reset_defaults()  # a command that ran before may log nothing but errors
    with capture_logs() as logs:
        async with hostile_pool(ours / "model") as pool:
            assert await tried(pool, f"read:{ours / 'keys'}") == "done"
            assert await tried(pool, "local-socket:") == "PermissionError"
    (warning,) = [line for line in logs if line["event"] == "workers_not_kept_from"]
    assert warning["what"] == [FILES]
