"""Programs that use OpenAI's API for files, as ``auricle doctor --client`` stands in for them.

The requests are those of the sources of the versions named; the key is the only difference.
"""

from auricle.protocol.client_profile import ClientProfile, Container, Form, Probe, Upload
from auricle.protocol.json_object import json_object

FILE = ("file", None)
WHISPER_1 = ("model", "whisper-1")
TRANSCRIPTIONS = "/audio/transcriptions"


def read_text(body: bytes) -> str:
    """Return ``text`` of a JSON response.

    Raises:
        ValueError: The response has none.
    """
    text = json_object(body).get("text")
    if not isinstance(text, str):
        raise ValueError("The response has no `text`.")
    return text


def read_segments(body: bytes) -> str:
    """Return the text of a JSON response with or without segments, as Vexa does.

    Raises:
        ValueError: The response has neither.
    """
    segments = json_object(body).get("segments") or []
    try:
        text = " ".join(str(segment["text"]).strip() for segment in segments)
    except (KeyError, TypeError) as error:
        raise ValueError("The response has segments without `text`.") from error
    return text or read_text(body)


def read_timed_text(body: bytes) -> str:
    """Return ``text`` of a JSON response with ``duration``, as LiteLLM does.

    Raises:
        ValueError: The response lacks one of them.
    """
    if not isinstance(json_object(body).get("duration"), int | float):
        raise ValueError("The response has no `duration`.")
    return read_text(body)


ATTENDEE = ClientProfile(
    "attendee",
    "Attendee",
    "77e990e (August 2026)",
    "http://127.0.0.1:6007/v1",
    Upload(
        TRANSCRIPTIONS,
        Form((FILE, ("model", "gpt-4o-transcribe")), "file.mp3", "audio/mpeg"),
        Container.MP3,
        read_text,
    ),
    runs_in_container=True,
)
LIBRECHAT = ClientProfile(
    "librechat",
    "LibreChat",
    "0.8.2",
    "http://127.0.0.1:6007/v1/audio/transcriptions",
    Upload(
        "",
        Form((FILE, WHISPER_1), "audio.webm", "video/webm", is_chunked=True),
        Container.WEBM,
        read_text,
    ),
    runs_in_container=True,
)
LITELLM = ClientProfile(
    "litellm",
    "LiteLLM",
    "1.80.16",
    "http://127.0.0.1:6007/v1",
    Upload(
        TRANSCRIPTIONS,
        Form((WHISPER_1, ("response_format", "verbose_json"), FILE), "speech.wav", "audio/x-wav"),
        Container.WAV,
        read_timed_text,
    ),
    runs_in_container=True,
)
N8N = ClientProfile(
    "n8n",
    "n8n",
    "the OpenAI node 2",
    "http://127.0.0.1:6007/v1",
    Upload(
        TRANSCRIPTIONS,
        Form((WHISPER_1, FILE), "speech.mp3", "audio/mpeg"),
        Container.MP3,
        read_text,
        (Probe("GET", "/models", "test of the credentials"),),
    ),
    runs_in_container=True,
)
NEXTCLOUD = ClientProfile(
    "nextcloud",
    "Nextcloud",
    "integration_openai 5.0.0",
    "http://127.0.0.1:6007/v1",
    Upload(
        TRANSCRIPTIONS,
        Form((WHISPER_1, FILE, ("response_format", "verbose_json")), "file.mp3", "audio/mpeg"),
        Container.MP3,
        read_text,
        (
            Probe("GET", "/models", "list of models"),
            Probe(
                "POST",
                "/audio/translations",
                "test for speech to text",
                Form((("model", "invalid-model"), FILE), "file.mp3", "audio/mpeg"),
                refusals=frozenset({401, 404}),
                advice="After this response Nextcloud offers no speech to text: set "
                "AURICLE_UNKNOWN_MODELS=default, so that unknown names mean the default model.",
            ),
        ),
    ),
    runs_in_container=True,
)
OPEN_WEBUI = ClientProfile(
    "open-webui",
    "Open WebUI",
    "0.12.4",
    "http://127.0.0.1:6007/v1",
    Upload(
        TRANSCRIPTIONS,
        Form(
            (WHISPER_1, FILE),
            "speech.wav",
            "application/octet-stream",
            is_chunked=True,
            is_typed=True,
        ),
        Container.WAV,
        read_text,
    ),
    runs_in_container=True,
)
VEXA = ClientProfile(
    "vexa",
    "Vexa",
    "0.12.23",
    "http://127.0.0.1:6007",
    Upload(
        "/v1/audio/transcriptions",
        Form(
            (
                FILE,
                WHISPER_1,
                ("response_format", "verbose_json"),
                ("timestamp_granularities", "word"),
            ),
            "audio.wav",
            "audio/wav",
        ),
        Container.WAV,
        read_segments,
    ),
    runs_in_container=True,
)

CLIENTS = (ATTENDEE, LIBRECHAT, LITELLM, N8N, NEXTCLOUD, OPEN_WEBUI, VEXA)
