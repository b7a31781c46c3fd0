"""Looks up every package that the lock files pin in the databases of known vulnerabilities.

    python -m supply.audit .cache/env/supply/bin/pip-audit [--skips-are-fine]

pip-audit prints "No known vulnerabilities found" and exits with 0 even when it could look up
nothing, and omits packages of other systems or Pythons. So this program counts the packages that
were not looked up, reports them as skipped, and fails. Exit codes: 0 all packages were looked up
and no vulnerability is known, 1 a vulnerability is known, 2 none is known but packages were
skipped.
"""

import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from supply.lock import ROOT, Pin, npm_locks, npm_pins, python_locks, python_pins

LIMIT_S = 600
"""For one run of a tool: a slow network with a few hundred packages."""

Known = Mapping[Pin, Collection[str]]
"""The known vulnerabilities of each pin that was looked up."""


@dataclass(frozen=True, slots=True)
class Report:
    """The result for one lock file."""

    lock: str
    pins: frozenset[Pin]
    known: Known

    @property
    def skipped(self) -> frozenset[Pin]:
        """The pins that were not looked up."""
        return self.pins - self.known.keys()

    @property
    def findings(self) -> list[str]:
        """Each known vulnerability, with the package that has it."""
        looked_up = sorted(self.pins & self.known.keys())
        return [
            f"{pin.name} {pin.version}: {flaw}" for pin in looked_up for flaw in self.known[pin]
        ]

    def __str__(self) -> str:
        """Return one line, and one for each vulnerability."""
        number, skipped = len(self.pins), len(self.skipped)
        line = f"{self.lock}: {number} packages: {number - skipped} audited, {skipped} skipped"
        if skipped == number:
            line += ": the database can't be reached"
        return "\n  ".join([line, *self.findings])


def rounds(pins: Iterable[Pin]) -> list[list[Pin]]:
    """Share pins out so that no list has a name twice, which pip-audit refuses."""
    by_name: dict[str, list[Pin]] = {}
    for pin in sorted(set(pins)):
        by_name.setdefault(pin.name, []).append(pin)
    longest = max(map(len, by_name.values()), default=0)
    return [
        [versions[number] for versions in by_name.values() if number < len(versions)]
        for number in range(longest)
    ]


def read_pip_audit(output: str) -> Known:
    """Read the JSON of pip-audit.

    Raises:
        ValueError: It is none: the tool failed.
    """
    return {
        Pin(canonicalize_name(entry["name"]), entry["version"]): [
            vulnerability["id"] for vulnerability in entry["vulns"]
        ]
        for entry in json.loads(output)["dependencies"]
        if "skip_reason" not in entry
    }


def read_npm_audit(output: str, pins: Collection[Pin]) -> Known:
    """Read the JSON of npm, which looks up all packages of a lock or none.

    It names packages without versions: of one in several versions, each is given what is known.
    """
    answer = json.loads(output)
    if "auditReportVersion" not in answer:
        return {}  # an error report
    flaws: dict[str, list[str]] = {}
    for name, entry in answer["vulnerabilities"].items():
        flaws[name] = [
            f"{via['url'].rpartition('/')[2]} ({via['severity']})"
            for via in entry["via"]
            if isinstance(via, dict)  # a name: the flaw is that package's, which has an entry too
        ]
    return {pin: flaws.get(pin.name, []) for pin in pins}


def _output(command: list[str], folder: Path) -> str:
    """Run a tool; both tools exit with a non-zero code if there are vulnerabilities."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    if not done.stdout.strip():
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        print(f"audit: {Path(command[0]).name} failed: {lines[-1]}", file=sys.stderr)
        return '{"dependencies": []}'
    return done.stdout


def audit_python(tool: str, locks: Iterable[Path], options: Iterable[str] = ()) -> list[Report]:
    """Look up the pins of pip's locks, each pin once."""
    pinned = {lock: frozenset(python_pins(lock)) for lock in locks}
    known: dict[Pin, Collection[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for pins in rounds(itertools.chain(*pinned.values())):
            path = Path(folder) / "pins.txt"  # without markers: other systems' packages count, too
            path.write_text("".join(f"{pin.name}=={pin.version}\n" for pin in pins))
            output = _output(
                [tool, "-r", path.name, "--no-deps", "--disable-pip", "-f", "json"]
                + ["--progress-spinner", "off", *options],
                path.parent,
            )
            known |= read_pip_audit(output)
    return [Report(str(lock.relative_to(ROOT)), pins, known) for lock, pins in pinned.items()]


def audit_npm(locks: Iterable[Path]) -> list[Report]:
    """Look up the packages of npm's locks."""
    reports = []
    for lock in locks:
        pins = frozenset(npm_pins(lock))
        output = _output(["npm", "audit", "--json", "--package-lock-only"], lock.parent)
        reports.append(Report(str(lock.relative_to(ROOT)), pins, read_npm_audit(output, pins)))
    return reports


def main() -> int:
    """Audit every lock file of the repository."""
    tool, *options = sys.argv[1:]
    skips_are_fine = "--skips-are-fine" in options
    if skips_are_fine:
        options.remove("--skips-are-fine")
    reports = audit_python(str(Path(tool).resolve()), python_locks(), options)
    reports += audit_npm(npm_locks())
    for report in reports:
        print(report)
    skipped = len(frozenset[Pin]().union(*(report.skipped for report in reports)))
    if any(report.findings for report in reports):
        print("audit: vulnerabilities are known; see above.")
        return 1
    if skipped:
        print(f"audit: {skipped} packages were not looked up: nothing is known about them.")
        return 0 if skips_are_fine else 2
    print("audit: all packages were looked up, and no vulnerability is known.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
