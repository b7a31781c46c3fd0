"""The example of an engine, plugged in as its page says."""

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import httpx2
import numpy as np
import pytest

from auricle.engines.base import EngineSettings
from auricle.engines.registry import find_engine, find_factory
from auricle.values.types import SAMPLE_RATE_HZ, Job, JobId
from tests.support.clips import CLIPS
from tests.support.command import LIMIT_S, ROOT, environment, started_at

pytestmark = pytest.mark.process

PAGE = (ROOT / "docs" / "how-to" / "engines.md").read_text()
EXAMPLE = ROOT / "docs" / "examples" / "pitch_engine.py"
COMMAND = "AURICLE_ENGINE=pitch_engine auricle serve"
NOTES = re.compile(r"([A-G]#?[2-4])( [A-G]#?[2-4])*")
AURICLE = str(Path(sysconfig.get_path("scripts")) / "auricle")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run the page's command in a directory that contains the example, and return the URL."""
    folder = tmp_path_factory.mktemp("engine")
    shutil.copy(EXAMPLE, folder)
    environ = environment(folder, engine="pitch_engine", workers=2, sandbox_folders="")
    del environ["PYTHONPATH"]
    server = subprocess.Popen(
        [sys.executable, AURICLE, "serve"],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    try:
        yield started_at(server.stderr)
    finally:
        server.terminate()
        server.stderr.close()
        server.wait(LIMIT_S)


def test_the_page_names_the_command_that_is_tested() -> None:
    assert COMMAND in PAGE
    assert COMMAND in EXAMPLE.read_text()
    assert len(EXAMPLE.read_text().splitlines()) < 70


def test_a_file_gets_the_text_of_the_engine(url: str) -> None:
    clip = CLIPS["short.wav"].path.read_bytes()
    answer = httpx2.post(
        f"{url}/utterance", content=clip, headers={"Content-Type": "audio/wav"}, timeout=LIMIT_S
    ).json()
    assert NOTES.fullmatch(answer["text"])


def test_words_have_times(url: str) -> None:
    answer = httpx2.post(
        f"{url}/v1/audio/transcriptions",
        data={"response_format": "verbose_json", "timestamp_granularities[]": "word"},
        files={"file": ("short.wav", CLIPS["short.wav"].path.read_bytes())},
        timeout=LIMIT_S,
    ).json()
    assert [word["word"] for word in answer["words"]] == answer["text"].split()
    times = [time for word in answer["words"] for time in (word["start"], word["end"])]
    assert times == sorted(times)


def test_its_name_is_a_model_of_the_server(url: str) -> None:
    models = httpx2.get(f"{url}/v1/models", timeout=LIMIT_S).json()["data"]
    assert models[0]["id"] == "pitch"
    assert httpx2.get(f"{url}/health", timeout=LIMIT_S).json()["model"] == "pitch"


def test_the_commands_for_operators_know_it(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE, tmp_path)
    environ = environment(tmp_path, engine="pitch_engine")
    del environ["PYTHONPATH"]
    for command, said in (("models", "pitch"), ("doctor", "pitch, part of the engine")):
        done = subprocess.run(
            [sys.executable, AURICLE, command],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
        assert said in done.stdout


@pytest.mark.parametrize(("hz", "note"), [(110, "A2"), (220, "A3"), (330, "E4")])
def test_it_finds_the_pitch(hz: int, note: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLE.parent)
    monkeypatch.setattr(sys, "path", [*sys.path])
    find_engine("pitch_engine")
    engine = find_factory("pitch_engine")(EngineSettings("", "cpu", "default", 1))
    turns = np.arange(SAMPLE_RATE_HZ) * hz / SAMPLE_RATE_HZ
    pcm = sum(5000 / k * np.sin(2 * np.pi * k * turns) for k in (1, 2, 3))
    (result,) = engine.transcribe([Job(JobId("a"), np.asarray(pcm, np.int16))])
    assert getattr(result, "text", "") == note
