import pytest

from fuzz.checks import pieces, same_in_any_split

pytestmark = pytest.mark.unit


def test_pieces_are_the_whole_and_always_the_same() -> None:
    data = bytes(range(256)) * 8
    assert b"".join(pieces(data)) == data
    assert list(pieces(data)) == list(pieces(data))
    assert len(list(pieces(data))) > 10


def test_a_parser_that_counts_chunks_is_caught() -> None:
    with pytest.raises(AssertionError, match="another split"):
        same_in_any_split(lambda chunks: sum(1 for _ in chunks), b"some bytes")
