"""The programs that ``auricle doctor --client`` stands in for.

The requests are those of the sources of the versions named; the key is the only difference.
"""

import re
from collections.abc import Mapping
from functools import partial

from auricle.cli.doctor.client.messages import json_object
from auricle.cli.doctor.client.profile import (
    ClientProfile,
    Commands,
    Container,
    Form,
    KeyStyle,
    Probe,
    Stream,
    Upload,
)
from auricle.cli.doctor.client.scripts.deepgram import KEEP_ALIVE, DeepgramScript
from auricle.cli.doctor.client.scripts.flux import FluxScript
from auricle.cli.doctor.client.scripts.realtime import RealtimeScript
from auricle.cli.doctor.client.scripts.vosk import (
    JIGASI_CONFIG,
    NEXTCLOUD_CONFIG,
    VoskScript,
)
from auricle.cli.doctor.client.scripts.wyoming import DescribeScript, UtteranceScript
from auricle.values.errors import SetupError

FILE = ("file", None)
WHISPER_1 = ("model", "whisper-1")
TRANSCRIPTIONS = "/audio/transcriptions"
TURN_SILENCE_S = 2.0
"""Silence after the speech, in which the last turn ends."""
AUDIO_FILE = Form((("audio_file", None),), "audio_file", "")
_CUE = re.compile(r"\d+\n[\d:,]+ --> [\d:,]+\n(.+?)(?:\n\n|\n?\Z)", re.DOTALL)


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


def read_subtitles(body: bytes) -> str:
    """Return the text of SubRip subtitles.

    Raises:
        ValueError: The response has no cues.
    """
    cues = _CUE.findall(body.decode(errors="replace"))
    if not cues:
        raise ValueError("The response has no subtitles.")
    return " ".join(" ".join(cues).split())


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
BAZARR = ClientProfile(
    "bazarr",
    "Bazarr",
    "920853d (May 2025)",
    "http://127.0.0.1:6007",
    Upload(
        "/asr?task=transcribe&language=en&output=srt&encode=false",
        AUDIO_FILE,
        Container.SAMPLES,
        read_subtitles,
        (
            Probe(
                "POST",
                "/detect-language?encode=false",
                "language of the film",
                AUDIO_FILE,
                has_speech=True,
            ),
        ),
    ),
    KeyStyle.BASIC,
    runs_in_container=True,
    command="AURICLE_ASR_WEBSERVICE=1 auricle serve",
)
HOME_ASSISTANT = ClientProfile(
    "home-assistant",
    "Home Assistant",
    "wyoming 1.10.0",
    "tcp://127.0.0.1:10300",
    Commands(16_000, 64, DescribeScript, UtteranceScript),
    KeyStyle.NONE,
    runs_in_container=True,
    command="auricle serve --wyoming",
    host_setting="wyoming_host",
)
JIGASI = ClientProfile(
    "jigasi",
    "Jigasi",
    "6fbf4f2 (June 2026)",
    "ws://127.0.0.1:2700/en",
    Stream("", (), 48_000, 20, 0.0, partial(VoskScript, JIGASI_CONFIG)),
    KeyStyle.NONE,
    runs_in_container=True,
    command="auricle serve --vosk",
    host_setting="vosk_host",
)
JITSI = ClientProfile(
    "jitsi",
    "Jitsi's opus-transcriber-proxy",
    "d413315 (July 2026)",
    "ws://127.0.0.1:6007/v1/realtime?intent=transcription",
    Stream("", (), 24_000, 20, 1.0, RealtimeScript),
    KeyStyle.SUBPROTOCOL,
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
LIVEKIT = ClientProfile(
    "livekit",
    "LiveKit Agents",
    "livekit-plugins-deepgram 1.8.9",
    "http://127.0.0.1:6007/v1/listen",
    Stream(
        "",
        (
            ("model", "nova-3"),
            ("punctuate", "true"),
            ("smart_format", "false"),
            ("no_delay", "true"),
            ("interim_results", "true"),
            ("encoding", "linear16"),
            ("vad_events", "true"),
            ("sample_rate", "16000"),
            ("channels", "1"),
            ("endpointing", "25"),
            ("filler_words", "true"),
            ("profanity_filter", "false"),
            ("numerals", "false"),
            ("mip_opt_out", "false"),
            ("language", "en-US"),
        ),
        16_000,
        50,
        0.0,
        partial(DeepgramScript, (KEEP_ALIVE,), closes=True),
    ),
    KeyStyle.TOKEN,
)
LIVEKIT_FLUX = ClientProfile(
    "livekit-flux",
    "LiveKit Agents with Flux",
    "livekit-plugins-deepgram 1.8.9",
    "ws://127.0.0.1:6007/v2/listen",
    Stream(
        "",
        (
            ("model", "flux-general-en"),
            ("sample_rate", "16000"),
            ("encoding", "linear16"),
            ("mip_opt_out", "false"),
            ("eager_eot_threshold", "0.5"),
        ),
        16_000,
        50,
        TURN_SILENCE_S,
        FluxScript,
        ends_by_close=True,
    ),
    KeyStyle.TOKEN,
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
NEXTCLOUD_TALK = ClientProfile(
    "nextcloud-talk",
    "Nextcloud's live transcription",
    "cd40c0e (August 2026)",
    "ws://127.0.0.1:2700",
    Stream("", (), 48_000, 400, 0.0, partial(VoskScript, NEXTCLOUD_CONFIG)),
    KeyStyle.NONE,
    runs_in_container=True,
    command="auricle serve --vosk",
    host_setting="vosk_host",
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
PIPECAT = ClientProfile(
    "pipecat",
    "Pipecat",
    "pipecat-ai 1.14.0",
    "http://127.0.0.1:6007",
    Stream(
        "/v1/listen",
        (
            ("detect_entities", "false"),
            ("diarize", "false"),
            ("dictation", "false"),
            ("interim_results", "true"),
            ("numerals", "false"),
            ("punctuate", "true"),
            ("smart_format", "false"),
            ("model", "nova-3-general"),
            ("language", "en"),
            ("encoding", "linear16"),
            ("channels", "1"),
            ("multichannel", "false"),
            ("sample_rate", "16000"),
        ),
        16_000,
        20,
        0.2,
        partial(DeepgramScript, (), closes=False),
    ),
    KeyStyle.TOKEN,
)
PIPECAT_FLUX = ClientProfile(
    "pipecat-flux",
    "Pipecat with Flux",
    "pipecat-ai 1.14.0",
    "ws://127.0.0.1:6007/v2/listen",
    Stream(
        "",
        (
            ("model", "flux-general-en"),
            ("sample_rate", "16000"),
            ("encoding", "linear16"),
        ),
        16_000,
        20,
        TURN_SILENCE_S,
        FluxScript,
        ends_by_close=True,
    ),
    KeyStyle.TOKEN,
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

CLIENTS: Mapping[str, ClientProfile] = {
    profile.name: profile
    for profile in (
        ATTENDEE,
        BAZARR,
        HOME_ASSISTANT,
        JIGASI,
        JITSI,
        LIBRECHAT,
        LITELLM,
        LIVEKIT,
        LIVEKIT_FLUX,
        N8N,
        NEXTCLOUD,
        NEXTCLOUD_TALK,
        OPEN_WEBUI,
        PIPECAT,
        PIPECAT_FLUX,
        VEXA,
    )
}


def find_client(name: str) -> ClientProfile:
    """Return the program of a name.

    Raises:
        SetupError: There is none.
    """
    if name not in CLIENTS:
        raise SetupError(f"Unknown client {name!r}; use one of {', '.join(CLIENTS)}.")
    return CLIENTS[name]
