"""Speakers of a recording, with unmodified clients and the real models."""

import json
import wave
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auricle.types import SAMPLE_RATE_HZ, Pcm16
from tests.clients.environment import Client, program
from tests.clients.server import RealServer
from tests.support.clips import CLIPS

pytestmark = pytest.mark.model

JOE, PAIR, SHORT = CLIPS["fellow.wav"], CLIPS["pair.wav"], CLIPS["short.wav"]


def deeper(pcm: Pcm16) -> Pcm16:
    """Return speech as of another person: slower and deeper by a fifth."""
    at = np.arange(int(pcm.size / 0.8)) * 0.8
    deep: Pcm16 = np.interp(at, np.arange(pcm.size), pcm).astype(np.int16)
    return deep


@pytest.fixture(scope="module")
def dialogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recording in which Joe speaks, then another voice, then Joe."""
    pause = np.zeros(SAMPLE_RATE_HZ, np.int16)
    other = deeper(np.concatenate([PAIR.pcm, pause, SHORT.pcm]))
    pcm = np.concatenate([JOE.pcm, pause, other, pause, JOE.pcm])
    path = tmp_path_factory.mktemp("dialogue") / "dialogue.wav"
    with wave.open(str(path), "wb") as sink:
        sink.setparams((1, 2, SAMPLE_RATE_HZ, 0, "NONE", ""))
        sink.writeframes(pcm.tobytes())
    return path


def turns(labels: list[Any]) -> list[Any]:
    return [label for label, _ in groupby(labels)]


def test_openai_shows_letters_or_names(server: RealServer, dialogue: Path) -> None:
    arguments = (f"{server.url}/v1", server.key, str(dialogue), str(JOE.path))
    seen = json.loads(Client("client-openai").run(program("openai_speakers.py"), *arguments))
    assert turns(seen["plain"]) == ["A", "B", "A"]
    assert turns(seen["named"]) == ["Joe", "A", "Joe"]
    assert seen["streamed"] == seen["plain"]
    assert seen["last"] == "transcript.text.done"


def test_deepgram_shows_numbers_on_words_and_utterances(server: RealServer, dialogue: Path) -> None:
    arguments = (server.address, server.key, str(dialogue))
    seen = json.loads(Client("client-deepgram").run(program("deepgram_speakers.py"), *arguments))
    assert turns(seen["words"]) == [0, 1, 0]
    assert turns(seen["utterances"]) == [0, 1, 0]
    assert all(0 <= confidence <= 1 for confidence in seen["confidences"])
    assert seen["arch"]
