"""Pinned packages by platform: what was tried is what is locked, and what is missing is known."""

import json
from pathlib import Path
from typing import Any

import pytest

from supply.lock import ROOT, Pin, python_locks
from supply.platforms import PYTHONS, RESULT, SYSTEMS, checksum, lacking, without

pytestmark = pytest.mark.unit

LOCK = (
    "# made by hand\n"
    "one==1.0 \\\n    --hash=sha256:00\n"
    "two==2.0 ; sys_platform == 'linux' \\\n    --hash=sha256:01 \\\n    --hash=sha256:02\n"
    "three==3.0 \\\n    --hash=sha256:03\n"
)


def tried() -> dict[str, Any]:
    result: dict[str, Any] = json.loads(RESULT.read_text())
    return result


def test_every_lock_was_tried_as_it_is() -> None:
    locks = {str(lock.relative_to(ROOT)): checksum(lock) for lock in python_locks()}
    assert {name: each["sha256"] for name, each in tried().items()} == locks, "run: make platforms"


def test_every_package_of_the_server_and_of_development_has_wheels() -> None:
    """Other people's suites are tried with the Python that they are made for."""
    missing = {name: each["missing"] for name, each in tried().items() if each["missing"]}
    assert {name for name in missing if "suite-" not in name} == set()


def test_what_has_a_wheel_for_x86_has_one_for_arm() -> None:
    x86, arm = SYSTEMS
    for name, each in tried().items():
        for python in PYTHONS:
            for_x86, for_arm = (
                each["missing"].get(f"{system}, Python {python}", []) for system in (x86, arm)
            )
            assert for_arm == for_x86, (name, python)


def uv(folder: Path, *lines: str) -> str:
    """Return a program that takes the place of uv; the file of the pins is its last argument."""
    path = folder / "uv"
    path.write_text("\n".join(["#!/bin/sh", 'for rest in "$@"; do :; done', *lines]))
    path.chmod(0o755)
    return str(path)


def test_packages_without_wheels_are_found_one_after_the_other(tmp_path: Path) -> None:
    lock = tmp_path / "some.lock"
    lock.write_text(LOCK)
    program = uv(
        tmp_path,
        "for name in one three; do",
        '  if grep -q "^$name==" "$rest"; then',
        '    echo "cause: Because $name{a}==1.0 has no wheels with a matching tag" >&2; exit 1',
        "  fi",
        "done",
    )
    assert lacking(program, lock, SYSTEMS[0], PYTHONS[0]) == [
        Pin("one", "1.0"),
        Pin("three", "1.0"),
    ]


def test_another_failure_is_reported(tmp_path: Path) -> None:
    lock = tmp_path / "some.lock"
    lock.write_text(LOCK)
    with pytest.raises(SystemExit, match="no route to host"):
        lacking(uv(tmp_path, "echo no route to host >&2; exit 2"), lock, SYSTEMS[0], PYTHONS[0])


def test_a_pin_is_removed_with_its_hashes() -> None:
    assert without(LOCK, {"two"}) == (
        "# made by hand\none==1.0 \\\n    --hash=sha256:00\nthree==3.0 \\\n    --hash=sha256:03\n"
    )
