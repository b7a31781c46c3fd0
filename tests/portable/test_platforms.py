"""What is promised on Windows and macOS runs without what their Python lacks.

`tests/portable/use.py` is the program that is promised; on those systems themselves the job
`portable` of GitHub's workflow runs it.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.portable.emulation import environment
from tests.portable.python_of import lacking
from tests.support.command import environment as settings
from tests.support.command import serving
from tests.surroundings import MEASURED

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="other systems are emulated on Linux"),
]

ROOT = Path(__file__).parents[2]
PLATFORMS = ("win32", "darwin")
WHAT_IS_SEEN = """
import sys
from auricle.engines.whisper.gpu import DRIVER
from auricle.system import durable
from auricle.workers.wire.handover import is_available
try:
    durable.try_lock(durable.Path("lock"))
    locks = "fcntl"
except ModuleNotFoundError as error:
    locks = error.name
print(sys.platform, DRIVER, is_available(), locks)
"""


def run(platform: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    work = folder / "work"
    work.mkdir()
    environ = environment(folder, platform, settings(folder))
    environ.pop(MEASURED, None)
    return subprocess.run(
        [sys.executable, *arguments],
        env=environ,
        cwd=work,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def test_the_lists_have_what_is_known_to_be_missing() -> None:
    windows, macos = (lacking(each) for each in PLATFORMS)
    assert {"fcntl", "grp", "pwd", "resource", "termios"} <= windows.modules
    assert not macos.modules & {"fcntl", "grp", "pwd", "resource", "termios"}
    linux_only = {"eventfd", "memfd_create", "pidfd_open", "sched_setaffinity"}
    assert linux_only | {"fork", "geteuid", "O_DIRECTORY"} <= windows.names["os"]
    assert linux_only <= macos.names["os"]
    assert not macos.names["os"] & {"fork", "geteuid", "O_DIRECTORY"}
    assert {"AF_UNIX", "send_fds"} <= windows.names["socket"]
    assert {"SIGHUP", "SIGKILL", "SIGUSR1", "setitimer"} <= windows.names["signal"]
    assert "epoll" in windows.names["select"] & macos.names["select"]
    assert "pidfd_send_signal" in windows.names["signal"] & macos.names["signal"]


@pytest.mark.parametrize(
    ("platform", "seen"),
    [
        ("win32", "linux nvcuda.dll False msvcrt"),
        ("darwin", "linux libcuda.so.1 True fcntl"),
    ],
)
def test_the_package_sees_the_other_system(platform: str, seen: str, tmp_path: Path) -> None:
    done = run(platform, tmp_path, "-c", WHAT_IS_SEEN)
    assert done.stdout.strip() == seen, done.stderr


def test_what_is_promised_runs_as_on_windows(tmp_path: Path) -> None:
    with serving(tmp_path, keep_transcripts=True) as (_, url):
        done = run("win32", tmp_path, "-m", "tests.portable.use", url)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    assert [line[:3] for line in done.stdout.splitlines()] == ["ok "] * 10


def test_a_server_and_its_clients_run_as_on_macos(tmp_path: Path) -> None:
    done = run("darwin", tmp_path, "-m", "tests.portable.use")
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    said, *steps = done.stdout.splitlines()
    assert said.startswith("said  On macOS, workers have no sandbox and no memory limit")
    assert [line[:3] for line in steps] == ["ok "] * 10
