"""``auricle vocabulary`` with a real server and its database."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from auricle.cli.part import find_parts
from auricle.vocabularies.part import PART
from tests.support.clips import CLIPS
from tests.support.command import completed, environment, serving

pytestmark = pytest.mark.process

Run = Callable[..., subprocess.CompletedProcess[str]]
CSV = "term,sounds_like,replaces\nZyntrix,sin tricks;zin tricks,\nŁódź,,\nOK,,ok\n"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("vocabularies")
    with serving(folder, state_dir=folder / "state") as (_, address):
        yield address


@pytest.fixture
def vocabulary(tmp_path: Path, url: str) -> Run:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return completed("vocabulary", *arguments, environ=environment(tmp_path, url=url))

    return run


def test_a_vocabulary_is_stored_shown_changed_and_deleted(vocabulary: Run, tmp_path: Path) -> None:
    file = tmp_path / "names.csv"
    file.write_text(CSV)
    assert vocabulary("set", "names", str(file)).stderr == "names has 2 terms.\n"
    assert vocabulary("show", "names", "--csv").stdout == CSV
    vocabulary("add", "names", "Digique Plus")
    vocabulary("remove", "names", "łódź")
    assert vocabulary("show", "names").stdout == "Zyntrix\nDigique Plus\n"
    assert "default" in vocabulary("default", "names").stderr
    (line,) = vocabulary("list").stdout.splitlines()
    assert line.startswith("* names  2 terms, 1 replacements")
    assert json.loads(vocabulary("list", "--json").stdout)["default"] is True
    assert vocabulary("delete", "names").returncode == 0
    assert vocabulary("list").stdout == ""


def test_a_file_that_powershell_has_written_comes_back(vocabulary: Run, tmp_path: Path) -> None:
    file = tmp_path / "names.csv"
    file.write_bytes(CSV.replace("\n", "\r\n").encode("utf-16"))
    vocabulary("set", "windows", str(file))
    assert vocabulary("show", "windows", "--csv").stdout == CSV
    vocabulary("delete", "windows")


def test_recordings_are_transcribed_with_a_vocabulary_that_the_server_has(
    vocabulary: Run, tmp_path: Path, url: str
) -> None:
    vocabulary("add", "other", "Zyntrix")
    clip = str(CLIPS["fellow.wav"].path)
    environ = environment(tmp_path, url=url)
    for command in (("transcribe",), ("live", "--fast")):
        assert completed(*command, "--vocabulary", "other", clip, environ=environ).stdout.strip()
        refused = completed(*command, "--vocabulary", "none", clip, environ=environ)
        assert "no such vocabulary" in refused.stderr.replace("\n", " ")
    local = completed("transcribe", "--vocabulary", "other", clip, environ=environment(tmp_path))
    assert "--vocabulary requires --url" in local.stderr


def test_each_command_is_listed(vocabulary: Run) -> None:
    listed = vocabulary("--help").stdout
    assert PART in find_parts()
    names = [command.__name__.strip("_") for command in PART.commands()]
    assert len(names) == 7
    assert all(f" {name} " in listed for name in names)


def test_mistakes_are_explained(vocabulary: Run, tmp_path: Path) -> None:
    (tmp_path / "latin1").write_bytes(b"\xff")
    (tmp_path / "wide").write_text("term,sounds_like\na,b,c,d\n")
    for arguments, part in (
        (("set", "names", str(tmp_path / "none")), "can't be read"),
        (("set", "names", str(tmp_path / "latin1")), "not UTF-8"),
        (("set", "names", str(tmp_path / "wide")), "line 2"),
        (("show", "none"), "There is no vocabulary none"),
        (("default", "none"), "There is no vocabulary none"),
        (("add", "a b", "x"), "1 to 64"),
        (("remove", "none", "x"), "There is no vocabulary none"),
    ):
        run = vocabulary(*arguments)
        assert run.returncode == 2, arguments
        assert part in run.stderr.replace("\n", " "), arguments
