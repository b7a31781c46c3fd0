"""``POST /utterance``, with a token in the place of a key: a file, or samples in JSON."""

import base64

from tests.resilience.chaos.clients.site import Site
from tests.resilience.chaos.said import OutboundItem

FILE, JSON = "utterance", "utterance_json"
FIELDS = {"language": "en", "beam_size": 1}


async def ask_file(site: Site, said: OutboundItem) -> str:
    """Post a WAV as the body."""
    answer = await site.with_token(
        FILE, "/utterance", params=FIELDS, headers={"content-type": "audio/wav"}, content=said.wav
    )
    return str(answer.json()["text"])


async def ask_json(site: Site, said: OutboundItem) -> str:
    """Post samples as JSON."""
    audio = base64.b64encode(said.pcm.tobytes()).decode()
    body = {"audio": audio, "audio_format": "pcm16", **FIELDS}
    answer = await site.with_token(JSON, "/utterance", json=body)
    return str(answer.json()["text"])
