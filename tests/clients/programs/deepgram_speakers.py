"""Speakers of a recording, as Deepgram's SDK for Python gives them; prints JSON."""

import json
import sys
from pathlib import Path

from deepgram import DeepgramClient, DeepgramClientEnvironment

address, key, recording = sys.argv[1:]
http, ws = f"http://{address}", f"ws://{address}"
environment = DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http)
client = DeepgramClient(api_key=key, environment=environment)
answer = client.listen.v1.media.transcribe_file(
    request=Path(recording).read_bytes(), diarize_model="latest", utterances=True, punctuate=True
)
(channel,) = answer.results.channels
json.dump(
    {
        "words": [word.speaker for word in channel.alternatives[0].words],
        "confidences": [word.speaker_confidence for word in channel.alternatives[0].words],
        "utterances": [spoken.speaker for spoken in answer.results.utterances],
        "arch": answer.metadata.diarize_info.arch,
    },
    sys.stdout,
)
