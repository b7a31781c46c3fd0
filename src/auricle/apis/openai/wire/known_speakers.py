"""The known speakers of OpenAI's form: names, and recordings of their voices as data URLs.

OpenAI accepts up to four recordings of 2 to 10 s each.
"""

import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from auricle.values.errors import BadRequest

MAX_KNOWN_SPEAKERS = 4
MAX_NAME_CHARACTERS = 100
NAMES, REFERENCES = "known_speaker_names", "known_speaker_references"

_DATA_URL = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)  # RFC 2397


@dataclass(frozen=True, slots=True)
class KnownSpeaker:
    """A name, and an audio file with the voice; an empty one: the voice that the server knows."""

    name: str
    audio: bytes


def known_speakers(names: Sequence[str], references: Sequence[str]) -> tuple[KnownSpeaker, ...]:
    """Return the known speakers of a form.

    Args:
        names: The names.
        references: A data URL for each name; or none at all, if the server knows the voices.

    Raises:
        BadRequest: The lists differ in length or are too long, a name is empty, too long or
            repeated, or a reference is not a data URL with base64.
    """
    if references and len(names) != len(references):
        raise not_as_many()
    if len(names) > MAX_KNOWN_SPEAKERS:
        raise BadRequest(f"{NAMES} may have at most {MAX_KNOWN_SPEAKERS} names.", NAMES)
    if len(set(names)) < len(names):
        raise BadRequest(f"{NAMES} has a name twice.", NAMES)
    for name in names:
        if not 0 < len(name) <= MAX_NAME_CHARACTERS or not name.isprintable():
            raise BadRequest(
                f"{NAMES} must have 1 to {MAX_NAME_CHARACTERS} printable characters each.", NAMES
            )
    if not references:
        return tuple(KnownSpeaker(name, b"") for name in names)
    return tuple(
        KnownSpeaker(name, _audio(number, reference))
        for number, (name, reference) in enumerate(zip(names, references, strict=True), 1)
    )


def not_as_many() -> BadRequest:
    """Return the error for names without recordings."""
    return BadRequest(f"Send as many {REFERENCES} as {NAMES}.", REFERENCES)


def _audio(number: int, reference: str) -> bytes:
    header = _DATA_URL.match(reference)
    if header is not None:
        try:
            audio = binascii.a2b_base64(reference[header.end() :], strict_mode=True)
        except (binascii.Error, ValueError):  # ValueError: characters that are not ASCII
            audio = b""
        if audio:
            return audio
    raise BadRequest(
        f"Entry {number} of {REFERENCES} is not a data URL with base64: `data:audio/wav;base64,…`.",
        REFERENCES,
    )
