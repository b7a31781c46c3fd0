"""A stream and a file for a server that isn't ready yet, once a file is there; prints JSON.

Before, it prints that it is ready: the import of the SDK takes seconds on a busy machine.
"""

import json
import sys
import time
from pathlib import Path

from deepgram import DeepgramClient, DeepgramClientEnvironment
from websockets.exceptions import InvalidStatus

address, key, clip, go = sys.argv[1:]
http, ws = f"http://{address}", f"ws://{address}"
client = DeepgramClient(
    api_key=key,
    environment=DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http),
)
print("ready", flush=True)
while not Path(go).exists():
    time.sleep(0.01)
try:
    client.listen.v1.connect(model="nova-3", encoding="mulaw").__enter__()
    refused = None
except InvalidStatus as error:
    headers = error.response.headers
    refused = [error.response.status_code, headers["retry-after"], headers["dg-error"]]
answer = client.listen.v1.media.transcribe_file(
    request=Path(clip).read_bytes(), request_options={"max_retries": 10}
)
print(json.dumps([refused, answer.results.channels[0].alternatives[0].transcript]))
