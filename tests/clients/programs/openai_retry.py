"""A request to a server that isn't ready yet, once a file is there; prints JSON.

Before, it prints that it is ready: the import of the package takes seconds on a busy machine.
"""

import json
import sys
import time
from pathlib import Path

from openai import OpenAI

url, key, path, go = sys.argv[1:]
client = OpenAI(base_url=url, api_key=key, max_retries=10)
print("ready", flush=True)
while not Path(go).exists():
    time.sleep(0.01)
with open(path, "rb") as audio:
    raw = client.audio.transcriptions.with_raw_response.create(model="whisper-1", file=audio)
json.dump({"retries": raw.retries_taken, "text": raw.parse().text}, sys.stdout)
