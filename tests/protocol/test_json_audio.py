import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.protocol.json_audio import is_longer_outside_audio

pytestmark = pytest.mark.unit

LIMIT = 100


@pytest.mark.parametrize(
    ("message", "is_longer"),
    [
        ('{"audio": "' + "A" * 1000 + '"}', False),
        ('{"x": 1,\n "audio"\t:\r\n"' + "A" * 1000 + '", "y": 2}', False),
        ('{"audio": "' + "A" * 1000, False),  # incomplete: the parser reports it
        ('{"audio": "", "hotwords": [' + '"a",' * 50 + '"b"]}', True),
        ('{"hotwords": [' + '"a",' * 50 + '"b"], "audio": "AAAA"}', True),
        ('{"audio": "' + "A" * 1000 + '", "audio": "' + "A" * 1000 + '"}', True),
        ('{"initial_prompt": "\\"audio\\": \\"' + "A" * 1000 + '", "audio": "AAAA"}', True),
        ('{"audio": "\\"' + "A" * 1000 + '"}', True),
        ('{"audio": [' + '"",' * 1000 + '""]}', True),
        ('{"\\u0061udio": "' + "A" * 1000 + '"}', True),
        ("[" * 1000, True),
        ("x" * LIMIT, False),
    ],
)
def test_what_is_not_the_audio_is_measured(message: str, is_longer: bool) -> None:
    for form in (message, message.encode(), bytearray(message.encode())):
        assert is_longer_outside_audio(form, LIMIT) is is_longer


@given(
    st.dictionaries(st.text(max_size=8), st.text(max_size=200), max_size=4),
    st.text("AB+/=", max_size=400),
    st.booleans(),
)
def test_it_is_never_less_than_the_other_fields_take(
    fields: dict[str, str], audio: str, is_last: bool
) -> None:
    fields.pop("audio", None)
    ours = {**fields, "audio": audio} if is_last else {"audio": audio, **fields}
    message = json.dumps(ours)
    if not is_longer_outside_audio(message, LIMIT):
        assert len(json.dumps(fields)) <= LIMIT + len('"audio": "", ')
