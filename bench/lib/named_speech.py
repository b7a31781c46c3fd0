"""A vocabulary and known voices for the read sentences of the corpus.

For checks of everything else under load or faults: the voices are enrolled with sentences that are
also in the speech, so names and terms say nothing about accuracy.
"""

from collections.abc import Sequence
from typing import Any

import httpx2
import numpy as np

from auricle.values.commands import StreamParameters
from auricle.values.types import SAMPLE_RATE_HZ
from bench.lib.audio import as_wav
from bench.lib.speech import CORPUS, load_audio

VOCABULARY = "chaos"
BODY: dict[str, Any] = {
    "terms": [
        "Sweynheim",
        "Pannartz",
        {"term": "Gutenberg", "sounds_like": ["Guttenberg", "gooten berg"]},
        {"term": "Dashwud", "sounds_like": ["Dashwood"]},
        "Zyntrix",
        "Digique Plus",
    ],
    "replacements": [{"from": "fifteenth century", "to": "15th century"}],
}
VOICES = {
    "Linda": ("LJ001-0001.flac", "LJ001-0003.flac", "LJ001-0005.flac"),
    "Jane": ("austen-0870.flac", "austen-0890.flac", "austen-0920.flac"),
}
"""The files with which each is enrolled; two other voices in the speech are not known."""
SETTINGS: dict[str, Any] = {"known_voices": "*"}
PARAMETERS = StreamParameters(language="en", vocabulary=VOCABULARY, speakers=True)
_LIMIT_S = 300


def enrolment(name: str, files: Sequence[str]) -> dict[str, Any]:
    """Return the arguments of a request that enrols a voice."""
    pause = np.zeros(SAMPLE_RATE_HZ // 2, np.int16)
    parts = [part for file in files for part in (load_audio(CORPUS / file), pause)]
    return {
        "url": "/v1/voices",
        "params": {"name": name, "consent": "true"},
        "content": as_wav(np.concatenate(parts)),
        "headers": {"content-type": "audio/wav"},
    }


def store(url: str, key: str = "") -> None:
    """Store the vocabulary and the voices for a key."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    with httpx2.Client(base_url=url, headers=headers, timeout=_LIMIT_S) as web:
        web.put(f"/v1/vocabularies/{VOCABULARY}", json=BODY).raise_for_status()
        for name, files in VOICES.items():
            web.post(**enrolment(name, files)).raise_for_status()
