"""Which pinned packages lack a wheel for a processor and a Python that Auricle supports.

    python -m supply.platforms uv

uv resolves each lock file for each of them, with the hashes of the lock, and installs nothing. The
result is in ``platforms.json``, with the checksum of each lock that was tried. Locks that have not
changed since are not tried again.
"""

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from supply.lock import ROOT, Pin, python_locks, python_pins

RESULT = ROOT / "supply/platforms.json"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SYSTEMS = ("x86_64-manylinux_2_36", "aarch64-manylinux_2_36")
"""The C library of Debian 12, and of the Raspberry Pi OS that is built on it."""
SOURCE_ONLY = frozenset({"docopt", "srt"})
"""Pure Python; never published as wheels."""

_LACKING = re.compile(r"Because ([\w.-]+)(?:\{[^}]*\})?==(\S+) has no (?:usable )?wheels")


def main() -> None:
    """Try all locks that changed, and write what is missing."""
    [uv] = sys.argv[1:]
    known = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    result = {}
    for lock in python_locks():
        name = str(lock.relative_to(ROOT))
        if name in known and known[name]["sha256"] == checksum(lock):
            result[name] = known[name]
            continue
        missing = {
            f"{system}, Python {python}": [f"{pin.name} {pin.version}" for pin in pins]
            for system in SYSTEMS
            for python in PYTHONS
            if (pins := lacking(uv, lock, system, python))
        }
        print(f"platforms: {name}: {missing or 'complete'}")
        result[name] = {"sha256": checksum(lock), "missing": missing}
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


def checksum(lock: Path) -> str:
    """Return the SHA-256 of a lock file."""
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def lacking(uv: str, lock: Path, system: str, python: str) -> list[Pin]:
    """Return the pins that uv finds no wheel for, without those of ``SOURCE_ONLY``.

    Raises:
        SystemExit: uv fails for another reason.
    """
    missing: list[Pin] = []
    with tempfile.TemporaryDirectory() as folder:
        rest = Path(folder) / "rest.txt"
        while True:
            rest.write_text(without(lock.read_text(), SOURCE_ONLY | {pin.name for pin in missing}))
            if not python_pins(rest):
                return missing
            done = subprocess.run(
                [
                    *(uv, "pip", "install", "--no-config", "--dry-run", "--no-deps"),
                    *("--only-binary", ":all:", "--require-hashes", "--target", folder),
                    *("--python-platform", system, "--python-version", python, "-r", str(rest)),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
            if not done.returncode:
                return missing
            found = _LACKING.search(" ".join(done.stderr.split()))
            if found is None or found[1] in {pin.name for pin in missing}:
                raise SystemExit(f"platforms: {lock.name}: {done.stderr}")
            missing.append(Pin(found[1], found[2]))


def without(lock: str, names: frozenset[str] | set[str]) -> str:
    """Return the text of a lock without the pins of these packages."""
    blocks = re.split(r"^(?=[\w.-]+==)", lock, flags=re.MULTILINE)
    return "".join(block for block in blocks if block.partition("==")[0] not in names)


if __name__ == "__main__":
    main()
