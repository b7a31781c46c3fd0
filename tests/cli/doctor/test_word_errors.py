"""Word errors of transcripts."""

import pytest

from auricle.cli.doctor.word_errors import word_error_rate

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("transcript", "errors"),
    [
        ("The train leaves at noon.", 0),
        ("the TRAIN, leaves at noon", 0),
        ("The rain leaves at noon.", 1),
        ("Train leaves at noon", 1),
        ("The train leaves at at noon.", 1),
        ("At noon leaves", 4),
        ("", 5),
    ],
)
def test_words_are_inserted_removed_and_replaced(transcript: str, errors: int) -> None:
    assert word_error_rate("The train leaves at noon.", transcript) == pytest.approx(errors / 5)
