"""The package that Home Assistant speaks Wyoming with, unmodified."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from tests.clients.environment import PAGES, Client, printed, program, snippet
from tests.clients.scores import Scores
from tests.clients.server import RealServer, real_server
from tests.support.clips import CLIPS, words

pytestmark = [pytest.mark.model, pytest.mark.outside]

WYOMING = Client("client-wyoming")
FELLOW, PAIR, SHORT = (CLIPS[f"{name}.wav"] for name in ("fellow", "pair", "short"))
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


def test_a_command_ends_without_audio_stop(tmp_path: Path, scores: Scores) -> None:
    settings = {"wyoming": 1, "wyoming_port": 0, "wyoming_ends_commands": 1}
    with real_server(tmp_path, **settings) as server:
        arguments = ("127.0.0.1", port(server), str(SHORT.path))
        answer = json.loads(WYOMING.run(program("wyoming_command.py"), *arguments))
    assert answer["requires_external_vad"] is False
    figures = f"{answer['after_s']:.1f} s after the clip"
    assert scores.add(NAMED, "ended by the server", SHORT, answer["text"], figures).total == 0


def test_wyoming_bench_finds_no_errors(server: RealServer, tmp_path: Path, scores: Scores) -> None:
    for clip in (FELLOW, PAIR, SHORT):
        shutil.copy(clip.path, tmp_path)
        (tmp_path / clip.path.with_suffix(".txt").name).write_text(clip.text)
    address = f"127.0.0.1:{port(server)}"
    options = ("--corpus", str(tmp_path), "--rounds", "1", "--warmup", "0", "-v")
    command = [str(WYOMING.folder / "bin" / "wyoming-bench"), "stt", address, *options]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for mode in ("non_streaming", "streaming"):
        assert f"[{mode}] ok=3 fail=0" in report
    assert re.findall(r"Accuracy +WER=(\S+)", report) == ["0.0%", "0.0%"], report


def test_the_page_s_snippet_works(server: RealServer, scores: Scores) -> None:
    made = snippet("home-assistant.md", "From Python", "python")
    assert ":10300" in made
    heard = WYOMING.run(made.replace(":10300", f":{port(server)}"))
    assert scores.add(NAMED, "docs/clients/home-assistant.md", FELLOW, heard).total == 0
    version = WYOMING.version("wyoming")
    assert f"`wyoming` {version}" in (PAGES / "home-assistant.md").read_text()
