"""The package that Home Assistant speaks Wyoming with, unmodified."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import Popen
from typing import Any

import pytest

from tests.clients.environment import PAGES, Client, printed, program, snippet
from tests.clients.scores import Scores
from tests.clients.server import RealServer
from tests.support.clips import CLIPS, words

pytestmark = pytest.mark.model

WYOMING = Client("client-wyoming")
FELLOW, PAIR = CLIPS["fellow.wav"], CLIPS["pair.wav"]
NAMED = f"wyoming {WYOMING.version('wyoming')}"


def port(server: RealServer) -> str:
    found = re.search(r'"port": (\d+), "event": "wyoming_started"', server.command.stderr)
    assert found
    return found[1]


@contextmanager
def speaking(server: RealServer, times: int = 1) -> Iterator[Popen[str]]:
    arguments = ("127.0.0.1", port(server), str(PAIR.path), str(times))
    with WYOMING.start(program("wyoming_live.py"), *arguments) as process:
        yield process


def of(told: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in told if event["type"] == kind]


def test_transcripts_stream_during_speech(server: RealServer, scores: Scores) -> None:
    with speaking(server, times=2) as process:
        said = json.loads(printed(process))
    [asr], told = said["info"], said["events"]
    assert asr["name"] == "Auricle"
    assert asr["supports_transcript_streaming"]
    assert "en" in asr["models"][0]["languages"]
    transcripts = of(told, "transcript")
    chunks = of(told, "transcript-chunk")
    assert len(transcripts) == len(of(told, "transcript-start")) == 2
    first = [chunk for chunk in chunks if chunk["at_s"] < transcripts[0]["at_s"]]
    streamed = words("".join(chunk["text"] for chunk in first))
    assert streamed[:5] == words(transcripts[0]["text"])[:5]
    figures = (
        f"{len(first)} chunks, first at {first[0]['at_s']:.1f} s, "
        f"transcript at {transcripts[0]['at_s']:.1f} s"
    )
    assert first[0]["at_s"] < of(told, "voice-stopped")[-1]["at_s"]
    assert scores.add(NAMED, "live", PAIR, transcripts[0]["text"], figures).total == 0
    assert scores.add(NAMED, "live, again", PAIR, transcripts[1]["text"]).total == 0
    assert not of(told, "error")


def test_a_worker_that_is_killed_in_mid_utterance_is_not_noticed(
    server: RealServer, scores: Scores
) -> None:
    server.until_at_rest()
    with speaking(server) as process:
        server.kill_busy_worker()
        told = json.loads(printed(process))["events"]
    assert not of(told, "error")
    [transcript] = of(told, "transcript")
    assert scores.add(NAMED, "worker killed", PAIR, transcript["text"]).total == 0
    server.until_at_rest()


def test_the_page_s_snippet_works(server: RealServer, scores: Scores) -> None:
    made = snippet("home-assistant.md", "From Python", "python")
    assert ":10300" in made
    heard = WYOMING.run(made.replace(":10300", f":{port(server)}"))
    assert scores.add(NAMED, "docs/clients/home-assistant.md", FELLOW, heard).total == 0
    version = WYOMING.version("wyoming")
    assert f"`wyoming` {version}" in (PAGES / "home-assistant.md").read_text()
