"""Programs that use OpenAI's Realtime API, as ``auricle doctor --client`` stands in for them.

The messages are those of the sources of the versions named.
"""

from collections.abc import Mapping
from functools import partial

from auricle.apis.openai_realtime.client_check.script import RealtimeScript
from auricle.protocol.client_profile import ClientProfile, KeyScheme, Stream

PCM = {"type": "audio/pcm", "rate": 24000}
BY_SILENCE = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300}


def session(audio_input: Mapping[str, object]) -> Mapping[str, object]:
    """Return a session that transcribes samples."""
    return {"type": "transcription", "audio": {"input": {"format": PCM, **audio_input}}}


JITSI_SESSION = {
    **session(
        {
            "noise_reduction": {"type": "near_field"},
            "transcription": {"model": "gpt-4o-mini-transcribe"},
            "turn_detection": BY_SILENCE | {"silence_duration_ms": 300},
        }
    ),
    "include": ["item.input_audio_transcription.logprobs"],
}
DICTATE_KEYBOARD_SESSION = session({"transcription": {"model": ""}, "turn_detection": None})
HYPRWHSPR_SESSION = session(
    {
        "transcription": {"model": "whisper-1"},
        "turn_detection": BY_SILENCE | {"silence_duration_ms": 500},
    }
)
TYPEWHISPER_SESSION = session({"transcription": {"model": "whisper-1"}, "turn_detection": None})

DICTATE_KEYBOARD = ClientProfile(
    "dictate-keyboard-live",
    "Dictate Keyboard with real-time streaming",
    "6.0.0",
    "http://127.0.0.1:6007/v1",
    Stream(
        "/realtime",
        (("intent", "transcription"),),
        24_000,
        80,
        0.0,
        partial(RealtimeScript, DICTATE_KEYBOARD_SESSION),
    ),
)
HYPRWHSPR = ClientProfile(
    "hyprwhspr-live",
    "hyprwhspr with Realtime WebSocket",
    "74bfe86 (August 2026)",
    "ws://127.0.0.1:6007/v1/realtime",
    Stream("", (), 24_000, 64, 0.0, partial(RealtimeScript, HYPRWHSPR_SESSION, may_be_empty=True)),
)
JITSI = ClientProfile(
    "jitsi",
    "Jitsi's opus-transcriber-proxy",
    "d413315 (July 2026)",
    "ws://127.0.0.1:6007/v1/realtime?intent=transcription",
    Stream(
        "",
        (),
        24_000,
        20,
        1.0,
        partial(RealtimeScript, JITSI_SESSION, may_be_empty=True),
        subprotocols=("realtime", "openai-insecure-api-key.{key}"),
    ),
    KeyScheme.SUBPROTOCOL,
    runs_in_container=True,
)

TYPEWHISPER = ClientProfile(
    "typewhisper-live",
    "TypeWhisper for macOS with Realtime",
    "1.6.0",
    "http://127.0.0.1:6007",
    Stream(
        "/v1/realtime",
        (("intent", "transcription"),),
        24_000,
        100,
        0.0,
        partial(RealtimeScript, TYPEWHISPER_SESSION),
    ),
)

CLIENTS = (DICTATE_KEYBOARD, HYPRWHSPR, JITSI, TYPEWHISPER)
