"""Who is Deepgram's client, and the UUIDs of models."""

import uuid

import pytest

from auricle.apis.deepgram.wire.models import is_deepgram, model_uuid

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("authorization", "user_agent", "expected"),
    [
        ("Token secret", "", True),
        ("TOKEN secret", "python-httpx/0.28", True),
        ("Bearer secret", "deepgram-sdk/7.17.0", True),
        ("", "@deepgram/sdk/5.0.0", True),
        ("Bearer Token", "OpenAI/Python 3.57.0", False),
        ("", "", False),
    ],
)
def test_a_client_is_known_by_its_key_or_its_name(
    authorization: str, user_agent: str, expected: bool
) -> None:
    assert is_deepgram(authorization, user_agent) is expected


def test_a_model_has_the_same_uuid_in_every_server() -> None:
    assert uuid.UUID(model_uuid("whisper-base")).version == 5
    assert model_uuid("whisper-base") == model_uuid("whisper-base") != model_uuid("tiny")
