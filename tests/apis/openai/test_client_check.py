"""How programs read OpenAI's responses."""

import pytest

from auricle.apis.openai.client_check import (
    read_segments,
    read_text,
    read_timed_text,
)

pytestmark = pytest.mark.unit


def test_text_is_read() -> None:
    assert read_text(b'{"text": "Good morning."}') == "Good morning."


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"text": 1}'])
def test_a_response_without_text_can_not_be_read(body: bytes) -> None:
    with pytest.raises(ValueError, match="The response"):
        read_text(body)


def test_litellm_needs_the_duration() -> None:
    assert read_timed_text(b'{"text": "Good morning.", "duration": 1}') == "Good morning."
    with pytest.raises(ValueError, match="no `duration`"):
        read_timed_text(b'{"text": "Good morning."}')


def test_vexa_reads_segments_or_text() -> None:
    assert read_segments(b'{"text": "", "segments": [{"text": " Good"}, {"text": "day."}]}') == (
        "Good day."
    )
    assert read_segments(b'{"text": "Good day."}') == "Good day."
    with pytest.raises(ValueError, match="segments without"):
        read_segments(b'{"text": "Good day.", "segments": [{}]}')
