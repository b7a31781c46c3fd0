"""Set what tests need of the process that runs them, instead of inheriting it from the caller.

``nohup make check``, a script's background job, another locale, a home that can't be written, a
small ``ulimit -n`` or settings of a server in the environment change no test's outcome.
"""

import atexit
import contextlib
import locale
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import MutableMapping
from pathlib import Path

import websockets.asyncio.client as asynchronous
import websockets.sync.client as blocking
from httpx2._config import DEFAULT_TIMEOUT_CONFIG

ROOT = Path(__file__).parents[1]
OPEN_FILES = 4096
REQUEST_LIMIT_S = 120.0
MEASURED = "COVERAGE_PROCESS_CONFIG"
"""With this variable of coverage's, a Python program measures itself: half as long again."""

KEPT_OF_PYTHON = frozenset({"PYTHONPATH", "PYTHONHASHSEED"})
REMOVED = frozenset(
    {
        "LANG",
        "LANGUAGE",
        "TMPDIR",
        "TEMP",
        "TMP",
        "COLUMNS",
        "LINES",
        "GITHUB_ACTIONS",
        "PYTEST_ADDOPTS",
    }
    | {"PYTEST_ADDOPTS"}  # of gate/running.py, for the tests themselves
    | {"NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERMINAL_WIDTH", "TTY_COMPATIBLE"}
    | {"SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "OPENSSL_CONF", "OPENSSL_MODULES"}
)
REMOVED_PREFIXES = (
    "AURICLE_",
    "AWS_",
    "LC_",
    "XDG_",
    "HF_",
    "HUGGINGFACE_",
    "ORT_",
    "CT2_",
    "OMP_",
)


def settle() -> None:
    """Give this process, and all that it starts, what tests expect; call once, before all else."""
    settle_environment(os.environ)
    sys.dont_write_bytecode = False  # otherwise every child process compiles all that it imports
    home = tempfile.mkdtemp(prefix="auricle-tests-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ["HOME"] = home
    tempfile.tempdir = None
    time.tzset()
    locale.setlocale(locale.LC_ALL, os.environ["LC_ALL"])
    os.umask(0o022)
    os.chdir(ROOT)
    settle_signals()
    settle_limits()
    settle_timeouts()


def settle_environment(environ: MutableMapping[str, str]) -> None:
    """Remove what changes the behaviour of programs, and set what they all have."""
    for name in list(environ):
        is_of_python = name.startswith("PYTHON") and name not in KEPT_OF_PYTHON
        is_proxy = name.lower().endswith("_proxy")
        if name in REMOVED or name.startswith(REMOVED_PREFIXES) or is_of_python or is_proxy:
            del environ[name]
    environ.update({"LC_ALL": "C.UTF-8", "TZ": "UTC", "TERM": "dumb"})


def settle_signals() -> None:
    """Undo what a parent has ignored or blocked: programs that are started inherit it."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:  # Python ignores these
        if signal.getsignal(number) is signal.SIG_IGN:
            is_int = number == signal.SIGINT
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, signal.default_int_handler if is_int else signal.SIG_DFL)


def settle_limits() -> None:
    """Let enough files be open, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < OPEN_FILES:
        with contextlib.suppress(OSError, ValueError):  # only root raises the hard limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, max(OPEN_FILES, hard)))
        wanted = min(OPEN_FILES, hard)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def settle_timeouts() -> None:
    """Leave a busy machine two minutes for each step of a request and of a WebSocket.

    The defaults of httpx and websockets are 5 and 10 s.
    """
    default = DEFAULT_TIMEOUT_CONFIG  # requests without a timeout of their own use this object
    default.connect = default.read = default.write = default.pool = REQUEST_LIMIT_S
    for function in (asynchronous.connect.__init__, blocking.connect):
        assert function.__kwdefaults__ is not None
        function.__kwdefaults__ |= {
            "open_timeout": REQUEST_LIMIT_S,
            "ping_timeout": REQUEST_LIMIT_S,
        }
