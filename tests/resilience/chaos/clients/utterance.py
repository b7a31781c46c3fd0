"""``POST /utterance`` with a token instead of a key: a file, or samples in JSON."""

import base64

from tests.resilience.chaos.clients.site import Site
from tests.resilience.chaos.recordings import Recording

FILE, JSON = "utterance", "utterance_json"
FIELDS = {"language": "en", "beam_size": 1}


async def transcribe_file(site: Site, recording: Recording) -> str:
    """Post a WAV as the body."""
    response = await site.with_token(
        FILE,
        "/utterance",
        params=FIELDS,
        headers={"content-type": "audio/wav"},
        content=recording.wav,
    )
    return str(response.json()["text"])


async def transcribe_json(site: Site, recording: Recording) -> str:
    """Post samples as JSON."""
    audio = base64.b64encode(recording.pcm.tobytes()).decode()
    body = {"audio": audio, "audio_format": "pcm16", **FIELDS}
    response = await site.with_token(JSON, "/utterance", json=body)
    return str(response.json()["text"])
