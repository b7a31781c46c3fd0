import msgspec
import pytest

from auricle.text.filters.correction.options import (
    MAX_TERM_CHARACTERS,
    MAX_TERMS,
    Replacement,
    Term,
    Vocabulary,
)

pytestmark = pytest.mark.unit


def test_the_wire_format() -> None:
    vocabulary = Vocabulary((Term("JSON", ("jason",)),), (Replacement("um", ""),))
    encoded = (
        b'{"terms":[{"term":"JSON","sounds_like":["jason"]}],'
        b'"replacements":[{"from":"um","to":""}]}'
    )
    assert msgspec.json.encode(vocabulary) == encoded
    assert msgspec.json.decode(encoded, type=Vocabulary) == vocabulary
    assert msgspec.json.decode(b"{}", type=Vocabulary) == Vocabulary()


LONG = "x" * (MAX_TERM_CHARACTERS + 1)


@pytest.mark.parametrize(
    "value",
    [
        {"terms": [{"term": ""}]},
        {"terms": [{"term": LONG}]},
        {"terms": [{"term": "a\nb"}]},
        {"terms": [{"term": "a\n"}]},
        {"terms": [{"term": "a\x7f"}]},
        {"terms": [{"term": "a", "sounds_like": ["b"] * 11}]},
        {"terms": [{"term": "a", "sounds_like": ["\x00"]}]},
        {"terms": [{"term": "a"}] * (MAX_TERMS + 1)},
        {"replacements": [{"from": "", "to": "a"}]},
        {"replacements": [{"from": "a"}]},
        {"replacements": [{"from": "a", "to": LONG}]},
        {"replacements": [{"from": "a", "to": "b"}] * 1001},
        [],
    ],
)
def test_invalid_vocabularies_are_refused(value: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(value), type=Vocabulary)
