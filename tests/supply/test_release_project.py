"""The version of a release."""

import json
from pathlib import Path

import pytest

from supply.lock import ROOT
from supply.release.failure import ReleaseError
from supply.release.project import check_versions, named_versions, server_requirements

pytestmark = pytest.mark.unit


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository whose files all name the version 1.2.0."""
    for folder in ("src/auricle", "web"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "src/auricle/__init__.py").write_text('__version__ = "1.2.0"\n')
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "auricle"\nversion = "1.2.0"\n')
    (tmp_path / "web/package.json").write_text(json.dumps({"version": "1.2.0"}))
    lock = {"packages": {"": {"version": "1.2.0"}}}
    (tmp_path / "web/package-lock.json").write_text(json.dumps(lock))
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.0 (2026-11-27)\n\n## 1.1.0\n")
    return tmp_path


def test_the_files_of_this_repository_name_one_version_that_the_changelog_has() -> None:
    assert set(named_versions(ROOT).values()) == {check_versions(ROOT)}


def test_a_version_with_a_date_can_be_tagged(repository: Path) -> None:
    assert check_versions(repository, "v1.2.0") == "1.2.0"


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("web/package.json", '{"version": "1.1.0"}', "web/package.json names the version 1.1.0"),
        ("CHANGELOG.md", "## 1.2.00\n", "no section for 1.2.0"),
        ("CHANGELOG.md", "## 1.2.0 (unreleased)\n", "no date of 1.2.0"),
        ("CHANGELOG.md", "## 1.2.0\n", "no date of 1.2.0"),
        (
            "src/auricle/__init__.py",
            '__version__ = "1.3.0"\n',
            "pyproject.toml names the version 1.2.0, not 1.3.0",
        ),
    ],
)
def test_a_version_that_is_not_everywhere_is_refused(
    file: str, text: str, message: str, repository: Path
) -> None:
    (repository / file).write_text(text)
    with pytest.raises(ReleaseError, match=message):
        check_versions(repository, "v1.2.0")


def test_another_tag_is_refused(repository: Path) -> None:
    with pytest.raises(ReleaseError, match=r"the tag is v1\.3\.0"):
        check_versions(repository, "v1.3.0")


def test_before_a_tag_the_version_may_be_unreleased(repository: Path) -> None:
    (repository / "CHANGELOG.md").write_text("## 1.2.0 (unreleased)\n")
    assert check_versions(repository) == "1.2.0"


def test_the_server_s_requirements_are_those_of_the_extra() -> None:
    assert any(each.startswith("fastapi") for each in server_requirements(ROOT))
