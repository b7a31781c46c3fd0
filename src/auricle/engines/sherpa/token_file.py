"""Check a model's token file line by line: sherpa-onnx ends the process at a bad one.

Each line is a token and its number, separated by white space; a line with a number alone is the
token of a space. Standard library only: the server uses this module.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from auricle.engines.onnx_file import BadFile

MAX_BYTES = 50_000_000
MAX_TOKENS = 5_000_000
_NUMBER = re.compile(rb"\d{1,9}")
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?|=+")


@dataclass(frozen=True, slots=True)
class Tokens:
    """The content of a token file.

    Attributes:
        numbers: The number of each token; of two equal tokens, that of the first.
        count: How many there are, including equal ones.
    """

    numbers: Mapping[str, int]
    count: int


def read_tokens(path: Path, *, is_base64: bool = False) -> Tokens:
    """Return all tokens.

    Args:
        path: The file.
        is_base64: Whether tokens are in base64, as those of Whisper and Moonshine.

    Raises:
        BadFile: A line is not a token and a number, or two tokens have the same number.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if not content:
        raise BadFile("it is empty")
    if len(content) > MAX_BYTES:
        raise BadFile(f"it is larger than {MAX_BYTES // 1_000_000} MB")
    tokens: dict[str, int] = {}
    numbers = set[int]()
    for number, line in enumerate(content.removesuffix(b"\n").split(b"\n"), start=1):
        token, index = _parse(line, number, is_base64=is_base64)
        if index in numbers:
            raise BadFile(f"line {number} has the number {index} of another token")
        numbers.add(index)
        tokens.setdefault(token, index)
    return Tokens(tokens, len(numbers))


def _parse(line: bytes, number: int, *, is_base64: bool) -> tuple[str, int]:
    parts = line.split()
    if len(parts) == 1:
        parts.insert(0, b" ")
    if len(parts) != 2 or not _NUMBER.fullmatch(parts[1]):
        raise BadFile(f"line {number} is not a token and its number")
    token, index = parts[0], int(parts[1])
    if index >= MAX_TOKENS:
        raise BadFile(f"line {number} has a number above {MAX_TOKENS}")
    if is_base64 and token != b" " and not _BASE64.fullmatch(token):
        raise BadFile(f"line {number} is not in base64; it is the file of another model")
    try:
        return token.decode(), index
    except UnicodeDecodeError:
        raise BadFile(f"line {number} is not UTF-8") from None


def check_vocabulary(path: Path) -> None:
    """Check a vocabulary of SentencePiece (``bpe.vocab``): a piece and its score in each line.

    Raises:
        BadFile: A line is something else.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if not content or len(content) > MAX_BYTES:
        raise BadFile("it is empty or too large")
    for number, line in enumerate(content.removesuffix(b"\n").split(b"\n"), start=1):
        parts = line.split()
        try:
            float(parts[-1])
            line.decode()
        except (IndexError, ValueError):
            raise BadFile(f"line {number} is not a piece and its score") from None
        if len(parts) != 2:
            raise BadFile(f"line {number} is not a piece and its score")
