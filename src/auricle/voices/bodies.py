"""What requests and responses about voices contain. No I/O."""

import re
import secrets
import unicodedata
from collections.abc import Sequence
from typing import Annotated, Literal, TypedDict

import msgspec
import numpy as np
from msgspec import Meta

from auricle.values.errors import BadRequest
from auricle.values.speakers import VoicePrint
from auricle.voices.errors import ConsentMissing, VoiceUnusable
from auricle.voices.stored import MAX_VOICES, EnrolledVoice

MAX_NAME_CHARACTERS = 100
MAX_DIMENSIONS = 1024
UNIT_TOLERANCE = 1e-4
_JOINERS = re.compile("[\u200c\u200d]")
"""Format characters that names in Persian and in scripts of India are written with."""

_Name = Annotated[
    str, Meta(max_length=4 * MAX_NAME_CHARACTERS, description="Name of the person; unique.")
]
_Consent = Annotated[bool, Meta(description="Must be true: the person has agreed to it.")]


class RememberedSpeaker(msgspec.Struct):
    """A speaker of a kept transcript, whose voice is to be known."""

    name: _Name
    transcript: Annotated[str, Meta(max_length=200, description="ID of the kept transcript.")]
    speaker: Annotated[int, Meta(ge=0, le=99_999, description="Number of the speaker, from 0.")]
    consent: _Consent = False


class VoiceForm(msgspec.Struct):
    """The fields of a form with a recording."""

    name: _Name
    consent: _Consent = False


class VoiceChange(msgspec.Struct):
    """A change of a voice."""

    name: _Name


class ExportedVoice(msgspec.Struct):
    """A voice with its embedding."""

    name: _Name
    model: Annotated[str, Meta(max_length=200, description="Digest of the speaker model.")]
    embedding: Annotated[
        list[Annotated[float, Meta(ge=-1, le=1)]],
        Meta(min_length=1, max_length=MAX_DIMENSIONS, description="Embedding of unit length."),
    ]
    speech_s: Annotated[
        float, Meta(ge=0, le=1e6, description="Seconds of speech that it is the mean of.")
    ]
    created_at: Annotated[float, Meta(ge=0, le=2**53, description="Unix time in seconds.")]


class ImportedVoices(msgspec.Struct):
    """Voices of an export."""

    voices: Annotated[list[ExportedVoice], Meta(min_length=1, max_length=MAX_VOICES)]
    consent: Annotated[bool, Meta(description="Must be true: all have agreed to it.")] = False


class VoiceBody(TypedDict):
    """A stored voice.

    ``is_used`` is false if it is of another speaker model than the server's.
    """

    id: str
    name: str
    speech_s: float
    created_at: float
    is_used: bool


class VoicesBody(TypedDict):
    """All voices of a key."""

    voices: list[VoiceBody]


class ExportBody(TypedDict):
    """All voices of a key, with their embeddings."""

    voices: list[ExportedVoice]


def checked_name(name: str) -> str:
    """Return a name in its composed form, without spaces around it.

    Raises:
        BadRequest: It is empty, too long, or has characters that can't be seen.
    """
    name = unicodedata.normalize("NFC", name.strip())
    visible = _JOINERS.sub("", name)
    if not visible.strip() or len(name) > MAX_NAME_CHARACTERS or not visible.isprintable():
        raise BadRequest(f"name must be 1 to {MAX_NAME_CHARACTERS} printable characters.", "name")
    return name


def check_consent(consent: bool | Literal["true"]) -> None:
    """Check that a person has agreed.

    Raises:
        ConsentMissing: It is not said.
    """
    if not consent:
        raise ConsentMissing(
            "A voice is biometric data: send consent=true if the person has agreed to it.",
            "consent",
        )


def new_voice(name: str, voice: VoicePrint, now: float) -> EnrolledVoice:
    """Return a voice with a new id."""
    return EnrolledVoice(secrets.token_hex(16), name, voice, now)


def voice_body(voice: EnrolledVoice, model: str) -> VoiceBody:
    """Return a voice as JSON; ``model`` is the server's."""
    return {
        "id": voice.uid,
        "name": voice.name,
        "speech_s": round(voice.voice.speech_s, 1),
        "created_at": round(voice.created_at, 3),
        "is_used": voice.voice.model == model,
    }


def exported(voice: EnrolledVoice) -> ExportedVoice:
    """Return a voice for an export."""
    embedding = [float(f"{value:.9g}") for value in voice.voice.vector.tolist()]
    return ExportedVoice(
        voice.name,
        voice.voice.model,
        embedding,
        round(voice.voice.speech_s, 1),
        round(voice.created_at, 3),
    )


def imported(voices: Sequence[ExportedVoice], model: str, dimensions: int) -> list[EnrolledVoice]:
    """Return the voices of an export; the model and its number of dimensions are the server's.

    Raises:
        BadRequest: A name is invalid or there twice.
        VoiceUnusable: A voice is of another model, or its embedding is none.
    """
    found: dict[str, EnrolledVoice] = {}
    for number, each in enumerate(voices, 1):
        name = checked_name(each.name)
        if name in found:
            raise BadRequest(f"Entry {number} of voices has the name of an earlier one.", "name")
        if each.model != model:
            raise VoiceUnusable(f"Entry {number} of voices is of another speaker model.", "model")
        vector = np.array(each.embedding, np.float32)
        length = float(np.linalg.norm(vector))
        if vector.size != dimensions or abs(length - 1) > UNIT_TOLERANCE:
            raise VoiceUnusable(
                f"Entry {number} of voices has another number of dimensions, or not unit length.",
                "embedding",
            )
        found[name] = new_voice(name, VoicePrint(model, vector, each.speech_s), each.created_at)
    return list(found.values())
