"""Speakers of a recording, with unmodified clients and the real models."""

import json
import wave
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from auricle.values.types import SAMPLE_RATE_HZ
from tests.clients.environment import Client, program
from tests.clients.server import RealServer
from tests.support.dialogue import JOE, dialogue

pytestmark = [pytest.mark.model, pytest.mark.outside]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dialogue") / "dialogue.wav"
    with wave.open(str(path), "wb") as sink:
        sink.setparams((1, 2, SAMPLE_RATE_HZ, 0, "NONE", ""))
        sink.writeframes(dialogue().tobytes())
    return path


def turns(labels: list[Any]) -> list[Any]:
    return [label for label, _ in groupby(labels)]


def test_openai_shows_letters_or_names(server: RealServer, recording: Path) -> None:
    arguments = (f"{server.url}/v1", server.key, str(recording), str(JOE.path))
    seen = json.loads(Client("client-openai").run(program("openai_speakers.py"), *arguments))
    assert turns(seen["plain"]) == ["A", "B", "A"]
    assert turns(seen["named"]) == ["Joe", "A", "Joe"]
    assert seen["streamed"] == seen["plain"]
    assert seen["last"] == "transcript.text.done"


def test_deepgram_shows_numbers_on_words_and_utterances(
    server: RealServer, recording: Path
) -> None:
    arguments = (server.address, server.key, str(recording))
    seen = json.loads(Client("client-deepgram").run(program("deepgram_speakers.py"), *arguments))
    assert turns(seen["words"]) == [0, 1, 0]
    assert turns(seen["utterances"]) == [0, 1, 0]
    assert all(0 <= confidence <= 1 for confidence in seen["confidences"])
    assert seen["arch"]


def test_deepgram_shows_numbers_on_live_words(server: RealServer, recording: Path) -> None:
    query = json.dumps({"punctuate": True, "diarize": True})
    arguments = server.address, server.key, str(recording), query
    told = json.loads(Client("client-deepgram").run(program("deepgram_live.py"), *arguments))
    results = [message for message in told if message["type"] == "Results"]
    words = [word for each in results for word in each["channel"]["alternatives"][0]["words"]]
    labels = [word.get("speaker") for word in words]
    assert turns(labels) == [0, 1, 0]
