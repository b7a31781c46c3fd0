"""Agents: the official client of the Model Context Protocol for Node, which editors use."""

import json
import sys
from pathlib import Path

import pytest

from tests.clients.environment import PAGES, Client, program
from tests.clients.scores import Scores
from tests.clients.server import KEY, real_server
from tests.support.clips import CLIPS, words

pytestmark = [pytest.mark.model, pytest.mark.outside]

NODE = Client("npm-mcp")
CLIP = CLIPS["fellow.wav"]
PACKAGE = "@modelcontextprotocol/sdk"


def test_the_page_names_the_version() -> None:
    version = NODE.version(PACKAGE).rpartition(".")[0]
    assert f"`{PACKAGE}` {version}" in (PAGES / "mcp.md").read_text()


def test_an_agent_transcribes_and_finds_what_was_said(tmp_path: Path, scores: Scores) -> None:
    settings: dict[str, object] = {"mcp": 1, "mcp_transcribe": 1, "keep_transcripts": 1}
    command = [sys.executable, "-m", "auricle", "mcp"]
    with real_server(tmp_path, **settings) as server:
        printed = NODE.run(program("mcp.mjs"), server.url, KEY, str(CLIP.path), *command)
    seen = json.loads(printed)
    text = " ".join(segment["text"] for segment in seen["made"]["segments"])
    scores.add(f"MCP (Node) {NODE.version(PACKAGE)}", "transcribe_audio", CLIP, text)
    assert words(text) == words(CLIP.text)
    assert {segment["speaker"] for segment in seen["made"]["segments"]} == {"Speaker 1"}
    assert seen["found"]["matches"][0]["transcript_id"] == seen["made"]["transcript_id"]
    assert seen["read"]["segments"] == seen["made"]["segments"]
    assert seen["made"]["transcript_id"] in seen["prompt"]
    assert "unauthorized" in seen["refused"]
    assert seen["tools"] == [8, 7]  # only the server's may transcribe
