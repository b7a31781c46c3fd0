"""A suite is only run from the commit that its report names, and unchanged."""

import subprocess
from pathlib import Path

import pytest

from bench.suites import third_party
from bench.suites.third_party import Checkout

pytestmark = pytest.mark.unit


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(third_party, "CHECKOUTS", tmp_path)
    folder = tmp_path / "suite"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "metric.py").write_text("")
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "--message=a")
    return folder


def test_an_unchanged_checkout_is_accepted(folder: Path) -> None:
    commit = third_party.printed("git", "-C", str(folder), "rev-parse", "HEAD")
    checkout = Checkout("owner/suite", commit, "src")
    (folder / "notes.txt").write_text("not imported")
    assert checkout.require() == folder
    (folder / "src" / "metric.py").write_text("changed")
    with pytest.raises(SystemExit, match="has changes"):
        checkout.require()


def test_another_commit_is_refused(folder: Path) -> None:
    with pytest.raises(SystemExit, match="is at"):
        Checkout("owner/suite", "0" * 40, "src").require()


def test_a_missing_checkout_is_explained(folder: Path) -> None:
    with pytest.raises(SystemExit, match="git clone https://github.com/owner/other"):
        Checkout("owner/other", "0" * 40, "src").require()
