"""OpenAI's own package over ``/v1/realtime``; only address and key are ours."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from subprocess import Popen
from typing import Any

import numpy as np
import pytest

from auricle.audio.resample import resample
from auricle.values.types import Pcm16
from tests.clients.environment import PAGES, Client, printed, program, snippet
from tests.clients.scores import Scores
from tests.clients.server import RealServer
from tests.support.clips import CLIPS, words

pytestmark = [pytest.mark.model, pytest.mark.outside]

OPENAI, LIVEKIT, PIPECAT = (
    Client("client-openai"),
    Client("client-livekit"),
    Client("client-pipecat"),
)
FELLOW, PAIR = CLIPS["fellow.wav"], CLIPS["pair.wav"]
TRANSCRIPTION = "conversation.item.input_audio_transcription"
PCM = {"type": "audio/pcm", "rate": 24_000}
SILENCE = np.zeros(16_000, np.int16)


def named() -> str:
    return f"openai (Python, realtime) {OPENAI.version('openai')}"


def at_24_khz(pcm: Pcm16) -> bytes:
    """Return samples as OpenAI wants them."""
    doubled = np.repeat(pcm, 3)  # 48 kHz, in steps
    smooth = np.convolve(doubled, np.ones(3) / 3, "same").astype(np.int16)
    return smooth[::2].astype("<i2").tobytes()


def in_mu_law(pcm: Pcm16) -> bytes:
    """Return samples as a telephone line has them: the nearest of the code's values."""
    from auricle.audio.g711 import mulaw_to_pcm16

    codes = np.arange(256, dtype=np.uint8)
    values = np.frombuffer(mulaw_to_pcm16(codes.tobytes()), "<i2").astype(np.int32)
    order = np.argsort(values, kind="stable")
    edges = (values[order][1:] + values[order][:-1]) // 2
    narrow = resample(pcm, 32_000)  # audio at 32 kHz is returned at half of it
    return codes[order][np.searchsorted(edges, narrow)].tobytes()


@contextmanager
def talking(
    server: RealServer, folder: Path, audio: bytes, *, bytes_per_s: int, items: int, **more: Any
) -> Iterator[Popen[str]]:
    path = folder / "audio.raw"
    path.write_bytes(audio)
    asked = {
        "url": f"{server.url}/v1",
        "key": server.key,
        "path": str(path),
        "bytes_per_s": bytes_per_s,
        "items": items,
        "commits": False,
        "by_secret": False,
        **more,
    }
    with OPENAI.start(program("openai_realtime.py"), json.dumps(asked)) as process:
        yield process


def heard(process: Popen[str]) -> list[dict[str, Any]]:
    """Return the events of a session, none of which is an error."""
    events: list[dict[str, Any]] = json.loads(printed(process))
    assert not [event for event in events if event["type"] == "error"]
    return events


def of(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == kind]


def transcript(events: list[dict[str, Any]]) -> str:
    return " ".join(event["transcript"] for event in of(events, f"{TRANSCRIPTION}.completed"))


@pytest.mark.smoke
def test_turns_are_found_and_their_words_come_during_speech(
    server: RealServer, scores: Scores, tmp_path: Path
) -> None:
    audio = at_24_khz(np.concatenate([PAIR.pcm, SILENCE]))
    session = {"format": PCM, "transcription": {"model": "gpt-4o-transcribe", "language": "en"}}

    with talking(server, tmp_path, audio, bytes_per_s=48_000, items=2, input=session) as process:
        events = heard(process)
    deltas = of(events, f"{TRANSCRIPTION}.delta")
    completed = {event["item_id"]: event for event in of(events, f"{TRANSCRIPTION}.completed")}
    started = of(events, "input_audio_buffer.speech_started")
    stopped = of(events, "input_audio_buffer.speech_stopped")
    assert deltas[0]["at_s"] < stopped[-1]["at_s"]
    assert [e["item_id"] for e in started] == [e["item_id"] for e in stopped] == list(completed)
    for item_id, parts in groupby(deltas, key=lambda event: event["item_id"]):
        told = "".join(part["delta"] for part in parts)
        assert words(told) == words(completed[item_id]["transcript"])[: len(words(told))]
    first_s, last_s = deltas[0]["at_s"], events[-1]["at_s"]
    figures = f"{len(deltas)} deltas, first at {first_s:.1f} s, last words at {last_s:.1f} s"
    assert scores.add(named(), "server_vad", PAIR, transcript(events), figures).total == 0


def test_semantic_turns_end_before_their_limit(
    server: RealServer, scores: Scores, tmp_path: Path
) -> None:
    audio = at_24_khz(np.concatenate([PAIR.pcm, SILENCE]))
    turns = {"type": "semantic_vad", "eagerness": "low"}  # the limit is 8 s
    session = {"format": PCM, "turn_detection": turns, "transcription": {"language": "en"}}
    with talking(server, tmp_path, audio, bytes_per_s=48_000, items=2, input=session) as process:
        events = heard(process)
    assert len(of(events, "input_audio_buffer.speech_stopped")) == 2
    assert scores.add(named(), "semantic_vad", PAIR, transcript(events)).total == 0


def test_a_client_that_commits_gets_one_item(
    server: RealServer, scores: Scores, tmp_path: Path
) -> None:
    audio = at_24_khz(PAIR.pcm)
    session = {"format": PCM, "turn_detection": None, "transcription": {"language": "en"}}
    with talking(
        server, tmp_path, audio, bytes_per_s=480_000, items=1, input=session, commits=True
    ) as process:
        events = heard(process)
    assert len(of(events, "input_audio_buffer.committed")) == 1
    assert not of(events, "input_audio_buffer.speech_started")
    assert scores.add(named(), "own commit", PAIR, transcript(events)).total == 0


def test_a_secret_and_a_telephone_line(server: RealServer, scores: Scores, tmp_path: Path) -> None:
    session = {"format": {"type": "audio/pcmu"}, "turn_detection": None}
    session["transcription"] = {"model": "whisper-1", "language": "en"}
    with talking(
        server,
        tmp_path,
        in_mu_law(FELLOW.pcm),
        bytes_per_s=80_000,
        items=1,
        input=session,
        commits=True,
        by_secret=True,
    ) as process:
        events = heard(process)
    found = scores.add(named(), "pcmu, client_secret", FELLOW, transcript(events))
    assert found.percent < 10


def test_a_worker_that_is_killed_in_mid_speech_is_not_noticed(
    server: RealServer, scores: Scores, tmp_path: Path
) -> None:
    server.until_at_rest()
    audio = at_24_khz(np.concatenate([PAIR.pcm, SILENCE]))
    session = {"format": PCM, "transcription": {"language": "en"}}
    with talking(server, tmp_path, audio, bytes_per_s=48_000, items=2, input=session) as process:
        server.kill_busy_worker()
        events = heard(process)
    assert scores.add(named(), "worker killed", PAIR, transcript(events)).total == 0
    server.until_at_rest()


def test_the_page_s_snippets_work(server: RealServer, scores: Scores) -> None:
    said = OPENAI.run(server.fill(snippet("realtime.md", "Live transcription", "python")))
    live, last = said.strip().splitlines()
    # A final may change a word of the deltas before it (docs/reference/protocol.md, `revised`).
    pairs = list(zip(words(live), words(last), strict=False))
    assert len(pairs) == len(words(live))
    assert sum(first != second for first, second in pairs) <= 1
    assert scores.add(named(), "docs/clients/realtime.md", FELLOW, last).total == 0
    secret = OPENAI.run(server.fill(snippet("realtime.md", "From a page", "python")))
    assert secret.startswith("ek_")
    assert f"`openai` {OPENAI.version('openai')}" in (PAGES / "realtime.md").read_text()


# Agents.


def with_service(server: RealServer, heading: str, name: str) -> str:
    """Return a program behind the page's snippet, which makes the service that it uses."""
    return server.fill(snippet("realtime.md", heading, "python")) + program(name)


def test_livekit_s_plugin(server: RealServer, scores: Scores) -> None:
    service = with_service(server, "LiveKit Agents", "livekit_openai.py")
    events = json.loads(LIVEKIT.run(service, str(PAIR.path)).splitlines()[-1])
    kinds = [kind for kind, _ in events]
    assert kinds[0] == "start_of_speech"
    assert "interim_transcript" in kinds
    assert kinds.count("end_of_speech") == kinds.count("start_of_speech")
    assert kinds.count("recognition_usage") == kinds.count("final_transcript")
    text = " ".join(text for kind, text in events if kind == "final_transcript")
    version = LIVEKIT.version("livekit-plugins-openai")
    name = f"livekit-plugins-openai {version}"
    assert scores.add(name, "realtime", PAIR, text).total == 0
    assert f"`livekit-plugins-openai` {version}" in (PAGES / "realtime.md").read_text()


def test_pipecat_s_service(server: RealServer, scores: Scores) -> None:
    service = with_service(server, "Pipecat", "pipecat_openai.py")
    events = json.loads(PIPECAT.run(service, str(PAIR.path)).splitlines()[-1])
    assert not [text for kind, text in events if kind == "error"]
    finals = [text for kind, text in events if kind == "final"]
    assert len(finals) == 2
    assert "interim" in dict(events)
    version = PIPECAT.version("pipecat-ai")
    for text in finals:
        assert scores.add(f"pipecat-ai {version}", "OpenAI, realtime", PAIR, text).total == 0
    assert f"`pipecat-ai` {version}" in (PAGES / "realtime.md").read_text()
