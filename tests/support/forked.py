"""``auricle`` commands in processes that are forked from one that has imported all that they need.

The imports of ``auricle serve`` take a second of processor time in each new process; a fork of this
one takes 20 ms. Coverage is measured from then on. What depends on a new interpreter, such as
``sitecustomize`` and the encoding of the outputs, needs one.
"""

import atexit
import functools
import gc
import importlib
import io
import json
import os
import pkgutil
import re
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import coverage

import auricle
import auricle.cli  # before the commands that it imports
from auricle.apis.pages import documentation, pages
from tests.surroundings import MEASURED

ROOT = Path(__file__).parents[2]
IMPORTED = re.compile(
    r"auricle\.(cli|server|apis)\.|auricle\.(engines\..+\.spec|workers\..+\.pool)$"
    r"|auricle\.ledger\.databases\.sqlite"
)
MAX_REQUEST_BYTES = 2**17
_NUMBER = struct.Struct("i")


class Forked:
    """A process that was forked; the part of :class:`subprocess.Popen` that tests need.

    Args:
        arguments: Arguments of its command line.
        environ: Its environment.
        module: Module whose ``main`` it runs.
        stderr: Where it writes its log, instead of to a pipe.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        module: str = "bench.lib.fixed_values",
        stderr: int | None = None,
    ) -> None:
        (out, stdout), (err, log), (self._status, status) = (os.pipe() for _ in range(3))
        request = json.dumps([list(arguments), dict(environ), module]).encode()
        fds = [stdout, log if stderr is None else stderr, status]
        socket.send_fds(_zygote(), [request], fds)
        for fd in (stdout, log, status):
            os.close(fd)
        self.stdout = open(out, encoding="utf-8")  # noqa: SIM115  # closed by who reads it
        self.stderr = open(err, encoding="utf-8")  # noqa: SIM115
        if stderr is not None:
            self.stderr.close()
        self.pid = self._number()
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code if it has ended."""
        if self.returncode is None and select.select([self._status], [], [], 0)[0]:
            self.returncode = os.waitstatus_to_exitcode(self._number())
            os.close(self._status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return its exit code."""
        if self.returncode is None and not select.select([self._status], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("auricle", timeout or 0)
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _number(self) -> int:
        (number,) = _NUMBER.unpack(os.read(self._status, _NUMBER.size))
        return int(number)


@functools.cache
def _zygote() -> socket.socket:
    """Start the process that is forked, and return its socket; it ends when that is closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environ = os.environ | {"PYTHONPATH": path, "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
    environ.pop(MEASURED, None)
    subprocess.run(
        [sys.executable, "-m", "tests.support.forked", str(theirs.fileno())],
        env=environ,
        stdin=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
        cwd=ROOT,
        check=True,
    )
    theirs.close()
    atexit.register(ours.close)
    return ours


def _serve(control: socket.socket) -> str:
    """Fork a process for each request; return the module in the processes that were forked."""
    while True:
        request, fds, _, _ = socket.recv_fds(control, MAX_REQUEST_BYTES, 3)
        if not request:
            sys.exit()
        if os.fork() == 0:
            break
        for fd in fds:
            os.close(fd)
        _reap()
    control.close()
    os.setsid()  # its workers that yield to others would stand still while other tests compute
    stdout, stderr, status = fds
    if (pid := os.fork()) != 0:
        _report(pid, status, (stdout, stderr))
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    for fd in fds:
        os.close(fd)
    sys.stdout, sys.stderr = map(_unbuffered, (1, 2))
    arguments, environ, module = json.loads(request)
    sys.argv[1:] = arguments
    os.environ.clear()
    os.environ.update(environ)
    if MEASURED in environ:
        coverage.process_startup()
    return str(module)


def _unbuffered(fd: int) -> io.TextIOWrapper:
    """Return an output as ``PYTHONUNBUFFERED`` makes it."""
    return io.TextIOWrapper(io.FileIO(fd, "w"), encoding="utf-8", write_through=True)


def _report(pid: int, status: int, others: Sequence[int]) -> None:
    """Write the process' number, and then how it ended; end this one."""
    for fd in others:
        os.close(fd)
    os.write(status, _NUMBER.pack(pid))
    os.write(status, _NUMBER.pack(os.waitpid(pid, 0)[1]))
    os._exit(0)


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


if __name__ == "__main__":
    if os.fork() != 0:
        os._exit(0)  # no child of a test's process remains: tests look at their children
    for module in pkgutil.walk_packages(auricle.__path__, "auricle."):
        if IMPORTED.match(module.name):
            importlib.import_module(module.name)
    importlib.import_module("tests.support.recogniser")
    pages.routes()  # these two read their files once
    documentation.routes()
    gc.freeze()
    chosen = _serve(socket.socket(fileno=int(sys.argv[1])))
    gc.unfreeze()
    atexit.register(gc.freeze)
    importlib.import_module(chosen).main()
