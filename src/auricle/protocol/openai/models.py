"""OpenAI's model names and the list of models."""

from typing import TypedDict

MODELS = (
    "whisper-1",
    "gpt-transcribe",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-mini-transcribe-2025-12-15",
)
"""OpenAI's model names; all of them select the loaded model."""


class Model(TypedDict):
    """A model object."""

    id: str
    object: str
    created: int
    owned_by: str


class Models(TypedDict):
    """A list of models."""

    object: str
    data: list[Model]


def model_fields(name: str, created: int) -> Model:
    """Return a model object for ``/v1/models``.

    Args:
        name: The model ID.
        created: Unix time in seconds.
    """
    return {"id": name, "object": "model", "created": created, "owned_by": "auricle"}
