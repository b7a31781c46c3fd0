"""Token files, line by line."""

from pathlib import Path

import pytest

from auricle.engines.onnx_file import BadFile
from auricle.engines.sherpa import token_file
from auricle.engines.sherpa.token_file import check_vocabulary, read_tokens

pytestmark = pytest.mark.unit


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "tokens.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_tokens_have_numbers(tmp_path: Path) -> None:
    path = written(tmp_path, "<blk> 0\n▁a\t1\r\n\u3000 2\n  b   3  \n4\n")
    assert read_tokens(path).numbers == {"<blk>": 0, "▁a": 1, "\u3000": 2, "b": 3, " ": 4}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "empty"),
        ("a 0\nb\n", "line 2 is not a token and its number"),
        ("a 0\n\nb 1\n", "line 2"),
        ("a 0\nb 1\n\n", "line 3"),
        ("a 0 0\n", "line 1"),
        ("a -1\n", "line 1"),
        ("a 0x1\n", "line 1"),
        ("a 9999999999\n", "line 1"),
        ("a 999999999\n", "above"),
        ("a 0\nb 0\n", "line 2 has the number 0 of another token"),
        (b"\xff 0\n", "line 1 is not UTF-8"),
        ("<html>\n<body> Not found\n", "line 1"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, content: str | bytes, reason: str) -> None:
    with pytest.raises(BadFile, match=reason):
        read_tokens(written(tmp_path, content))


def test_equal_tokens_count(tmp_path: Path) -> None:
    tokens = read_tokens(written(tmp_path, "a 0\nb 1\na 2\n"))
    assert (tokens.numbers, tokens.count) == ({"a": 0, "b": 1}, 3)


@pytest.mark.parametrize("token", ["YQ==", "YWI=", "YWJj", "=", "5"])
def test_tokens_in_base64(tmp_path: Path, token: str) -> None:
    line = token if token == "5" else f"{token} 5"
    assert list(read_tokens(written(tmp_path, line), is_base64=True).numbers.values()) == [5]


@pytest.mark.parametrize("token", ["YQ", "YQ=", "a", "▁a", "Y=Q=", "<s>", "YWJj-"])
def test_tokens_that_are_not_base64_are_of_another_model(tmp_path: Path, token: str) -> None:
    with pytest.raises(BadFile, match="line 1 is not in base64; it is the file of another model"):
        read_tokens(written(tmp_path, f"{token} 0\n"), is_base64=True)


def test_a_large_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_file, "MAX_BYTES", 10)
    with pytest.raises(BadFile, match="larger than"):
        read_tokens(written(tmp_path, "a 0\n" * 10))
    with pytest.raises(BadFile, match="too large"):
        check_vocabulary(written(tmp_path, "a 0\n" * 10))


def test_a_vocabulary_has_scores(tmp_path: Path) -> None:
    check_vocabulary(written(tmp_path, "<unk>\t0\n▁the\t-3.5\n"))


@pytest.mark.parametrize("content", ["", "a\n", "a b\n", "a 1 2\n", b"\xff 1\n", "a 1\n\n"])
def test_a_bad_vocabulary_is_rejected(tmp_path: Path, content: str | bytes) -> None:
    with pytest.raises(BadFile, match="empty|not a piece and its score"):
        check_vocabulary(written(tmp_path, content))
