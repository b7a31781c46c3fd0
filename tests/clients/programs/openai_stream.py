"""A file's text as it comes: prints JSON, the events and when each was there."""

import json
import sys
import time

from openai import OpenAI

url, key, path = sys.argv[1:]
began_at = time.monotonic()
client = OpenAI(base_url=url, api_key=key)
with open(path, "rb") as audio:
    events = [
        {"at_s": time.monotonic() - began_at, **event.to_dict()}
        for event in client.audio.transcriptions.create(
            model="gpt-4o-mini-transcribe", file=audio, stream=True
        )
    ]
json.dump(events, sys.stdout)
