"""What OpenAI's package raises for requests that can't be served; prints JSON."""

import json
import sys
from pathlib import Path

import openai

url, key, clip = sys.argv[1:]
client = openai.OpenAI(base_url=url, api_key=key, max_retries=0)
audio = Path(clip).read_bytes()
raised = {}


def ask(case: str, **fields) -> None:
    asking = fields.pop("client", client).audio.transcriptions.create
    given = {"file": ("a.wav", audio), "model": "whisper-1", **fields}
    try:
        asking(**given)
    except openai.APIStatusError as error:
        raised[case] = [type(error).__name__, error.status_code, error.code, error.param]
    except openai.APIError as error:
        raised[case] = [type(error).__name__, None, error.code, error.param]
    else:
        raised[case] = None


ask("wrong key", client=client.with_options(api_key="sk-nobody"))
ask("unknown model", model="parakeet")
ask("unknown format", response_format="yaml")
ask("no speakers", response_format="diarized_json", extra_body={"num_speakers": 0})
ask(
    "known speaker",
    response_format="diarized_json",
    known_speaker_names=["Ann"],
    known_speaker_references=["https://example.org/ann.wav"],
)
ask("wrong type", temperature="warm")
ask("out of range", temperature=2)
ask("wrong granularity", timestamp_granularities=["letter"], response_format="verbose_json")
ask("wrong language", language="klingon")
ask("empty file", file=("a.wav", b""))
ask("not audio", file=("a.wav", b"This is not a sound file at all. " * 99))
ask("26 MB", file=("a.wav", bytes(26_000_000)))
ask("no file", extra_body={}, file=openai.omit)
ask("stream of noise", file=("a.wav", b"nothing to be heard" * 99), stream=True)
try:
    client.models.retrieve("parakeet")
except openai.NotFoundError as error:
    raised["model"] = [type(error).__name__, error.status_code, error.code, error.param]
try:
    client.audio.speech.create(model="tts-1", voice="alloy", input="Hello.")
except openai.NotFoundError as error:
    raised["no such path"] = [type(error).__name__, error.status_code, error.code, error.param]
ask("good", file=("a.wav", audio))
json.dump(raised, sys.stdout)
