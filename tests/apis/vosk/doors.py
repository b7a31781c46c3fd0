"""Vosk in the comparison of all APIs."""

from functools import partial

from bench.lib.door import Door, Live, of_live

VOSK = Live(
    "ws://127.0.0.1:{ports[vosk]}/{language}",
    '{"eof" : 1}',
    lambda message: message.get("text"),
    lambda message: False,
    lambda language: '{"config": {"sample_rate": 16000}}',
)
DOORS = [Door("Vosk", partial(of_live, VOSK))]
