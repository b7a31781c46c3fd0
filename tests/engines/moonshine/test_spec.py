"""The engine as the server knows it, and a server with it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import psutil
import pytest
from websockets.sync.client import connect

from auricle.engines.moonshine import model_files
from auricle.engines.moonshine.model_files import CATALOGUE_NAME, NAME, REQUIREMENT
from auricle.engines.moonshine.spec import SPEC
from auricle.engines.registry import find_engine
from auricle.values.errors import BadRequest
from auricle.values.types import Options
from tests.support.clips import CLIPS, words
from tests.support.command import LIMIT_S, environment, serving
from tests.support.moonshine import moonshine_directory
from tests.support.poll import wait_until

SHORT = CLIPS["short.wav"]
FELLOW = CLIPS["fellow.wav"]
WAV = {"Content-Type": "audio/wav"}


@pytest.mark.unit
def test_it_is_a_built_in_engine() -> None:
    assert find_engine("moonshine") is SPEC


@pytest.mark.unit
def test_only_english_is_accepted() -> None:
    assert SPEC.fit(Options(word_timestamps=True)) == Options(language="en")
    with pytest.raises(BadRequest, match=r"The engine Moonshine .* use a code such as en\.$"):
        SPEC.fit(Options(language="de"))


@pytest.mark.unit
@pytest.mark.parametrize("directory", [None, Path("/anywhere")])
def test_its_model_is_listed(
    directory: Path | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_files, "packaged_directory", lambda: directory)
    (model,) = SPEC.models.named(tmp_path)
    assert (model.name, model.size_mb, model.licence) == (CATALOGUE_NAME, 44, "MIT")
    assert model.is_local is (directory is not None)


@pytest.mark.process
def test_the_server_s_part_imports_no_speech_library() -> None:
    code = "import auricle.engines.moonshine.spec, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=LIMIT_S
    )
    assert not {"onnxruntime", model_files.PACKAGE} & set(done.stdout.split())


@pytest.mark.process
def test_a_server_without_the_files_says_what_to_do(tmp_path: Path) -> None:
    environ = environment(tmp_path, engine="moonshine", model=tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "auricle", "serve"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert done.returncode != 0
    assert "encoder_model.ort can't be used" in done.stderr
    assert REQUIREMENT in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    folder = tmp_path_factory.mktemp("moonshine")
    settings = {"engine": "moonshine", "model": moonshine_directory(), "workers": 1}
    with serving(folder, **settings) as (command, url):
        yield SimpleNamespace(url=url, command=command, environ=environment(folder, **settings))


def post(url: str, **options: Any) -> httpx2.Response:
    return httpx2.post(url, timeout=LIMIT_S, **options)


def transcriptions(url: str, **fields: object) -> httpx2.Response:
    files = {"file": ("short.wav", SHORT.path.read_bytes())}
    return post(
        f"{url}/v1/audio/transcriptions", data={"model": "whisper-1", **fields}, files=files
    )


@pytest.mark.model
def test_a_file_becomes_its_text(server: SimpleNamespace) -> None:
    response = post(f"{server.url}/utterance", content=FELLOW.path.read_bytes(), headers=WAV)
    assert words(response.json()["text"]) == words(FELLOW.text)


@pytest.mark.model
def test_another_language_is_rejected(server: SimpleNamespace) -> None:
    response = transcriptions(server.url, language="de")
    assert response.status_code == 400
    assert "use a code such as en." in response.json()["error"]["message"]


@pytest.mark.model
def test_openai_s_formats_have_segments_but_no_words(server: SimpleNamespace) -> None:
    fields = {"response_format": "verbose_json", "timestamp_granularities[]": "word"}
    verbose = transcriptions(server.url, **fields).json()
    assert words(verbose["text"]) == words(SHORT.text)
    assert (verbose["language"], verbose["words"]) == ("english", [])
    subtitles = transcriptions(server.url, response_format="srt").text
    assert words(SHORT.text)[-1] in words(subtitles)
    assert " --> " in subtitles


@pytest.mark.model
def test_live_speech_becomes_a_final_without_words(server: SimpleNamespace) -> None:
    url = f"{server.url.replace('http', 'ws')}/v1/stream?format=pcm16&word_timestamps=true"
    with connect(url, open_timeout=LIMIT_S) as live:
        live.send(FELLOW.pcm.tobytes())
        live.send('{"type": "stop"}')
        events = [json.loads(message) for message in live]
    finals = [event for event in events if event["type"] == "final"]
    assert words(" ".join(event["text"] for event in finals)) == words(FELLOW.text)
    assert not [event for event in finals if event.get("words")]


@pytest.mark.model
def test_requests_name_the_directory_and_health_names_the_model(server: SimpleNamespace) -> None:
    models = httpx2.get(f"{server.url}/v1/models", timeout=LIMIT_S).json()["data"]
    assert models[0]["id"] == CATALOGUE_NAME
    assert httpx2.get(f"{server.url}/health", timeout=LIMIT_S).json()["model"] == NAME


@pytest.mark.model
def test_a_killed_worker_is_replaced(server: SimpleNamespace) -> None:
    health = httpx2.get(f"{server.url}/health", timeout=LIMIT_S).json()
    before = {worker["pid"] for worker in health["workers"]}
    for pid in before:
        psutil.Process(pid).kill()

    def answer() -> httpx2.Response | None:
        found = post(f"{server.url}/utterance", content=SHORT.path.read_bytes(), headers=WAV)
        return None if found.status_code == 503 else found

    response = wait_until(answer, "a worker in their place")
    assert words(response.json()["text"]) == words(SHORT.text)


@pytest.mark.model
def test_doctor_and_models_know_it(server: SimpleNamespace) -> None:
    for command, said in (("models", f"\n{CATALOGUE_NAME} "), ("doctor", f"{NAME} (")):
        done = subprocess.run(
            [sys.executable, "-m", "auricle", command],
            env=server.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
        assert said in done.stdout
    assert "Moonshine: 1 language, windows of 30 s, streaming; with" in done.stdout
