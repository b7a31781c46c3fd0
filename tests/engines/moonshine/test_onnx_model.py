"""The real model on real speech."""

from pathlib import Path

import numpy as np
import pytest

from auricle.engines.base import Engine, EngineSettings
from auricle.engines.moonshine.guard import max_tokens
from auricle.engines.moonshine.model_files import DECODER, FILES, VOCABULARY, check_file
from auricle.engines.moonshine.onnx_model import MIN_SAMPLES, MoonshineModel
from auricle.engines.moonshine.spec import load
from auricle.engines.moonshine.vocabulary import Vocabulary
from auricle.values.errors import SetupError
from auricle.values.types import MAX_JOB_SAMPLES, Job, JobId, Options, Pcm16, Transcript
from tests.support.clips import CLIPS, words
from tests.support.moonshine import moonshine_directory

pytestmark = pytest.mark.model

SHORT, FELLOW = CLIPS["short.wav"], CLIPS["fellow.wav"]


@pytest.fixture(scope="module")
def directory() -> Path:
    return moonshine_directory()


@pytest.fixture(scope="module")
def engine(directory: Path) -> Engine:
    engine = load(EngineSettings(str(directory), "cpu", "default", 1))
    engine.warm_up()
    return engine


@pytest.fixture(scope="module")
def model(directory: Path) -> MoonshineModel:
    return MoonshineModel(directory, 1)


@pytest.fixture(scope="module")
def vocabulary(directory: Path) -> Vocabulary:
    return Vocabulary(check_file(directory, VOCABULARY).read_bytes())


def transcribe(engine: Engine, *clips: Pcm16, **options: object) -> list[Transcript]:
    jobs = [
        Job(JobId("a"), pcm, Options(language="en", **options))  # type: ignore[arg-type]
        for pcm in clips
    ]
    return [result for result in engine.transcribe(jobs) if isinstance(result, Transcript)]


def test_speech_becomes_its_text(engine: Engine) -> None:
    for clip, result in zip(
        (SHORT, FELLOW), transcribe(engine, SHORT.pcm, FELLOW.pcm), strict=True
    ):
        assert words(result.text) == words(clip.text)
        assert -1.0 < result.segments[0].avg_logprob < 0.0


def test_the_text_does_not_depend_on_the_batch(engine: Engine) -> None:
    (alone,) = transcribe(engine, SHORT.pcm)
    assert transcribe(engine, FELLOW.pcm, SHORT.pcm, FELLOW.pcm)[1] == alone


def test_a_prefix_is_kept_and_continued(model: MoonshineModel, vocabulary: Vocabulary) -> None:
    limit = max_tokens(SHORT.pcm.size)
    whole = model.decode(SHORT.pcm, (), limit)
    assert whole.is_complete
    continued = model.decode(SHORT.pcm, whole.tokens[:4], limit)
    assert continued.tokens[:4] == whole.tokens[:4]
    assert words(vocabulary.text_of(continued.tokens)) == words(SHORT.text)


def test_a_text_ends_at_its_limit(model: MoonshineModel) -> None:
    hypothesis = model.decode(SHORT.pcm, (), 3)
    assert (len(hypothesis.tokens), hypothesis.is_complete) == (3, False)


@pytest.mark.parametrize("samples", [1, MIN_SAMPLES - 1, MIN_SAMPLES, MAX_JOB_SAMPLES])
def test_audio_of_every_length_is_decoded(engine: Engine, samples: int) -> None:
    pcm = np.resize(FELLOW.pcm, samples)
    (result,) = transcribe(engine, pcm)
    assert result.duration_samples == samples


def test_silence_and_hum_have_no_text(engine: Engine) -> None:
    turns = np.arange(3 * 16_000) * (50 / 16_000)
    hum = (3000 * np.sin(2 * np.pi * turns)).astype(np.int16)
    assert [result.text for result in transcribe(engine, np.zeros_like(hum), hum)] == ["", ""]


def test_the_vocabulary_has_all_tokens_of_the_model(vocabulary: Vocabulary) -> None:
    assert len(vocabulary) == 32_768
    assert not vocabulary.is_text(len(vocabulary) - 1)
    assert vocabulary.is_text(31_999)


def test_a_damaged_file_is_rejected_by_the_worker(directory: Path, tmp_path: Path) -> None:
    for file in FILES:
        (tmp_path / file.name).symlink_to(directory / file.name)
    content = bytearray((directory / DECODER.name).read_bytes())
    content[-1000] ^= 1
    (tmp_path / DECODER.name).unlink()
    (tmp_path / DECODER.name).write_bytes(content)
    with pytest.raises(SetupError, match="SHA-256"):
        load(EngineSettings(str(tmp_path), "cpu", "default", 1))
