"""No speech is left behind after a crash: neither on disk nor in logs.

A real server whose engine crashes, hangs, raises and prints with speech in its hands; afterwards
every file that it could have written is searched, and all that it printed.
"""

import io
import json
import os
import resource
import secrets
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from auricle.audio.chunks import find_chunks
from tests.support.clips import CLIPS
from tests.support.command import LIMIT_S, ROOT, serving, until
from tests.support.scripted_engine import SECRET, answer

pytestmark = [
    pytest.mark.process,
    pytest.mark.timeout(600),  # many workers die and start anew, on machines that are busy
    pytest.mark.skipif(sys.platform == "win32", reason="limits of core files are POSIX"),
]

CLIP = CLIPS["short.wav"]
FAULTS = ("segfault", "abort", "exit:9", "raise", "audio-error", "print", "trace", "hang")


@pytest.fixture(autouse=True)
def core_files_are_wanted() -> Iterator[None]:
    """Permit core files in all processes of the server, unless it prevents them."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


def spoken(number: int) -> tuple[bytes, str]:
    """Return separate speech as WAV and its text, since audio that kills is quarantined."""
    pcm = CLIP.pcm.copy()
    pcm[0] = number
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(16_000)
        recording.writeframes(pcm.tobytes())
    (piece,) = find_chunks(pcm)
    return file.getvalue(), answer(piece.pcm)


STRETCHES = [
    stretch
    for at in range(4_000, 60_000, 8_000)
    if any(stretch := CLIP.pcm.tobytes()[at : at + 64])  # a database has zeros of its own
]
"""Of the audio, as it lies in memory and in files."""


def post(url: str, speech: bytes, **query: str) -> httpx2.Response:
    headers = {"content-type": "audio/wav"}
    return httpx2.post(
        f"{url}/utterance", content=speech, headers=headers, params=query, timeout=LIMIT_S
    )


def get(url: str, headers: dict[str, str] | None = None) -> httpx2.Response:
    return httpx2.get(url, headers=headers, timeout=LIMIT_S)


def holders(folder: Path, wanted: list[bytes]) -> list[Path]:
    """Return the files that hold any of it."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in files if any(word in path.read_bytes() for word in wanted)]


@pytest.mark.wall_clock
def test_nothing_of_it_is_kept_or_logged_whatever_crashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    before = set(ROOT.iterdir())
    word = f"word{secrets.token_hex(8)}"
    clips = [spoken(number) for number in range(len(FAULTS))]
    quick = {"job_timeout_min_s": 1, "poison_attempts": 2, "backoff_max_s": 0.05}
    settings = {"log_level": "debug", "operator_key": "operator", **quick}
    with serving(tmp_path, **settings) as (server, url):
        for fault, (speech, _) in zip(FAULTS, clips, strict=True):
            script = f"scripted:{fault}:{word}"
            post(url, speech, initial_prompt=script, hotwords=word, max_wait_s="60")
            if fault == "segfault":  # of a worker's quick deaths the history keeps the last one
                until(lambda: "SIGSEGV" in get(f"{url}/health/history").text, server)
        until(lambda: get(f"{url}/readyz").status_code == 200, server)
        speech, heard = spoken(-1)
        assert post(url, speech).json()["text"] == heard
        operator = {"authorization": "Bearer operator"}
        shown = "".join(
            get(f"{url}{path}", headers=operator).text
            for path in ("/health", "/health/history", "/metrics")
        )
        assert json.dumps("SIGSEGV") in shown
        server.interrupt()
        assert server.wait() == 0
    wanted = [SECRET.encode(), word.encode(), heard.encode(), *(h.encode() for _, h in clips)]
    wanted += STRETCHES
    assert holders(tmp_path, wanted) == []
    assert [path for path in set(ROOT.iterdir()) - before if "core" in path.name] == []
    printed = (server.stdout + server.stderr + shown).encode()
    assert [word for word in wanted if word in printed] == []


def test_speech_is_kept_where_that_is_asked_for_and_the_start_says_so(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    with serving(tmp_path, "--keep-audio", str(kept)) as (server, url):
        post(url, spoken(0)[0], initial_prompt="scripted:segfault", max_wait_s="60")
        server.interrupt()
        assert server.wait() == 0
    assert f"is kept in {kept}" in server.stderr
    assert {path.suffix for path in holders(kept, STRETCHES)} == {".wav"}
    assert os.listdir(tmp_path / "spool") == []
