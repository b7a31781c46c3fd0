"""Known voices of a server whose embedder finds voices by loudness."""

import numpy as np

from auricle.values.transcriber import Progress
from auricle.values.types import Chunk
from tests.support.embedder import LOUDNESS
from tests.support.made_up_voices import voice
from tests.support.service import InProcess

SECOND = 16_000
MODEL = "digest"
WAV = {"content-type": "audio/wav"}
BODY = bytes(1000)


def know(service: InProcess, **voices: int) -> dict[str, str]:
    """Store voices by name; return their ids."""
    entries = [
        {
            "name": name,
            "model": MODEL,
            "embedding": voice(number).tolist(),
            "speech_s": 20,
            "created_at": 1.8e9,
        }
        for name, number in voices.items()
    ]
    body = {"consent": True, "voices": entries}
    answer = service.client.post("/v1/voices/import", json=body)
    assert answer.status_code == 201, answer.text
    return {each["name"]: each["id"] for each in answer.json()["voices"]}


def hold_dialogue(service: InProcess, *said: int, seconds: int = 6) -> None:
    """Let the decoder find these voices, one after the other."""
    chunks = [
        Chunk(n * (seconds + 2) * SECOND, np.full(seconds * SECOND, number * LOUDNESS, np.int16))
        for n, number in enumerate(said)
    ]
    service.decoder.script = [
        *(Progress(0.3, chunk.start_sample + chunk.pcm.size, chunk) for chunk in chunks),
        Progress(1.0, len(said) * (seconds + 2) * SECOND, done=True),
    ]
