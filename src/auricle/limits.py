"""Limits and defaults of speech input, and the types that validate them in all wire formats."""

from typing import Annotated

from msgspec import Meta

MAX_PROMPT_CHARACTERS = 10_000
"""Models use only the end of a prompt, about 1000 characters."""
MAX_HOTWORDS, MAX_HOTWORD_CHARACTERS = 500, 100
MAX_LANGUAGES, MAX_LANGUAGE_CHARACTERS = 200, 100
MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 96_000
MIN_ENDPOINT_MS, MAX_ENDPOINT_MS, DEFAULT_ENDPOINT_MS = 100, 5000, 500
"""Silence that ends an utterance; the default is that of the setting ``endpoint_ms``."""
MAX_MESSAGE_CHARACTERS = 256 * 1024
"""Maximum length of a text message without its audio: the longest prompt and hotwords, escaped."""
MAX_ID_CHARACTERS = 200
"""Maximum length of an id or a secret of a session."""

Prompt = Annotated[str, Meta(max_length=MAX_PROMPT_CHARACTERS)]
Hotwords = Annotated[
    tuple[Annotated[str, Meta(max_length=MAX_HOTWORD_CHARACTERS)], ...],
    Meta(max_length=MAX_HOTWORDS),
]
Language = Annotated[str, Meta(max_length=MAX_LANGUAGE_CHARACTERS)]
Languages = Annotated[tuple[Language, ...], Meta(max_length=MAX_LANGUAGES)]
RateHz = Annotated[int, Meta(ge=MIN_RATE_HZ, le=MAX_RATE_HZ)]
Channels = Annotated[int, Meta(ge=1, le=2)]
EndpointMs = Annotated[int, Meta(ge=MIN_ENDPOINT_MS, le=MAX_ENDPOINT_MS)]
