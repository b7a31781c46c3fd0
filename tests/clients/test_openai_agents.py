"""Agents' own clients of OpenAI's REST API: what LiveKit and Pipecat send of each utterance."""

import json

import pytest

from tests.clients.environment import PAGES, Client, program, snippet
from tests.clients.scores import Scores
from tests.clients.server import RealServer
from tests.support.clips import CLIPS

pytestmark = [pytest.mark.model, pytest.mark.outside]

LIVEKIT, PIPECAT = Client("client-livekit"), Client("client-pipecat")
SHORT, PAIR = CLIPS["short.wav"], CLIPS["pair.wav"]


def test_livekit_s_plugin_recognises_utterances(server: RealServer, scores: Scores) -> None:
    made = server.fill(snippet("livekit.md", "OpenAI's plugin", "python"))
    said = LIVEKIT.run(made + program("livekit_openai_rest.py"), str(SHORT.path))
    version = LIVEKIT.version("livekit-plugins-openai")
    for model, (text, language) in json.loads(said.splitlines()[-1]).items():
        name = f"livekit-plugins-openai {version}"
        assert scores.add(name, f"recognize, {model}", SHORT, text).total == 0
        assert language == "en"
    assert f"`livekit-plugins-openai` {version}" in (PAGES / "livekit.md").read_text()


def test_pipecat_s_service_sends_turns(server: RealServer, scores: Scores) -> None:
    made = server.fill(snippet("pipecat.md", "OpenAI's services", "python"))
    said = PIPECAT.run(made + program("pipecat_openai.py"), str(PAIR.path))
    told = json.loads(said.splitlines()[-1])
    assert [kind for kind, _ in told] == ["final", "final"]
    version = PIPECAT.version("pipecat-ai")
    for _, text in told:
        assert scores.add(f"pipecat-ai {version}", "OpenAI, turns", PAIR, text).total == 0
    assert f"`pipecat-ai` {version}" in (PAGES / "pipecat.md").read_text()
