"""README's commands on a fresh Debian for ARM64, whose programs qemu-user runs on this processor.

    python -m bench.arm64 [--suite trixie] [--no-tests] [--root DIR]

In a clone: `make run` until it is ready, `auricle doctor`, a recording as a file and as a live
stream with the words that are right, the unit tests, and the tests of the sandbox. The log is next
to the figures. A start may take an hour, and the recording is not played in real time; the settings
are in `bench/lib/emulation.py`.

qemu has no seccomp and no Landlock: workers run without their sandbox, which `auricle doctor` and
the log of the server report, and the tests that need either are left out. Needs root, mmdebstrap,
arch-test, qemu-user, Linux 6.7 and 4 GB.
"""

import contextlib
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.fresh import CLONE, PACKAGES, SUMMARY, clone, environment, readme_commands, serving
from bench.lib.debian import Debian, make_system, system_of
from bench.lib.emulation import ARM64, SETTINGS, START_BUDGET_S
from bench.lib.report import ROOT, command_line, publish
from bench.lib.scoring import word_errors
from bench.lib.service import free_port

READY_LIMIT_S = 3 * 3600.0
TEST_LIMIT_S = 1800
DOCTOR = f".venv/bin/auricle doctor --timeout {START_BUDGET_S}"
CLIP = "fellow"
FILE = f".venv/bin/auricle transcribe testdata/{CLIP}.wav --url"
LIVE = f".venv/bin/auricle live --fast testdata/{CLIP}.ogg"
UNIT_TESTS = f'make test-unit ARGS="-n 2 -q -rfE --timeout {TEST_LIMIT_S}"'
SANDBOX_TESTS = (
    'make test ARGS="tests/workers/sandbox --ignore tests/workers/sandbox/test_seccomp.py '
    f'--ignore tests/workers/sandbox/test_landlock.py -q -rsfE --timeout {TEST_LIMIT_S}"'
)
_NOT_PASSED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


class Tee(io.TextIOBase):
    """Text that is printed and kept in a file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._kept, self._shown = path.open("w"), sys.stdout

    def write(self, text: str) -> int:
        """Write to both."""
        self._kept.write(text)
        self._kept.flush()
        return self._shown.write(text)


def main() -> None:
    """Print and publish figures and log.

    Raises:
        SystemExit: With 1 if a word is wrong or a test fails.
    """
    parser = command_line(__doc__, "arm64")
    parser.add_argument("--suite", default="trixie", help="Debian's release (trixie)")
    parser.add_argument("--no-tests", action="store_true", help="leave out the tests")
    parser.add_argument("--root", type=Path, help="where the system is made and stays")
    arguments = parser.parse_args()
    with (
        folder(arguments.root) as root,
        contextlib.redirect_stdout(Tee(arguments.out.with_suffix(".log"))),
    ):
        port = free_port()
        make_system(root, arguments.suite, PACKAGES, ARM64)
        debian = Debian(root, environment(port) | SETTINGS, ARM64)
        load = [round(each, 1) for each in os.getloadavg()]
        processor, _ = debian.run("uname -m")
        result: dict[str, Any] = {
            "system": f"{system_of(root)}, {processor.strip()} by qemu-user",
            "load_before": load,
            "settings": SETTINGS,
            "clone_s": clone(root, debian),
        }
        result |= try_server(debian, f"http://127.0.0.1:{port}")
        if not arguments.no_tests:
            result["tests"] = [run_tests(debian, each) for each in (UNIT_TESTS, SANDBOX_TESTS)]
        publish(arguments.out, result)
    wrong = sum(result[name]["word_errors"] for name in ("live", "file"))
    not_passed = [name for each in result.get("tests", []) for name in each["not_passed"]]
    raise SystemExit(int(bool(wrong or not_passed)))


@contextlib.contextmanager
def folder(kept: Path | None) -> Iterator[Path]:
    """Return a new folder for the system, which is removed unless it is to be kept."""
    if kept is not None:
        yield kept.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="auricle-arm64-") as temporary:
        yield Path(temporary) / "debian"


def try_server(debian: Debian, url: str) -> dict[str, Any]:
    """Serve as README says, and transcribe a recording as a file and live."""
    [serve, _] = readme_commands((ROOT / "README.md").read_text())
    with serving(debian, serve, url, READY_LIMIT_S) as server:
        live, file = transcribe(debian, LIVE), transcribe(debian, f"{FILE} {url}")
    doctor, doctor_s = debian.run(f"{DOCTOR} || true", CLONE)
    return {
        "command": serve,
        "ready_s": server.ready_s,
        "steps": server.steps,
        "live": live,
        "file": file,
        "doctor": {"took_s": doctor_s, "output": doctor.splitlines()},
    }


def transcribe(debian: Debian, command: str) -> dict[str, Any]:
    """Run a command that prints the words of the clip; return time, text and word errors."""
    text, took_s = debian.run(f"{command} 2>/dev/null", CLONE)
    manifest = json.loads((ROOT / "testdata/manifest.json").read_text())
    [said, *_] = [each["text"] for each in manifest if each["name"] == CLIP]
    errors = word_errors(said, text)
    return {"command": command, "took_s": took_s, "text": text, "word_errors": errors.total}


def run_tests(debian: Debian, command: str) -> dict[str, Any]:
    """Run tests; return how many passed, and the names of those that failed."""
    output, took_s = debian.run(f"{command} || true", CLONE)
    [*_, summary] = [line for line in output.splitlines() if SUMMARY.search(line)]
    counts = {what: int(count) for count, what in SUMMARY.findall(summary)}
    names = sorted(set(_NOT_PASSED.findall(output)))
    return {"command": command, "took_s": took_s} | counts | {"not_passed": names}


if __name__ == "__main__":
    main()
