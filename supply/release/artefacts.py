"""The files of a release: what must be in them, and what must not."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Collection, Iterable
from pathlib import Path

from supply.lock import Pin
from supply.release.failure import ReleaseError

IN_WHEEL = (
    "auricle/apis/pages/static/index.html",
    "auricle/apis/pages/static/status.html",
    "auricle/apis/pages/static/reader.html",
    "auricle/apis/pages/documentation.zip",
    "auricle/py.typed",
)
"""Of these a build leaves out, without an error, what was not built before."""
IN_NPM = ("package/package.json", "package/README.md", "package/LICENSE")
OTHER_USER = {"LANG": "C", "LC_ALL": "C", "TZ": "Pacific/Auckland"}
OTHER_TIME_S = 1_000_000_000
MODULES = re.compile(r"package/dist/.+\.(js|d\.ts)")


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_wheel(path: Path, version: str) -> None:
    """Check the contents of the wheel.

    Raises:
        ReleaseError: Pages or the documentation are missing, or a file does not belong there.
    """
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    _require(path, IN_WHEEL, names)
    own = ("auricle/", f"auricle-{version}.dist-info/")
    _refuse(path, [name for name in names if not name.startswith(own) or "__pycache__" in name])


def check_sdist(path: Path, wheel: Path) -> None:
    """Check that the sdist gives the same wheel and the same sdist, byte for byte.

    They are built in another folder, by a user of another locale and time zone, whose files are
    private.

    Raises:
        ReleaseError: It does not.
    """
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
        [source] = Path(folder).iterdir()
        for file in source.rglob("*"):
            file.chmod(0o700 if file.is_dir() else 0o600)
            os.utime(file, (OTHER_TIME_S, OTHER_TIME_S))
        command = [sys.executable, "-m", "hatchling", "build", "-d", folder]
        subprocess.run(
            [*command, "-t", "sdist", "-t", "wheel"],
            cwd=source,
            env=os.environ | OTHER_USER,
            umask=0o077,
            check=True,
            capture_output=True,
        )
        for each in (wheel, path):
            if checksum(Path(folder, each.name)) != checksum(each):
                raise ReleaseError(f"{path.name} gives another {each.name}")


def check_npm_package(path: Path, version: str) -> None:
    """Check the contents of the npm package.

    Raises:
        ReleaseError: A file is missing or does not belong there, or it has another version, scripts
            that run when it is installed, or dependencies.
    """
    with tarfile.open(path) as archive:
        names = archive.getnames()
        described = archive.extractfile("package/package.json")
        package = json.load(described) if described is not None else {}
    _require(path, (*IN_NPM, "package/dist/index.js", "package/dist/index.d.ts"), names)
    _refuse(path, [name for name in names if name not in IN_NPM and not MODULES.fullmatch(name)])
    if package["version"] != version:
        raise ReleaseError(f"{path.name} has the version {package['version']}, not {version}")
    for field in ("dependencies", "peerDependencies", "optionalDependencies"):
        if package.get(field):
            raise ReleaseError(f"{path.name} has {field}")
    if at_install := {"preinstall", "install", "postinstall"} & package["scripts"].keys():
        raise ReleaseError(f"{path.name} runs {', '.join(sorted(at_install))} when it is installed")


def check_sbom(path: Path, pins: Collection[Pin]) -> None:
    """Check that a CycloneDX file lists all that a lock file pins.

    Raises:
        ReleaseError: It lacks a package.
    """
    components = json.loads(path.read_text())["components"]
    listed = {
        f"{part['group']}/{part['name']}" if part.get("group") else part["name"]
        for part in components
    }
    listed = {name.lower().replace("_", "-").replace(".", "-") for name in listed}
    missing = {
        pin.name
        for pin in pins
        if pin.name.lower().replace("_", "-").replace(".", "-") not in listed
    }
    if missing:
        raise ReleaseError(f"{path.name} lacks {', '.join(sorted(missing))}")


def _require(path: Path, required: Iterable[str], names: Collection[str]) -> None:
    for name in required:
        if name not in names:
            raise ReleaseError(f"{path.name} lacks {name}")


def _refuse(path: Path, names: list[str]) -> None:
    if names:
        raise ReleaseError(f"{path.name} contains {', '.join(sorted(names)[:5])}")
