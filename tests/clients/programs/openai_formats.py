"""Every kind of answer, as OpenAI's package gives it; prints JSON."""

import json
import sys

from openai import OpenAI

client = OpenAI(base_url=sys.argv[1], api_key=sys.argv[2])
create = client.audio.transcriptions.create
CLIP, STORY = "testdata/fellow.wav", "testdata/story.ogg"


def ask(path: str, **fields):
    with open(path, "rb") as audio:
        return create(file=audio, **fields)


short = ask(CLIP, model="whisper-1")
hinted = ask(
    CLIP,
    model="gpt-transcribe",
    languages=["en"],
    keywords=["Americans", "country"],
    prompt="A speech.",
    temperature=0.2,
    chunking_strategy="auto",
    include=["logprobs"],
)
chunked = ask(
    "testdata/short.wav",
    model="gpt-4o-transcribe",
    chunking_strategy={"type": "server_vad", "silence_duration_ms": 300},
    response_format="json",
)
words = ask(
    "testdata/fellow.flac",
    model="whisper-1",
    response_format="verbose_json",
    timestamp_granularities=["word", "segment"],
)
plain = ask("testdata/fellow.webm", model="whisper-1", response_format="verbose_json")
with open("testdata/pair.wav", "rb") as audio:
    english = client.audio.translations.create(
        file=audio, model="whisper-1", response_format="verbose_json"
    )
json.dump(
    {
        "json": short.to_dict(),
        "hinted": hinted.to_dict(),
        "chunked": chunked.to_dict(),
        "text": ask("testdata/fellow.ogg", model="whisper-1", response_format="text"),
        "srt": ask(STORY, model="whisper-1", language="en", response_format="srt"),
        "vtt": ask("testdata/fellow.m4a", model="whisper-1", response_format="vtt"),
        "words": words.to_dict(),
        "verbose": plain.to_dict(),
        "english": english.to_dict(),
        "models": [model.id for model in client.models.list()],
        "model": client.models.retrieve("whisper-1").to_dict(),
    },
    sys.stdout,
)
