"""Requests as Bazarr makes them, with the library that it uses; prints JSON.

Takes the endpoint, with the key as its password, and for each clip its samples and language.
"""

import json
import sys
from pathlib import Path

import requests

endpoint, *clips = sys.argv[1:]
session = requests.Session()
session.headers["User-Agent"] = "Subliminal/2.3.2"


def ask(path: str, samples: str, **params: str) -> requests.Response:
    return session.post(
        f"{endpoint}{path}",
        params={**params, "encode": "false", "video_file": {None}},
        files={"audio_file": Path(samples).read_bytes()},
        timeout=(5, 3600),
    )


seen = []
for samples in clips:
    found = ask("/detect-language", samples).json()
    subtitles = ask(
        "/asr", samples, task="transcribe", language=found["language_code"], output="srt"
    )
    seen.append({"found": found, "subtitles": subtitles.content.decode()})
print(json.dumps(seen))
