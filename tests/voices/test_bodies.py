"""Names and exports of voices."""

import numpy as np
import pytest

from auricle.values.errors import BadRequest
from auricle.values.speakers import VoicePrint
from auricle.voices.bodies import MAX_NAME_CHARACTERS, checked_name, exported, imported, new_voice
from tests.support.made_up_voices import voice

pytestmark = pytest.mark.unit


def test_a_name_has_one_form() -> None:
    assert checked_name(" Zoe\u0301 ") == "Zo\u00e9"
    assert checked_name("\u0639\u0644\u06cc\u200c\u0631\u0636\u0627").count("\u200c") == 1
    assert checked_name("x" * MAX_NAME_CHARACTERS) == "x" * MAX_NAME_CHARACTERS


@pytest.mark.parametrize("name", ["", "\u200c", "a\x1bb", "a\u2028b", "a\ud800b", "x" * 101])
def test_a_name_can_be_seen(name: str) -> None:
    with pytest.raises(BadRequest) as raised:
        checked_name(name)
    assert raised.value.field == "name"
    assert not name or name not in str(raised.value)


def test_an_export_has_the_same_numbers_after_an_import() -> None:
    stored = new_voice("Ann", VoicePrint("model", voice(1), 21.36), 1.8e9)
    (again,) = imported([exported(stored)], "model", stored.voice.vector.size)
    assert again.uid != stored.uid
    assert np.array_equal(again.voice.vector, stored.voice.vector)
    assert exported(again) == exported(stored)
