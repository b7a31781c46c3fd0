"""The environment of the caller changes no test's outcome."""

import locale
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx2
import pytest

ROOT = Path(__file__).parents[2]
LIMIT_S = 170
HOSTILE = {
    "LC_ALL": "POSIX",
    "LANG": "de_DE",
    "TZ": "America/St_Johns",
    "HOME": "/nonexistent",
    "XDG_CACHE_HOME": "/nonexistent",
    "http_proxy": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "SSL_CERT_FILE": "/nonexistent",
    "FORCE_COLOR": "1",
    "GITHUB_ACTIONS": "true",
    "COLUMNS": "40",
    "PYTHONIOENCODING": "latin-1",
    "PYTHONWARNINGS": "ignore",
    "AURICLE_PORT": "1",
    "AURICLE_API_KEYS": "anna:secret",
    "AURICLE_URL": "http://127.0.0.1:9",
    "AURICLE_NONSENSE": "1",
}


@pytest.mark.unit
def test_this_process_is_as_all_tests_expect(tmp_path: Path) -> None:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
    (tmp_path / "file").touch()
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft >= 4096 or soft == hard  # a process may not raise the hard one everywhere
    assert locale.getencoding().lower() == "utf-8"
    assert time.tzname == ("UTC", "UTC")
    assert Path.cwd() == ROOT
    assert Path(tempfile.gettempdir()) == Path("/tmp")
    assert os.access(Path.home(), os.W_OK)
    assert Path.home().name.startswith("auricle-tests-")
    with httpx2.Client() as client:
        assert client.timeout.read == 120
    present = {name for name in HOSTILE if name in os.environ}
    assert present == {"LC_ALL", "TZ", "HOME"}


def be_hostile() -> None:
    """Ignore what ends programs, and leave few files and no rights to others."""
    os.umask(0o077)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))


@pytest.mark.process
def test_a_caller_who_ignores_signals_and_has_other_settings_changes_no_outcome(
    tmp_path: Path,
) -> None:
    results = tmp_path / "results"  # or pytest removes what the runs before this one left in /tmp
    folder = tmp_path / "a folder, with a comma and a name that is longer than most others are"
    folder.mkdir()
    wanted = (
        "tests/project/test_surroundings.py::test_this_process_is_as_all_tests_expect",
        "tests/cli/transcribe/test_command.py::test_ctrl_c_leaves_no_process_and_no_traceback_behind",
        "tests/cli/test_cli.py",
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
            *("--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml"), f"--basetemp={results}"),
            *(str(ROOT / name) for name in wanted),
        ],
        env=os.environ | HOSTILE | {"TMPDIR": str(folder)},
        cwd="/",
        preexec_fn=be_hostile,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")
