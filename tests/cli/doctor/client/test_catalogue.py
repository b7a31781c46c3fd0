"""The programs that the command stands in for, and how they read responses."""

from urllib.parse import urlsplit

import pytest

from auricle.cli.doctor.client.catalogue import (
    CLIENTS,
    find_client,
    read_segments,
    read_subtitles,
    read_text,
    read_timed_text,
)
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", CLIENTS)
def test_a_program_is_found_by_its_name(name: str) -> None:
    profile = find_client(name)
    assert profile.name == name
    assert urlsplit(profile.url).hostname == "127.0.0.1"


def test_an_unknown_name_lists_the_others() -> None:
    with pytest.raises(SetupError, match=f"use one of {', '.join(CLIENTS)}"):
        find_client("siri")


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


def test_bazarr_reads_subtitles() -> None:
    srt = "1\n00:00:00,000 --> 00:00:01,500\nGood\nday.\n\n2\n00:00:02,000 --> 00:00:03,000\nYes.\n"
    assert read_subtitles(srt.encode()) == "Good day. Yes."
    with pytest.raises(ValueError, match="no subtitles"):
        read_subtitles(b"Good day.")
