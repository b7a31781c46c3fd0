"""Real ``auricle`` commands in separate processes, with the scripted engine."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TextIO

import psutil
from typer.testing import CliRunner

from auricle.config.section import variable
from auricle.config.settings import fields
from bench.lib.fixed_values import command_line, variables
from tests.support.forked import Forked
from tests.surroundings import MEASURED

ROOT = Path(__file__).parents[2]
LIMIT_S = 120.0
"""Upper bound of any wait; tests that pass wait much less."""
MANY_SPEAKERS = 1000
"""A busy machine, whose finals are late, would learn that it holds one, and refuse the next."""
STEP_S = 0.05
"""Shortest pause between looks; a request with a new client takes 10 ms of processor time."""
MAX_STEP_S = 0.25


def environment(folder: Path, **settings: object) -> dict[str, str]:
    """Return an environment with these settings and no others, and nothing written elsewhere.

    Settings may be fixed values, too, which only :class:`Command` applies.
    """
    ours = {variable(name) for name, _ in fields()}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    defaults: dict[str, object] = {
        "engine": "tests.support.scripted_engine",
        "cache_dir": folder / "cache",
        "spool_dir": folder / "spool",
        "state_dir": folder / "state",
        "sandbox_folders": f"{folder},{ROOT}",
        "port": 0,
    }
    if "models" in settings:
        del defaults["engine"]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return (
        kept
        | variables(defaults | settings)
        | {"PYTHONPATH": path, "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
    )


class Command:
    """``auricle ARGUMENTS``, running; its output is kept as it comes.

    Its process is forked, unless it is to begin as users' do, with a new interpreter.
    """

    def __init__(
        self, arguments: list[str], environ: dict[str, str], *, is_forked: bool = True
    ) -> None:
        self.process: Forked | subprocess.Popen[str]
        if is_forked:
            self.process = Forked(arguments, environ)
        else:
            self.process = subprocess.Popen(
                [sys.executable, "-m", command_line(environ), *arguments],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                cwd=ROOT,
                start_new_session=True,
            )
        assert self.process.stdout
        assert self.process.stderr
        self.stdout, self.stderr = "", ""
        self._lines: queue.Queue[str] = queue.Queue(maxsize=100_000)
        self._readers = [
            threading.Thread(target=self._read, args=(stream, name), daemon=True)
            for stream, name in ((self.process.stdout, "stdout"), (self.process.stderr, "stderr"))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: TextIO, name: str) -> None:
        for line in stream:
            setattr(self, name, getattr(self, name) + line)
            self._lines.put(line)
        stream.close()

    def line_with(self, text: str) -> str:
        """Wait for a line with this text, on stdout or stderr, and return it."""
        while True:
            try:
                line = self._lines.get(timeout=LIMIT_S)
            except queue.Empty:
                raise AssertionError(f"never said {text!r}: {self.stdout}{self.stderr}") from None
            if text in line:
                return line

    def event(self, name: str) -> dict[str, Any]:
        """Wait for an event of the JSON log, and return it."""
        while True:
            line = self.line_with(f'"event": "{name}"')
            if (found := json.loads(line))["event"] == name:
                return dict(found)

    def events(self) -> list[dict[str, Any]]:
        """Return all events that the log on stderr holds so far."""
        return [json.loads(line) for line in self.stderr.splitlines()]

    def interrupt(self) -> None:
        """Do what Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def wait(self) -> int:
        """Wait for its own end, and return its exit code."""
        code = self.process.wait(LIMIT_S)
        for reader in self._readers:
            reader.join(LIMIT_S)
        return code


def completed(*arguments: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command in this process, which takes a tenth of the time of a new one."""
    from auricle.cli import app

    result = CliRunner().invoke(app, arguments, env=environ)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)


def started_at(log: IO[str]) -> str:
    """Read the log of ``auricle serve`` until it is ready, and return its URL."""
    url = ""
    for line in log:
        event = json.loads(line)
        if event["event"] == "started":
            url = str(event["url"])
        elif event["event"] == "ready":
            return url
    raise AssertionError("the server was never ready")


def until(condition: Callable[[], object], running: Command) -> None:
    """Return once the condition holds; fail if it never does, or the command ends before.

    It is late by a tenth of the wait at most.
    """
    began_at = time.monotonic()
    while not condition():
        assert running.process.poll() is None, running.stderr
        waited_s = time.monotonic() - began_at
        assert waited_s < LIMIT_S
        time.sleep(min(max(STEP_S, waited_s / 10), MAX_STEP_S))


@contextmanager
def command(*arguments: str, environ: dict[str, str], is_forked: bool = True) -> Iterator[Command]:
    running = Command(list(arguments), environ, is_forked=is_forked)
    try:
        yield running
    finally:
        for child in running.children() if running.process.poll() is None else []:
            child.kill()
        running.process.kill()
        running.wait()


@contextmanager
def serving(folder: Path, *arguments: str, **settings: object) -> Iterator[tuple[Command, str]]:
    """Run ``auricle serve`` and give its URL once it is ready.

    It has one worker of each kind and a fixed number of speakers unless settings say otherwise, and
    its coverage is not measured.
    """
    with _serving(folder, arguments, settings, is_forked=True) as found:
        yield found


@contextmanager
def serving_anew(
    folder: Path, *arguments: str, **settings: object
) -> Iterator[tuple[Command, str]]:
    """Do the same with a new interpreter."""
    with _serving(folder, arguments, settings, is_forked=False) as found:
        yield found


@contextmanager
def _serving(
    folder: Path, arguments: Sequence[str], settings: dict[str, object], *, is_forked: bool
) -> Iterator[tuple[Command, str]]:
    defaults = {"workers": 1, "decode_workers": 1, "live_speakers": MANY_SPEAKERS}
    environ = environment(folder, **(defaults | settings))
    environ.pop(MEASURED, None)
    with command("serve", *arguments, environ=environ, is_forked=is_forked) as server:
        url = str(server.event("started")["url"])
        server.event("ready")
        yield server, url
