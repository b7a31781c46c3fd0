"""Deepgram's list of models."""

import uuid
from typing import Annotated, TypedDict

from msgspec import Meta

_NAMESPACE = uuid.UUID("f1c3b0f6-3a0e-5d0e-9d38-0d6f7e1b7c55")


class SttModel(TypedDict):
    """A model; ``canonical_name`` is what requests name."""

    name: str
    canonical_name: str
    architecture: Annotated[str, Meta(description="The engine.")]
    languages: Annotated[list[str], Meta(description="Codes of the languages that it knows.")]
    version: Annotated[str, Meta(description="Version of Auricle.")]
    uuid: Annotated[str, Meta(description="Derived from the name, so it stays the same.")]
    batch: bool
    streaming: bool
    formatted_output: Annotated[bool, Meta(description="Texts have case and punctuation.")]


class ModelList(TypedDict):
    """All models; there are none that speak."""

    stt: list[SttModel]
    tts: list[SttModel]


def model_uuid(name: str) -> str:
    """Return the UUID of a model."""
    return str(uuid.uuid5(_NAMESPACE, name))


def is_deepgram(authorization: str, user_agent: str) -> bool:
    """Return whether a request is from a client of Deepgram: by its key, or by its name.

    Args:
        authorization: The header; Deepgram's scheme is ``Token``.
        user_agent: The header: ``deepgram-sdk/…`` in Python, ``@deepgram/sdk/…`` elsewhere.
    """
    scheme = authorization.partition(" ")[0]
    return scheme.lower() == "token" or "deepgram" in user_agent.lower()
