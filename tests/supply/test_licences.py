"""Licences: the page lists every package, and each was reviewed."""

import re
from pathlib import Path

import pytest

from supply import licences
from supply.licences import (
    UnknownLicenceError,
    check_licence,
    is_allowed,
    model_rows,
    page,
    read_licence,
    rows,
    shipped,
)
from supply.lock import ROOT, Pin

pytestmark = pytest.mark.unit

LOCK = shipped()


def test_the_page_lists_every_package_with_its_version() -> None:
    text = (ROOT / "docs" / "reference" / "licences.md").read_text()
    told = dict(re.findall(r"^\| ([\w-]+) \| (\d[\w., ]*) \| .+ \|$", text, re.MULTILINE))
    pinned: dict[str, list[str]] = {}
    for pin in LOCK:
        pinned.setdefault(pin.name, []).append(pin.version)
    assert told == {name: ", ".join(versions) for name, versions in pinned.items()}, (
        "run `make licences`"
    )


def test_the_page_lists_every_dependency_and_extra() -> None:
    told = (ROOT / "docs" / "reference" / "licences.md").read_text()
    project = (ROOT / "pyproject.toml").read_text().split("[dependency-groups]")[0]
    lists = project.split("dependencies = [")[1]
    for name in re.findall(r'"([a-z][\w-]+)(?:[\[>=<; ].*)?"', lists):
        assert f"| {name} |" in told, name


def test_the_words_of_the_page_are_those_of_the_program() -> None:
    told = (ROOT / "docs" / "reference" / "licences.md").read_text()
    for part in re.split(r"\{\w+\}", licences.PAGE):
        assert part in told, "run `make licences`"


def test_all_that_is_installed_is_allowed_and_reported_as_on_the_page() -> None:
    told = (ROOT / "docs" / "reference" / "licences.md").read_text()
    for row in rows(LOCK):  # but not the licence: another Python takes another numpy
        assert f"{row.rpartition(' | ')[0]} | " in told


def test_every_model_that_can_be_pulled_is_on_the_page() -> None:
    told = (ROOT / "docs" / "reference" / "licences.md").read_text()
    for row in model_rows():
        assert row in told, "run `make licences`"


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("MPL-2.0 AND MIT", True),
        ("GPL-3.0-or-later OR MIT", True),
        ("GPL-3.0-or-later AND MIT", False),
        ("GPL-3.0-or-later", False),
        ("MIT AND (GPL-3.0-or-later OR MIT)", False),  # brackets aren't understood, so not allowed
    ],
)
def test_a_choice_is_allowed_if_all_its_parts_are(expression: str, allowed: bool) -> None:
    assert is_allowed(expression) is allowed


def test_a_dependency_under_the_gpl_is_stopped() -> None:
    assert read_licence("piper-tts") == "GPL-3.0-or-later"
    with pytest.raises(UnknownLicenceError, match="piper-tts is under GPL-3.0-or-later"):
        page([*LOCK, Pin("piper-tts", "1.8.0")])


def test_an_exception_is_for_one_package_and_one_licence() -> None:
    check_licence("soxr", "LGPL-2.1-or-later")
    with pytest.raises(UnknownLicenceError):
        check_licence("soxr", "LGPL-3.0-or-later")
    with pytest.raises(UnknownLicenceError):
        check_licence("anyio", "LGPL-2.1-or-later")


def test_a_package_that_is_not_installed_has_to_be_in_the_table() -> None:
    assert read_licence("colorama") == "BSD-3-Clause"
    with pytest.raises(UnknownLicenceError, match="ELSEWHERE lacks it"):
        read_licence("no-such-package")


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch, *lines: str, file: str = "") -> None:
    """Install a package `newcomer` with these lines of metadata, and maybe with a file."""
    info = folder / "newcomer-1.0.dist-info"
    info.mkdir()
    text = "\n".join(["Metadata-Version: 2.4", "Name: newcomer", "Version: 1.0", *lines])
    (info / "METADATA").write_text(text + "\n")
    (info / "RECORD").write_text(f"{file},,\n" if file else "")
    if file:  # Python 3.12 leaves out files that do not exist
        (folder / file).parent.mkdir()
        (folder / file).touch()
    monkeypatch.syspath_prepend(folder)


@pytest.mark.parametrize(
    ("lines", "licence"),
    [
        (["License-Expression: mit OR Apache-2.0", "License: something"], "MIT OR Apache-2.0"),
        (["License: 3-Clause BSD License"], "BSD-3-Clause"),
        (
            ["License: The long text", "Classifier: License :: OSI Approved :: MIT License"],
            "MIT",
        ),
    ],
)
def test_a_licence_is_understood_as_packages_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str], licence: str
) -> None:
    installed(tmp_path, monkeypatch, *lines)
    assert read_licence("newcomer") == licence


def test_a_package_that_names_no_licence_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, monkeypatch, "License: as you like")
    with pytest.raises(UnknownLicenceError, match="names no licence that is understood"):
        read_licence("newcomer")


def test_a_library_in_a_wheel_without_a_reviewed_licence_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, monkeypatch, "License: MIT", file="newcomer.libs/libfdk-aac-0123abcd.so.2")
    with pytest.raises(UnknownLicenceError, match="libfdk-aac"):
        list(rows([Pin("newcomer", "1.0")]))
