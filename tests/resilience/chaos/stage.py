"""Starts a server with a separate disk, clock and engine, so that each of them can fail."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auricle.apis.registry import find_apis
from bench.lib.service import Server, free_port, running
from tests.resilience.chaos.load import KINDS

SCRIPTED = "tests.support.scripted_engine"
LIBFAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
"""Where Debian's and Ubuntu's package ``faketime`` puts it."""
DISK_MB = 48
SCRIPTED_SETTINGS: dict[str, Any] = {
    "workers": 3,
    "batch_jobs": 4,
    "job_timeout_min_s": 4,
    "decode_budget_s": 6,
    "worker_hard_mb": 500,
}
"""Short budgets, so that many workers can be stopped; other settings are defaults."""
SETTINGS: dict[str, Any] = {"max_wait_s": 600, "resume_grace_s": 8}
PACE = 0.1
"""Seconds that a scripted worker takes for a second of speech."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The server and the parts of it that can fail.

    Attributes:
        server: The running server.
        keys: By kind of client.
        ports: Of APIs that have one, by their names.
        marks: The folder of :mod:`tests.support.faulty_engine`.
        spool: Folder of uploads.
        disk: The same, if it is a separate file system.
        clock: The file with the offset of the clock, if there is one.
        missing: Faults that are impossible here, with the reason.
    """

    server: Server
    keys: dict[str, str]
    ports: dict[str, int]
    marks: Path
    spool: Path
    disk: Path | None
    clock: Path | None
    missing: dict[str, str]


@contextmanager
def staged(log: Path, *, is_scripted: bool) -> Iterator[Stage]:
    """Run a server with a separate disk and clock, where the machine allows that."""
    keys = {kind: f"bench-chaos-{kind}" for kind in KINDS}
    ports = {api.name: free_port() for api in find_apis() if api.ports}
    missing: dict[str, str] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        marks, spool, clock = folder / "faults", folder / "spool", folder / "clock"
        marks.mkdir()
        spool.mkdir()
        clock.write_text("+0\n")
        environment = {"AURICLE_BENCH_FAULTS": str(marks)}
        settings = SETTINGS | {
            "engine": "tests.support.faulty_engine",
            "spool_dir": spool,
            "api_keys": ",".join(f"{kind}_client:{key}" for kind, key in keys.items()),
            **dict.fromkeys(ports, 1),
            **{f"{name}_port": port for name, port in ports.items()},
        }
        if is_scripted:
            environment |= {"AURICLE_BENCH_ENGINE": SCRIPTED, "AURICLE_BENCH_PACE": str(PACE)}
            settings |= SCRIPTED_SETTINGS
        if why := _why_no_disk(spool, stack):
            missing["disk fills"] = why
        if why := _why_no_clock():
            missing["clock jumps"] = why
        else:
            environment |= _clock_environment(clock)
        server = stack.enter_context(running(log, environment, **settings))
        yield Stage(
            server,
            keys,
            ports,
            marks,
            spool,
            None if "disk fills" in missing else spool,
            None if "clock jumps" in missing else clock,
            missing,
        )


def _why_no_disk(spool: Path, stack: ExitStack) -> str | None:
    """Mount a small file system until the stack unwinds; return why that is impossible."""
    options = f"size={DISK_MB}m,mode=700"
    try:
        mount = ["mount", "-t", "tmpfs", "-o", options, "auricle-chaos", str(spool)]
        subprocess.run(mount, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        message = getattr(error, "stderr", None) or str(error)
        return f"no small disk can be mounted: {message.strip()}"
    stack.callback(subprocess.run, ["umount", "--lazy", str(spool)], check=False)
    return None


def _why_no_clock() -> str | None:
    if LIBFAKETIME.is_file():
        return None
    return f"{LIBFAKETIME} is missing: install faketime"


def _clock_environment(clock: Path) -> dict[str, str]:
    """Return variables that give a process a separate wall clock; other clocks stay true."""
    preloaded = filter(None, [os.environ.get("LD_PRELOAD"), str(LIBFAKETIME)])
    return {
        "LD_PRELOAD": ":".join(preloaded),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DISABLE_SHM": "1",
        "NO_FAKE_STAT": "1",
    }


def orphans(log_pids: set[int]) -> list[int]:
    """Return which of these processes are workers that outlived their server."""
    found = []
    for pid in log_pids:
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"auricle.workers" in command:
            found.append(pid)
    return found
