"""A request as Speakr makes it, with the library that it uses; prints the response's JSON."""

import json
import sys

import httpx

endpoint, path = sys.argv[1:]
with httpx.Client() as client, open(path, "rb") as audio:
    response = client.post(
        f"{endpoint}/asr",
        params={
            "encode": True,
            "task": "transcribe",
            "output": "json",
            "diarize": True,
            "enable_diarization": True,
            "max_speakers": 2,
        },
        files={"audio_file": ("note.webm", audio, "audio/webm")},
        timeout=600,
    )
response.raise_for_status()
print(json.dumps(response.json()))
