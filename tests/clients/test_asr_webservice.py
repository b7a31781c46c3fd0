"""Clients of whisper-asr-webservice: requests of Bazarr and Speakr, and curl."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.clients.environment import PAGES, Client, program, snippet
from tests.clients.scores import Scores
from tests.clients.server import RealServer
from tests.support.clips import CLIPS, Clip
from tests.support.command import LIMIT_S, ROOT

pytestmark = [pytest.mark.model, pytest.mark.outside]

REQUESTS, SUBTITLES = Client("client-litellm"), Client("client-subtitles")
FELLOW, PAIR = CLIPS["fellow.wav"], CLIPS["pair.wav"]
PAGE = "asr-webservice.md"


def raw(clip: Clip, folder: Path) -> str:
    """Write a clip's samples without a header."""
    path = folder / f"{clip.name}.raw"
    path.write_bytes(clip.pcm.tobytes())
    return str(path)


def film(folder: Path) -> tuple[str, Clip]:
    """Write the samples of a scene that begins with 35 s without speech."""
    pause = np.zeros(8_000, np.int16)
    parts = [part for clip in (FELLOW, PAIR) for part in (clip.pcm, pause)]
    path = folder / "film.raw"
    path.write_bytes(bytes(35 * 32_000) + np.concatenate(parts).tobytes())
    return str(path), replace(FELLOW, path=path, text=f"{FELLOW.text} {PAIR.text}")


def test_bazarr_s_requests(server: RealServer, scores: Scores, tmp_path: Path) -> None:
    endpoint = server.url.replace("://", f"://:{server.key}@")
    path, scene = film(tmp_path)
    said = REQUESTS.run(program("bazarr.py"), endpoint, raw(FELLOW, tmp_path), path)
    for clip, seen in zip((FELLOW, scene), json.loads(said), strict=True):
        assert (seen["found"]["detected_language"], seen["found"]["language_code"]) == (
            "english",
            "en",
        )
        assert seen["found"]["confidence"] > 0.5
        cues = json.loads(SUBTITLES.run(program("subtitles.py"), "srt", seen["subtitles"]))
        name = f"requests {REQUESTS.version('requests')}"
        heard = " ".join(text for _, _, text in cues)
        assert scores.add(name, "as Bazarr, srt", clip, heard).total == 0
    first_s = cues[0][0]
    assert 34.5 < first_s < 36.5
    assert f"`requests` {REQUESTS.version('requests')}" in (PAGES / PAGE).read_text()


def test_speakr_s_request(server: RealServer, scores: Scores) -> None:
    line = snippet(PAGE, "Speakr", "sh").splitlines()[1]
    endpoint = server.fill(line).removeprefix("ASR_BASE_URL=")
    said = json.loads(REQUESTS.run(program("speakr.py"), endpoint, "testdata/fellow.webm"))
    assert (said["language"], "warnings" in said) == ("en", False)
    assert {segment["speaker"] for segment in said["segments"]} == {"SPEAKER_00"}
    heard = " ".join(segment["text"] for segment in said["segments"])
    name = f"httpx {REQUESTS.version('httpx')}"
    assert scores.add(name, "as Speakr, json", FELLOW, heard).total == 0
    assert f"`httpx` {REQUESTS.version('httpx')}" in (PAGES / PAGE).read_text()


def test_the_page_s_commands_work(server: RealServer, scores: Scores) -> None:
    said = subprocess.run(
        ["bash", "-euc", server.fill(snippet(PAGE, "curl", "sh"))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    ).stdout
    subtitles, brace, detection = said.partition("{")
    cues = json.loads(SUBTITLES.run(program("subtitles.py"), "srt", subtitles))
    heard = " ".join(text for _, _, text in cues)
    assert scores.add("curl", "/asr", FELLOW, heard).total == 0
    assert json.loads(brace + detection)["language_code"] == "en"
