"""The engine as the server knows it, and a server with it."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from websockets.sync.client import connect

from auricle.config.sections.model import ModelSettings
from auricle.engines.base import EngineSettings
from auricle.engines.catalogue import CatalogueModel, PinnedFile
from auricle.engines.pulled import LOCK_NAME, PulledModel, pulled_directory, sha256_of
from auricle.engines.registry import find_engine, find_factory, find_streaming_factory
from auricle.engines.sherpa.catalogue import CATALOGUE
from auricle.engines.sherpa.kinds import CANARY, SENSE_VOICE, TRANSDUCER
from auricle.engines.sherpa.languages import find_languages
from auricle.engines.sherpa.spec import MAX_BATCH_JOBS, SPEC, load, load_streaming
from auricle.values.errors import BadRequest, SetupError
from auricle.values.types import SAMPLE_RATE_HZ, Job, JobId, Options, Task, Transcript
from tests.support.clips import CLIPS, words
from tests.support.command import LIMIT_S, environment, serving
from tests.support.moonshine import sherpa_directory
from tests.support.sherpa_models import MAKERS

SHORT = CLIPS["short.wav"]
FELLOW = CLIPS["fellow.wav"].pcm
ROUNDS = 5
"""How often it is said until a partial is stable: on a busy machine partials are few."""


def settings_of(model: Path) -> ModelSettings:
    return ModelSettings(engine="sherpa", model=str(model))


@pytest.mark.unit
def test_it_is_a_built_in_engine() -> None:
    assert find_engine("sherpa") is SPEC
    assert find_factory("sherpa") is load
    assert find_streaming_factory("sherpa") is load_streaming
    assert [each.name for each in SPEC.models.named(Path())] == [each.name for each in CATALOGUE]


@pytest.mark.unit
def test_the_spec_depends_on_the_model(tmp_path: Path) -> None:
    directory = MAKERS["parakeet-tdt-0.6b-v3"](tmp_path / "parakeet-tdt-0.6b-v3")
    parakeet = SPEC.for_model(settings_of(directory))
    assert len(parakeet.languages) == 25
    assert parakeet.detects_language
    assert parakeet.has_word_times
    assert parakeet.batches.max_jobs == MAX_BATCH_JOBS
    assert not parakeet.streams
    directory = MAKERS["streaming-lstm-en"](tmp_path / "streaming-en")
    streaming = SPEC.for_model(settings_of(directory))
    assert streaming.streams
    assert streaming.fit(Options()).language == "en"


@pytest.mark.unit
def test_a_language_that_the_model_does_not_know_is_rejected(tmp_path: Path) -> None:
    spec = SPEC.for_model(settings_of(MAKERS["sense-voice"](tmp_path)))
    assert spec.fit(Options("yue")).language == "yue"
    with pytest.raises(
        BadRequest, match=r"SenseVoice\) .* use a code such as en, ja, ko, yue, zh, or"
    ):
        spec.fit(Options("de"))
    with pytest.raises(BadRequest, match="cannot translate"):
        spec.fit(Options(task=Task.TRANSLATE))


@pytest.mark.unit
def test_the_store_describes_a_directory(tmp_path: Path) -> None:
    directory = MAKERS["nemo-ctc-en"](tmp_path / "nemo-ctc-en")
    model = SPEC.models.find(settings_of(directory))
    assert (model.path, model.name) == (str(directory), "nemo-ctc-en")
    assert len(model.revision) == 64
    status = SPEC.models.status(settings_of(directory))
    assert status.is_local
    assert status.text.startswith("NeMo CTC (")


@pytest.mark.unit
def test_a_pulled_model_is_found_by_its_name(tmp_path: Path) -> None:
    name = "parakeet-tdt-0.6b-v3"
    settings = ModelSettings(engine="sherpa", model=name, cache_dir=tmp_path)
    with pytest.raises(SetupError, match=f"Run: auricle models pull sherpa:{name}"):
        SPEC.models.find(settings)
    directory = MAKERS[name](pulled_directory(tmp_path, "sherpa", name))
    files = tuple(
        PinnedFile(path.name, path.stat().st_size, sha256_of(path))
        for path in sorted(directory.iterdir())
    )
    lock = PulledModel(name, "sherpa", name, "the release", "1", "CC-BY-4.0", True, files)
    (directory / LOCK_NAME).write_bytes(lock.to_json())
    assert SPEC.models.find(settings).path == str(directory)
    assert len(SPEC.for_model(settings).languages) == 25
    assert {each.name: each for each in SPEC.models.named(tmp_path)}[name].is_local
    (directory / files[0].name).unlink()
    with pytest.raises(SetupError, match="auricle models pull"):
        SPEC.for_model(settings)


@pytest.mark.unit
@pytest.mark.parametrize("model", CATALOGUE, ids=lambda model: model.name)
def test_the_languages_of_a_pulled_model_are_found(model: CatalogueModel, tmp_path: Path) -> None:
    kind, tokens = TRANSDUCER, {"a": 1}
    if "canary" in model.name:
        kind, tokens = CANARY, {f"<|{code}|>": 1 for code in model.languages}
    elif "sense" in model.name:
        kind = SENSE_VOICE
    assert find_languages(kind, tmp_path / model.name, {}, tokens) == model.languages


@pytest.mark.unit
def test_a_bad_model_has_no_spec(tmp_path: Path) -> None:
    for model in ("", str(tmp_path)):
        with pytest.raises(SetupError):
            SPEC.for_model(ModelSettings(engine="sherpa", model=model))


@pytest.mark.process
def test_the_server_s_part_imports_no_speech_library() -> None:
    code = "import auricle.engines.sherpa.spec, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=LIMIT_S
    )
    assert not {"onnxruntime", "sherpa_onnx"} & set(done.stdout.split())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    folder = tmp_path_factory.mktemp("sherpa")
    model = MAKERS["zipformer-en"](folder / "models" / "zipformer-en")
    settings = {"engine": "sherpa", "model": model, "workers": 1, "sandbox_folders": ""}
    with serving(folder, **settings) as (command, url):
        yield SimpleNamespace(url=url, command=command, environ=environment(folder, **settings))


@pytest.mark.process
def test_a_sandboxed_worker_loads_and_runs_the_model(server: SimpleNamespace) -> None:
    url = f"{server.url}/v1/audio/transcriptions"
    fields = {"model": "whisper-1", "response_format": "verbose_json"}
    fields |= {"timestamp_granularities[]": "word"}
    files = {"file": ("short.wav", SHORT.path.read_bytes())}
    answer = httpx2.post(url, data=fields, files=files, timeout=LIMIT_S).json()
    assert answer["words"]
    assert answer["text"]
    health = httpx2.get(f"{server.url}/health", timeout=LIMIT_S).json()
    assert health["model"] == "zipformer-en"


@pytest.mark.process
def test_another_language_gets_a_400(server: SimpleNamespace) -> None:
    url = f"{server.url}/v1/audio/transcriptions"
    files = {"file": ("short.wav", SHORT.path.read_bytes())}
    fields = {"model": "whisper-1", "language": "de"}
    answer = httpx2.post(url, data=fields, files=files, timeout=LIMIT_S)
    assert answer.status_code == 400
    assert "use a code such as en." in answer.json()["error"]["message"]


@pytest.fixture(scope="module")
def two_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose partials come from a streaming model, and its finals from another one."""
    folder = tmp_path_factory.mktemp("streaming")
    models = {
        "finals": MAKERS["zipformer-en"](folder / "models" / "zipformer-en"),
        "partials": MAKERS["streaming-zipformer-en"](folder / "models" / "streaming-zipformer-en"),
    }
    entries = ", ".join(f"{name}=sherpa:{model}" for name, model in models.items())
    settings = {"models": entries, "engine": "", "partial_model": "partials", "workers": 1}
    with serving(folder, **settings, sandbox_folders="") as (_, url):
        yield url


@pytest.mark.process
@pytest.mark.wall_clock
@pytest.mark.smoke
def test_partials_come_from_a_streaming_model_in_a_sandboxed_worker(two_models: str) -> None:
    url = f"{two_models.replace('http', 'ws')}/v1/stream?format=pcm16&partials=true"
    packet = SAMPLE_RATE_HZ // 10
    events: list[dict[str, Any]] = []
    with connect(url, open_timeout=LIMIT_S) as live:
        for start in range(0, ROUNDS * FELLOW.size, packet):
            live.send(FELLOW.take(range(start, start + packet), mode="wrap").tobytes())
            with contextlib.suppress(TimeoutError):
                events.append(json.loads(live.recv(timeout=0.05)))
            if any(event["type"] == "partial" and event["stable"] for event in events):
                break
        live.send('{"type": "stop"}')
        events += [json.loads(message) for message in live]
    assert any(event["type"] == "partial" and event["stable"] for event in events)
    finals = [event for event in events if event["type"] == "final"]
    assert finals
    assert all(event["text"] for event in finals)


def of_two_models(folder: Path) -> Path:
    """Return a transducer whose joiner is another model's; its files pass all checks."""
    model = MAKERS["parakeet-tdt-0.6b-v3"](folder / "parakeet-tdt-0.6b-v3")
    encoder = model / "encoder.onnx"
    encoder.write_bytes(encoder.read_bytes().replace(b"parakeet-tdt", b"parakeet-ctc"))
    (model / "languages.txt").write_text("en")
    return model


@pytest.mark.process
def test_a_model_that_ends_its_workers_leaves_the_others_alone(tmp_path: Path) -> None:
    good = MAKERS["zipformer-en"](tmp_path / "models" / "zipformer-en")
    entries = f"good=sherpa:{good}, bad=sherpa:{of_two_models(tmp_path / 'models')}"
    settings = {"models": entries, "engine": "", "workers": 1, "sandbox_folders": ""}
    with serving(tmp_path, **settings) as (command, url):
        command.event("model_not_loaded")
        answers = [
            httpx2.post(
                f"{url}/v1/audio/transcriptions",
                data={"model": name},
                files={"file": ("short.wav", SHORT.path.read_bytes())},
                timeout=LIMIT_S,
            )
            for name in ("good", "bad", "good")
        ]
        exits = [each for each in command.events() if each["event"] == "worker_exited"]
    assert [answer.status_code for answer in answers] == [200, 503, 200]
    assert "Retry-After" in answers[1].headers
    assert {each["code"] for each in exits if each["reason"] == "exited"} == {255}


@pytest.mark.model
def test_real_weights_write_what_is_said(tmp_path: Path) -> None:
    engine = load(EngineSettings(str(sherpa_directory(tmp_path)), "cpu", "default", 1))
    engine.warm_up()
    clips = [SHORT, CLIPS["fellow.wav"]]
    jobs = [Job(JobId("a"), clip.pcm, Options("en")) for clip in clips]
    for clip, result in zip(clips, engine.transcribe(jobs), strict=True):
        assert isinstance(result, Transcript)
        assert words(result.text) == words(clip.text)
        assert result.language == "en"
