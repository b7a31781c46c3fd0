"""A file whose transcript is sent to a callback, with Deepgram's SDK for Python; prints JSON."""

import sys
from pathlib import Path

from deepgram import DeepgramClient, DeepgramClientEnvironment

address, key, callback = sys.argv[1:]
http, ws = f"http://{address}", f"ws://{address}"
environment = DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http)
answer = DeepgramClient(api_key=key, environment=environment).listen.v1.media.transcribe_file(
    request=Path("testdata/fellow.wav").read_bytes(),
    callback=callback,
    callback_method="PUT",
    punctuate=True,
)
print(answer.json())
