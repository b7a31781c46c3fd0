"""A request to a server that isn't ready yet; prints JSON."""

import json
import sys

from openai import OpenAI

url, key, path = sys.argv[1:]
client = OpenAI(base_url=url, api_key=key, max_retries=5)
with open(path, "rb") as audio:
    raw = client.audio.transcriptions.with_raw_response.create(model="whisper-1", file=audio)
json.dump({"retries": raw.retries_taken, "text": raw.parse().text}, sys.stdout)
