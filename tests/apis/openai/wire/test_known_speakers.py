"""Known speakers of a form: what is refused."""

import base64

import pytest

from auricle.apis.openai.wire.known_speakers import (
    MAX_KNOWN_SPEAKERS,
    MAX_NAME_CHARACTERS,
    NAMES,
    REFERENCES,
    KnownSpeaker,
    known_speakers,
)
from auricle.values.errors import BadRequest

pytestmark = pytest.mark.unit


def url(audio: bytes, kind: str = "data:audio/wav;base64,") -> str:
    return kind + base64.b64encode(audio).decode()


@pytest.mark.parametrize(
    "kind", ["data:audio/wav;base64,", "data:;base64,", "DATA:audio/ogg;codecs=opus;Base64,"]
)
def test_a_data_url_of_any_type_is_decoded(kind: str) -> None:
    assert known_speakers(["Ann"], [url(b"RIFF", kind)]) == (KnownSpeaker("Ann", b"RIFF"),)


@pytest.mark.parametrize(
    "reference",
    [
        *("", "UklGRg==", "https://example.org/a.wav", "data:audio/wav,RIFF", "data:;base64,"),
        *("data:;base64,UklG Rg==", "data:;base64,UklGRg", "data:;base64,\u00e9\u00e9\u00e9\u00e9"),
    ],
)
def test_a_bad_data_url_is_named_by_its_place_and_not_repeated(reference: str) -> None:
    with pytest.raises(BadRequest, match="Entry 2 of") as raised:
        known_speakers(["Ann", "Bob"], [url(b"RIFF"), reference])
    assert raised.value.field == REFERENCES
    assert not reference or reference not in str(raised.value)


def test_names_alone_are_those_of_voices_that_the_server_may_know() -> None:
    assert known_speakers(["Ann"], []) == (KnownSpeaker("Ann", b""),)
    with pytest.raises(BadRequest, match="twice"):
        known_speakers(["Ann", "Ann"], [])


@pytest.mark.parametrize(
    ("names", "count", "field"),
    [
        (["Ann", "Bob"], 1, REFERENCES),
        (["Ann"], 2, REFERENCES),
    ],
)
def test_as_many_recordings_as_names(names: list[str], count: int, field: str) -> None:
    with pytest.raises(BadRequest, match="as many") as raised:
        known_speakers(names, [url(b"RIFF")] * count)
    assert raised.value.field == field


@pytest.mark.parametrize(
    ("names", "count", "field"),
    [
        (["Ann", "Ann"], 2, NAMES),
        ([""], 1, NAMES),
        (["A\nB"], 1, NAMES),
        (["x" * (MAX_NAME_CHARACTERS + 1)], 1, NAMES),
        ([str(n) for n in range(MAX_KNOWN_SPEAKERS + 1)], MAX_KNOWN_SPEAKERS + 1, NAMES),
    ],
)
def test_names_that_do_not_fit_are_refused(names: list[str], count: int, field: str) -> None:
    with pytest.raises(BadRequest) as raised:
        known_speakers(names, [url(b"RIFF")] * count)
    assert raised.value.field == field
