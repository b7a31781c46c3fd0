"""Lock files: they pin with hashes and name no address, so what is installed is what was locked."""

import json
import os
import re
from pathlib import Path

import pytest

from supply.lock import ROOT, Pin, npm_locks, npm_pins, python_locks, python_pins

pytestmark = pytest.mark.unit


def name(lock: Path) -> str:
    return str(lock.relative_to(ROOT))


def test_every_lock_of_the_repository_is_known() -> None:
    there = set()
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name != "node_modules" and name[0] != "."]
        for file in files:
            path = Path(folder, file)
            if re.search(
                r"requirements[^/]*(/[^/]*)?\.txt$|\.lock$|/package-lock\.json$", str(path)
            ):
                there.add(path)
    assert there == {*python_locks(), *npm_locks()}


@pytest.mark.parametrize("lock", python_locks(), ids=name)
def test_a_lock_for_pip_holds_hashes_and_no_addresses(lock: Path) -> None:
    text = lock.read_text()
    pinned = [line for line in text.splitlines() if "==" in line and not line.startswith("#")]
    assert len(pinned) == len(python_pins(lock)) > 0
    assert all(line.endswith("\\") for line in pinned), "each pin continues with its hashes"
    assert text.count("--hash=sha256:") >= len(pinned)
    for address in ("://", "file:", "--index", "--find-links", " @ "):
        assert address not in text


@pytest.mark.parametrize("lock", npm_locks(), ids=name)
def test_a_lock_for_npm_holds_hashes_and_no_addresses(lock: Path) -> None:
    packages = json.loads(lock.read_text())["packages"]
    foreign = [package for path, package in packages.items() if path]
    assert foreign
    assert all(package["integrity"].startswith("sha512-") for package in foreign)
    assert not [package for package in foreign if "resolved" in package]
    if lock.is_relative_to(ROOT / "tests" / "clients"):
        assert "npm ci --ignore-scripts" in (ROOT / "Makefile").read_text()
    else:
        assert not [package for package in foreign if package.get("hasInstallScript")]


def test_pins_for_other_systems_and_pythons_count(tmp_path: Path) -> None:
    lock = tmp_path / "some.lock"
    lock.write_text(
        "# made by hand\n"
        "Ruamel.Yaml==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n"
        "numpy==2.4.6 ; python_full_version < '3.12' \\\n    --hash=sha256:00\n"
        "numpy==2.5.5 ; python_full_version >= '3.12' \\\n    --hash=sha256:00\n"
    )
    assert python_pins(lock) == [
        Pin("ruamel-yaml", "1.0"),
        Pin("numpy", "2.4.6"),
        Pin("numpy", "2.5.5"),
    ]


def test_a_package_within_a_package_counts(tmp_path: Path) -> None:
    lock = tmp_path / "package-lock.json"
    packages = {
        "": {"version": "0.1.0"},
        "node_modules/a": {"version": "1.0.0"},
        "node_modules/a/node_modules/@b/c": {"version": "2.0.0"},
    }
    lock.write_text(json.dumps({"packages": packages}))
    assert npm_pins(lock) == [Pin("a", "1.0.0"), Pin("@b/c", "2.0.0")]
