import pytest

from auricle.protocol.openai.models import MODELS, Model, model_fields

pytestmark = pytest.mark.unit


def test_a_model_has_the_fields_of_openais() -> None:
    model = model_fields(MODELS[0], 1_700_000_000)
    assert set(model) == Model.__required_keys__
    assert model == {
        "id": "whisper-1",
        "object": "model",
        "created": 1_700_000_000,
        "owned_by": "auricle",
    }
