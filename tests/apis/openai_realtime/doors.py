"""OpenAI's Realtime in the comparison of all APIs."""

import base64
import json
from functools import partial

from bench.lib.door import Door, Live, of_live

REALTIME_HZ = 24_000


def _realtime_opening(language: str) -> str:
    transcription = {"model": "whisper-1", "language": language}
    sound = {"format": {"type": "audio/pcm", "rate": REALTIME_HZ}, "transcription": transcription}
    audio = {"input": sound | {"turn_detection": None}}
    return json.dumps(
        {"type": "session.update", "session": {"type": "transcription", "audio": audio}}
    )


REALTIME = Live(
    "ws://127.0.0.1:{port}/v1/realtime?intent=transcription",
    '{"type": "input_audio_buffer.commit"}',
    lambda message: message.get("transcript") if message["type"].endswith(".completed") else None,
    lambda message: message["type"].endswith((".completed", ".failed")),
    _realtime_opening,
    lambda pcm: json.dumps(
        {"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()}
    ),
    REALTIME_HZ,
)
DOORS = [Door("OpenAI Realtime", partial(of_live, REALTIME))]
