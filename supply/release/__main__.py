"""Checks what is in dist/ as a release: ``make release-check``.

    python -m supply.release [--tag v0.1.0] --python python3.11 ... --node DIRECTORY ...
                             [--debian trixie] [--arm64 trixie]

It installs the wheel and the npm package in clean environments, and transcribes a clip with each. A
Python that is not here is skipped and reported; where CI is set, that is a failure. With
``--debian`` it also does so in a Debian that mmdebstrap makes, as root, and with ``--arm64`` in one
for ARM64 that qemu-user emulates.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bench.lib.debian import make_system
from bench.lib.emulation import ARM64
from bench.lib.report import commit, machine
from supply.licences import page as licences_page
from supply.licences import shipped
from supply.lock import ROOT, npm_pins, python_pins
from supply.release.artefacts import (
    check_npm_package,
    check_sbom,
    check_sdist,
    check_wheel,
    checksum,
)
from supply.release.debian import PACKAGES, check_debian
from supply.release.failure import ReleaseError
from supply.release.npm_package import check_node
from supply.release.project import check_versions, server_requirements
from supply.release.python_package import check_python
from supply.release.server import clean_environment, running_server

DIST = ROOT / "dist"
LOCK = ROOT / "requirements.lock"
IMAGE_LOCKS = [ROOT / "requirements" / f"{name}.txt" for name in ("image", "cuda", "ray")]
"""What the images have besides."""
SHARED = {"httpcore2"}
"""What the extra `server` names and the client brings too."""


def report(line: str) -> None:
    """Print what is all right."""
    print(f"release-check: {line}", flush=True)


def check_files(version: str) -> list[Path]:
    """Check the files in dist/, the licences' page, and the SBOMs; return what is to be published.

    Raises:
        ReleaseError: One of them is not right.
    """
    wheel = DIST / f"auricle-{version}-py3-none-any.whl"
    sdist = DIST / f"auricle-{version}.tar.gz"
    package = DIST / f"auricle-client-{version}.tgz"
    if missing := [path.name for path in (wheel, sdist, package) if not path.is_file()]:
        raise ReleaseError(f"dist/ lacks {', '.join(missing)}")
    check_wheel(wheel, version)
    check_sdist(sdist, wheel)
    check_npm_package(package, version)
    check_sbom(DIST / "auricle.cdx.json", python_pins(LOCK))
    for image in IMAGE_LOCKS:
        check_sbom(DIST / f"auricle-{image.stem}.cdx.json", python_pins(image))
    check_sbom(DIST / "auricle-web.cdx.json", npm_pins(ROOT / "web" / "package-lock.json"))
    if licences_page(shipped()) != (ROOT / "docs/reference/licences.md").read_text():
        raise ReleaseError("docs/reference/licences.md is not current: run `make licences`")
    report(f"{version}: wheel, sdist, npm package, SBOM, licences, changelog")
    return [wheel, sdist, package]


def can_run(python: str) -> bool:
    """Return whether an interpreter is here; a name alone may be that of a version manager."""
    if shutil.which(python) is None:
        return False
    return not subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode


def check_pythons(pythons: list[str], wheel: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """Check the wheel with each Python that is here.

    Raises:
        ReleaseError: It does not work with one of them.
    """
    reviewed = {pin.name for pin in python_pins(LOCK)}
    unwanted = {canonicalize_name(Requirement(each).name) for each in server_requirements(ROOT)}
    for python in pythons:
        if not can_run(python):
            report(f"skipped: there is no {python}")
            if "CI" in os.environ:
                raise ReleaseError(f"there is no {python}")
            yield {"python": python, "skipped": True}
            continue
        with tempfile.TemporaryDirectory(dir=folder) as own:
            found = check_python(python, wheel, Path(own), reviewed, unwanted - SHARED)
        client, server = found["client"], found["server"]
        report(
            f"Python {found['python']}: client {client['packages']} packages, {client['mb']} MB; "
            f"server {server['packages']} packages, {server['mb']} MB; texts are right"
        )
        yield found


def check_nodes(nodes: list[Path], package: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """Check the npm package with each Node, and a server of this environment.

    Raises:
        ReleaseError: It does not work with one of them.
    """
    command = [sys.executable, "-m", "auricle", "serve"]
    with running_server(command, clean_environment(folder), folder / "serve.log") as url:
        for node in nodes:
            with tempfile.TemporaryDirectory(dir=folder) as own:
                found = check_node(node, package, url, Path(own))
            report(f"Node {found['node']}: the package alone, its types, and the text are right")
            yield found


def check_debians(
    suites: list[str], files: list[Path], folder: Path, architecture: str | None = None
) -> Iterator[dict[str, Any]]:
    """Check all files in new Debians, such as ``trixie``.

    Raises:
        ReleaseError: They do not work in one of them.
    """
    for suite in suites:
        with tempfile.TemporaryDirectory(dir=folder) as own:
            root = Path(own) / "debian"
            make_system(root, suite, PACKAGES, architecture)
            found = check_debian(root, *files, architecture=architecture)
        report(
            f"{found['system']}, {found['architecture']}: client, server, sdist and npm "
            f"package work; ready after {found['ready_s']} s"
        )
        yield found


def main() -> int:
    """Check the release; write dist/release.json and dist/SHA256SUMS."""
    parser = argparse.ArgumentParser(prog="release-check")
    parser.add_argument("--tag", help="the tag to publish, such as v0.1.0")
    parser.add_argument("--python", action="append", default=[], help="an interpreter")
    parser.add_argument("--node", action="append", default=[], type=Path, help="folder of node")
    parser.add_argument("--debian", action="append", default=[], help="a release, such as trixie")
    parser.add_argument("--arm64", action="append", default=[], help="the same, for ARM64")
    options = parser.parse_args()
    try:
        version = check_versions(ROOT, options.tag)
        files = check_files(version)
        with tempfile.TemporaryDirectory(prefix="auricle-release-") as name:
            folder = Path(name)
            results = {
                "machine": machine(),
                "commit": commit(),
                "version": version,
                "files": {path.name: path.stat().st_size for path in files},
                "python": list(check_pythons(options.python, files[0], folder)),
                "node": list(check_nodes(options.node, files[2], folder)),
                "debian": [
                    *check_debians(options.debian, files, folder),
                    *check_debians(options.arm64, files, folder, ARM64),
                ],
            }
    except ReleaseError as error:
        print(f"release-check: {error}.", file=sys.stderr)
        return 1
    (DIST / "release.json").write_text(json.dumps(results, indent=1) + "\n")
    sums = "".join(f"{checksum(path)}  {path.name}\n" for path in files)
    (DIST / "SHA256SUMS").write_text(sums)
    report("all is well; dist/release.json has the figures, dist/SHA256SUMS the checksums")
    return 0


if __name__ == "__main__":
    sys.exit(main())
