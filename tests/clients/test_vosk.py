"""Vosk's own client, unmodified, and the messages of programs that use a Vosk server."""

import json
import re

import pytest

from tests.clients.environment import PAGES, Client, program, snippet
from tests.clients.scores import Scores
from tests.clients.server import RealServer
from tests.support.clips import CLIPS, words

pytestmark = [pytest.mark.model, pytest.mark.outside]

VOSK = Client("client-vosk")
FELLOW, PAIR = CLIPS["fellow.wav"], CLIPS["pair.wav"]
NAMED = f"vosk {VOSK.version('vosk')}"


def address(server: RealServer) -> str:
    found = re.search(r'"port": (\d+), "event": "vosk_started"', server.command.stderr)
    assert found
    return f"127.0.0.1:{found[1]}"


@pytest.mark.parametrize("kind", ["txt", "srt"])
def test_vosk_s_client_transcribes_a_file(server: RealServer, scores: Scores, kind: str) -> None:
    url = f"ws://{address(server)}/en"
    told = VOSK.run(program("vosk_transcriber.py"), url, str(PAIR.path), kind)
    lines = [line for line in told.splitlines() if not re.fullmatch(r"\d*|.* --> .*", line)]
    assert scores.add(NAMED, kind, PAIR, " ".join(lines)).total == 0
    assert ("-->" in told) == (kind == "srt")


def test_meeting_and_telephony_programs_get_their_text(server: RealServer, scores: Scores) -> None:
    server.until_at_rest()
    said = json.loads(VOSK.run(program("vosk_programs.py"), address(server), str(FELLOW.path)))
    for name, each in said.items():
        figures = f"text {each['after_s']:.1f} s after the start" if "after_s" in each else ""
        errors = scores.add("vosk, replayed", name, FELLOW, each["text"], figures)
        assert errors.total <= (2 if name in ("asterisk", "freeswitch") else 0)
    assert said["asterisk"]["text"] == " ".join(words(said["asterisk"]["text"]))


def test_jigasi_gets_sentences_over_realtime(server: RealServer, scores: Scores) -> None:
    server.until_at_rest()
    said = json.loads(
        VOSK.run(program("jigasi_realtime.py"), server.url, server.key, str(FELLOW.path))
    )
    for way, each in said.items():
        figures = f"{len(each['finals'])} finals, {each['captions']} captions"
        errors = scores.add("jigasi, replayed", way, FELLOW, " ".join(each["finals"]), figures)
        # A commit in mid-speech cuts where the clock says, perhaps inside a word.
        assert errors.total <= (2 if way == "commits" else 0)
        assert not each["errors"]


def test_the_page_s_snippet_works(server: RealServer, scores: Scores) -> None:
    made = snippet("vosk.md", "From Python", "python")
    assert "127.0.0.1:2700" in made
    heard = VOSK.run(made.replace("127.0.0.1:2700", address(server)))
    assert scores.add(NAMED, "docs/clients/vosk.md", FELLOW, heard).total == 0
    assert f"`vosk` {VOSK.version('vosk')}" in (PAGES / "vosk.md").read_text()
