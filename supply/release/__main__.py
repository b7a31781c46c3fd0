"""Checks what is in dist/ as a release: ``make release-check``.

    python -m supply.release [--tag v0.1.0] --python python3.11 ... --node DIRECTORY ...

It installs the wheel and the npm package in clean environments, and transcribes a clip with each. A
Python that is not here is skipped and reported; where CI is set, that is a failure.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from supply.licences import page as licences_page
from supply.lock import ROOT, npm_pins, python_pins
from supply.release.artefacts import (
    check_npm_package,
    check_sbom,
    check_sdist,
    check_wheel,
    checksum,
)
from supply.release.failure import ReleaseError
from supply.release.npm_package import check_node
from supply.release.project import check_versions, server_requirements
from supply.release.python_package import check_python
from supply.release.server import clean_environment, running_server

DIST = ROOT / "dist"
LOCK = ROOT / "requirements.lock"
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
    check_sbom(DIST / "auricle-web.cdx.json", npm_pins(ROOT / "web" / "package-lock.json"))
    if licences_page(python_pins(LOCK)) != (ROOT / "docs/reference/licences.md").read_text():
        raise ReleaseError("docs/reference/licences.md is not current: run `make licences`")
    report(f"{version}: wheel, sdist, npm package, SBOM, licences, changelog")
    return [wheel, sdist, package]


def check_pythons(pythons: list[str], wheel: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """Check the wheel with each Python that is here.

    Raises:
        ReleaseError: It does not work with one of them.
    """
    reviewed = {pin.name for pin in python_pins(LOCK)}
    unwanted = {canonicalize_name(Requirement(each).name) for each in server_requirements(ROOT)}
    for python in pythons:
        if shutil.which(python) is None:
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


def main() -> int:
    """Check the release; write dist/release.json and dist/SHA256SUMS."""
    parser = argparse.ArgumentParser(prog="release-check")
    parser.add_argument("--tag", help="the tag to publish, such as v0.1.0")
    parser.add_argument("--python", action="append", default=[], help="an interpreter")
    parser.add_argument("--node", action="append", default=[], type=Path, help="folder of node")
    options = parser.parse_args()
    try:
        version = check_versions(ROOT, options.tag)
        files = check_files(version)
        with tempfile.TemporaryDirectory(prefix="auricle-release-") as name:
            folder = Path(name)
            results = {
                "version": version,
                "files": {path.name: path.stat().st_size for path in files},
                "python": list(check_pythons(options.python, files[0], folder)),
                "node": list(check_nodes(options.node, files[2], folder)),
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
