"""Limits and defaults of speech input, and the types that validate them in all wire formats."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

MAX_PROMPT_CHARACTERS = 10_000
"""Models use only the end of a prompt, about 1000 characters."""
MAX_HOTWORDS, MAX_HOTWORD_CHARACTERS = 500, 100
HOTWORD_LIMITS = f"at most {MAX_HOTWORDS} of at most {MAX_HOTWORD_CHARACTERS} characters"
MAX_LANGUAGES, MAX_LANGUAGE_CHARACTERS = 200, 100
MAX_MODEL_CHARACTERS = 200
"""Maximum length of the name of a model in a request."""
MAX_FILE_NAME_CHARACTERS = 255
"""As in file systems."""
MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 96_000
"""Sample rates of raw samples; decoded files may have others."""
TELEPHONE_RATE_HZ = 8_000
MAX_CHANNELS = 8
"""Channels of raw samples, and channels that are transcribed apart; each costs as much
as a session."""
MIN_PACKET_MS, MAX_PACKET_MS, DEFAULT_PACKET_MS = 2.5, 120, 20
"""Duration of an Opus packet (RFC 6716 §3.4 [R5])."""
MAX_PACKET_BYTES = 4000
"""Speech needs about 50 bytes for 20 ms. RFC 6716 has no limit: padding may fill a megabyte."""
OPUS_FRAME_MS = (10, 20, 40, 60) * 3 + (10, 20) * 2 + (2.5, 5, 10, 20) * 4
"""Duration of a packet's frames by its configuration (RFC 6716, table 2)."""
MIN_ENDPOINT_MS, MAX_ENDPOINT_MS, DEFAULT_ENDPOINT_MS = 100, 5000, 500
"""Silence that ends an utterance; the default is that of the setting ``endpoint_ms``."""
MIN_MAX_LAG_S, MAX_MAX_LAG_S = 1.0, 60.0
"""Range of ``max_lag_s``: the maximum delay of a final."""
MAX_MESSAGE_CHARACTERS = 256 * 1024
"""Maximum length of a text message without its audio: the longest prompt and hotwords, escaped."""
MAX_ID_CHARACTERS = 200
"""Maximum length of an id or a secret of a session."""
MAX_KEEP_AUDIO_S = 30 * 24 * 3600
"""Maximum retention of the audio of an ended job, in seconds."""
Prompt = Annotated[str, Meta(max_length=MAX_PROMPT_CHARACTERS)]
VOCABULARY_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
VocabularyName = Annotated[str, Meta(pattern=rf"^({VOCABULARY_NAME})?$(?!\n)")]
Hotwords = Annotated[
    tuple[Annotated[str, Meta(max_length=MAX_HOTWORD_CHARACTERS)], ...],
    Meta(max_length=MAX_HOTWORDS),
]
Language = Annotated[str, Meta(max_length=MAX_LANGUAGE_CHARACTERS)]
StrictLanguage = Annotated[
    bool,
    Meta(
        description="Whether the text is never in another language than `language`, even if the "
        "speech is."
    ),
]
ModelName = Annotated[str, Meta(max_length=MAX_MODEL_CHARACTERS)]
FileName = Annotated[
    str, Meta(pattern=rf"^[^\x00-\x1f\x7f-\x9f]{{0,{MAX_FILE_NAME_CHARACTERS}}}$(?!\n)")
]
Languages = Annotated[tuple[Language, ...], Meta(max_length=MAX_LANGUAGES)]
PacketMs = Annotated[float, Meta(ge=MIN_PACKET_MS, le=MAX_PACKET_MS)]
RateHz = Annotated[int, Meta(ge=MIN_RATE_HZ, le=MAX_RATE_HZ)]
MixedChannels = Annotated[int, Meta(ge=1, le=2)]
Channels = Annotated[int, Meta(ge=1, le=MAX_CHANNELS)]
MaxLag = Annotated[float, Meta(ge=MIN_MAX_LAG_S, le=MAX_MAX_LAG_S)]
EndpointMs = Annotated[int, Meta(ge=MIN_ENDPOINT_MS, le=MAX_ENDPOINT_MS)]


def are_valid_hotwords(words: Sequence[str]) -> bool:
    """Return whether the words are within the limits on number and length."""
    return len(words) <= MAX_HOTWORDS and all(len(w) <= MAX_HOTWORD_CHARACTERS for w in words)
