"""Deepgram's APIs in the comparison of all APIs."""

from dataclasses import replace
from functools import partial

from bench.lib.door import Door, Json, Live, of_file, of_live

END_SILENCE_S = 1.5
"""After the speech of an API whose turns end by silence only."""
FILE = "/v1/listen?punctuate=true&language={language}"


def _file_text(body: Json) -> str:
    return str(body["results"]["channels"][0]["alternatives"][0]["transcript"])


def _final(message: Json) -> str | None:
    if message["type"] != "Results" or not message["is_final"]:
        return None
    return str(message["channel"]["alternatives"][0]["transcript"])


DEEPGRAM = Live(
    "ws://127.0.0.1:{port}/v1/listen?encoding=linear16&sample_rate=16000&punctuate=true"
    "&language={language}",
    '{"type": "CloseStream"}',
    _final,
    lambda message: message["type"] == "Metadata",
)
LONGER_DEEPGRAM = replace(DEEPGRAM, url=f"{DEEPGRAM.url}&endpointing=500")
"""With the silence that ends an utterance at the other APIs; Deepgram's default is shorter."""
FLUX = Live(
    "ws://127.0.0.1:{port}/v2/listen?model=flux-general-multi&encoding=linear16&sample_rate=16000"
    "&language_hint={language}",
    '{"type": "CloseStream"}',
    lambda message: message["transcript"] if message.get("event") == "EndOfTurn" else None,
    lambda message: False,  # the server closes the connection
    silence_s=END_SILENCE_S,
)
DOORS = [
    Door("Deepgram file", partial(of_file, FILE, None, text=_file_text)),
    Door("Deepgram live", partial(of_live, DEEPGRAM)),
    Door("Deepgram live, endpointing=500", partial(of_live, LONGER_DEEPGRAM)),
    Door("Deepgram Flux", partial(of_live, FLUX)),
]
