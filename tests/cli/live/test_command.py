"""``auricle live`` without a server: arguments and errors."""

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.support.clips import CLIPS

pytestmark = pytest.mark.unit

SHORT = str(CLIPS["short.wav"].path)
NO_SERVER = ("--url", "http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Give either a recording to play or --mic"),
        ([SHORT, "--mic"], "either a recording to play or --mic"),
        (["nowhere.wav"], "nowhere.wav can't be read: No such file or directory"),
        (["tests"], "tests can't be read: Is a directory"),
        (["README.md"], "use WAV"),
        ([SHORT, "--language", "klingon"], "Unsupported language 'klingon'"),
        ([SHORT, "--url", "nowhere"], "Invalid URL nowhere"),
        ([SHORT, *NO_SERVER], "connection refused. Start a server with `auricle serve`"),
        ([SHORT, "-o", SHORT], "is the recording itself"),
        ([SHORT, "-o", "tests"], "tests is a folder; give a file: -o tests/captions.txt"),
        ([SHORT, "-o", "README.md/a.srt"], "can't be written"),
    ],
)
def test_what_cant_be_done_ends_in_one_line(auricle: Run, arguments: list[str], said: str) -> None:
    result = auricle("live", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_a_file_that_is_there_is_not_touched_before_there_are_words(
    auricle: Run, tmp_path: Path
) -> None:
    (tmp_path / "old.srt").write_text("yesterday's")
    assert auricle("live", SHORT, *NO_SERVER, "-o", str(tmp_path / "old.srt")).exit_code == 2
    assert (tmp_path / "old.srt").read_text() == "yesterday's"


def test_the_help_says_how_to_begin(auricle: Run) -> None:
    text = re.sub(r"\s+", " ", auricle("live", "--help").stdout)
    for said in ("auricle serve", "--mic", "Ctrl-C", "AURICLE_URL", "--fast", ".srt"):
        assert said in text
