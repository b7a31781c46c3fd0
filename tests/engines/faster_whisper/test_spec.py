"""The engine against faster-whisper called directly, with the real model."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from ctranslate2 import StorageView
from faster_whisper import WhisperModel

from auricle.engines.base import EngineSettings
from auricle.engines.faster_whisper.spec import FasterWhisperEngine, load
from auricle.values.errors import AudioError, SetupError
from auricle.values.types import Job, JobId, Options, Pcm16, Task, Transcript
from tests.support.clips import CLIPS, Clip, words
from tests.support.model import bundled_model

pytestmark = pytest.mark.model

FELLOW = CLIPS["fellow.wav"]
SHORT = CLIPS["short.wav"]


def engine_settings(**changes: object) -> EngineSettings:
    return replace(
        EngineSettings(str(bundled_model()), "cpu", "default", 2),
        **changes,  # type: ignore[arg-type]  # each test gives the right ones
    )


class EncodesOnce(WhisperModel):  # type: ignore[misc]  # its types are unknown
    """Encodes the same audio once, which takes most of the time: the tests differ in the rest."""

    def __init__(self) -> None:
        super().__init__(str(bundled_model()), device="cpu", compute_type="int8", cpu_threads=2)
        self._known: dict[bytes, StorageView] = {}

    def encode(self, features: npt.NDArray[np.float32]) -> StorageView:
        key = hashlib.blake2b(features.tobytes()).digest()
        if key not in self._known:
            self._known[key] = super().encode(features)
        return self._known[key]


@pytest.fixture(scope="module")
def direct() -> WhisperModel:
    return EncodesOnce()


@pytest.fixture(scope="module")
def engine(direct: WhisperModel) -> FasterWhisperEngine:
    return FasterWhisperEngine(direct)


def transcribed(engine: FasterWhisperEngine, pcm: Pcm16, **options: object) -> Transcript:
    job = Job(JobId("a"), pcm, Options(**options))  # type: ignore[arg-type]  # as above
    (result,) = engine.transcribe([job])
    assert not isinstance(result, AudioError)
    return result


@pytest.mark.parametrize(
    "clip", [pytest.param(FELLOW, marks=pytest.mark.slow), SHORT], ids=lambda clip: clip.name
)
@pytest.mark.parametrize("beam_size", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_the_text_is_what_faster_whisper_gives(
    engine: FasterWhisperEngine, direct: WhisperModel, clip: Clip, beam_size: int
) -> None:
    samples = clip.pcm.astype(np.float32) / 32768
    segments, info = direct.transcribe(samples, beam_size=beam_size)
    expected = "".join(segment.text for segment in segments).strip()
    transcript = transcribed(engine, clip.pcm, beam_size=beam_size)
    assert transcript.text == expected
    assert words(transcript.text) == words(clip.text)
    assert transcript.language == info.language == "en"
    assert transcript.language_probability == pytest.approx(info.language_probability)
    assert transcript.duration_samples == clip.samples


@pytest.mark.slow
def test_a_batch_gives_each_job_what_it_gets_alone(engine: FasterWhisperEngine) -> None:
    jobs = [Job(JobId(clip.name), clip.pcm, Options(beam_size=1)) for clip in (SHORT, FELLOW)]
    together = engine.transcribe(jobs)
    assert together == [engine.transcribe([job])[0] for job in jobs]


def test_words_have_times_in_order_inside_of_the_job(engine: FasterWhisperEngine) -> None:
    transcript = transcribed(engine, FELLOW.pcm, word_timestamps=True)
    found = [word for segment in transcript.segments for word in segment.words or ()]
    assert words("".join(word.text for word in found)) == words(FELLOW.text)
    edges = [edge for word in found for edge in (word.start_sample, word.end_sample)]
    assert edges == sorted(edges)
    assert edges[0] >= 0
    assert edges[-1] <= FELLOW.samples
    assert all(isinstance(edge, int) for edge in edges)
    assert all(0 < word.probability <= 1 for word in found)


def test_segments_never_end_after_the_job(engine: FasterWhisperEngine) -> None:
    transcript = transcribed(engine, FELLOW.pcm[:40_000], beam_size=1)
    assert transcript.segments
    assert all(0 <= s.start_sample <= s.end_sample <= 40_000 for s in transcript.segments)
    assert all(segment.words is None for segment in transcript.segments)


def test_a_given_language_is_used_as_it_is(engine: FasterWhisperEngine) -> None:
    transcript = transcribed(engine, SHORT.pcm, language="de", beam_size=1)
    assert (transcript.language, transcript.language_probability) == ("de", 1.0)


@pytest.mark.slow
def test_translation_goes_to_english(engine: FasterWhisperEngine) -> None:
    german = transcribed(engine, SHORT.pcm, language="de", beam_size=1)
    english = transcribed(engine, SHORT.pcm, language="de", task=Task.TRANSLATE, beam_size=1)
    assert "train" in english.text.lower()
    assert german.text != english.text


def test_prompt_and_hotwords_reach_the_model(
    engine: FasterWhisperEngine, direct: WhisperModel
) -> None:
    samples = SHORT.pcm.astype(np.float32) / 32768
    segments, _ = direct.transcribe(
        samples,
        beam_size=1,
        initial_prompt="the TRANE leaves",
        hotwords="Trane, Coltrane",
        condition_on_previous_text=False,
    )
    expected = "".join(segment.text for segment in segments).strip()
    prompted = transcribed(
        engine,
        SHORT.pcm,
        beam_size=1,
        initial_prompt="the TRANE leaves",
        hotwords=("Trane", "Coltrane"),
    )
    assert prompted.text == expected
    assert prompted.text != transcribed(engine, SHORT.pcm, beam_size=1).text


def test_the_factory_loads_and_warms_up() -> None:
    engine = load(engine_settings())
    engine.warm_up()
    transcript = transcribed(engine, SHORT.pcm, language="en", beam_size=1)
    assert words(transcript.text) == words(SHORT.text)


@pytest.mark.parametrize("samples", [1, 160, 401])
def test_the_shortest_jobs_are_answered(engine: FasterWhisperEngine, samples: int) -> None:
    transcript = transcribed(engine, np.zeros(samples, np.int16), language="en", beam_size=1)
    assert transcript.duration_samples == samples
    assert all(segment.end_sample <= samples for segment in transcript.segments)


@pytest.mark.parametrize("model", ["/no/such/model", "tiny"])
def test_a_model_that_is_not_there_is_reported(model: str) -> None:
    with pytest.raises(SetupError, match="has no model.bin"):
        load(engine_settings(model=model))


def test_a_damaged_model_is_reported(tmp_path: Path) -> None:
    for file in bundled_model().iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[:5000])
    with pytest.raises(SetupError, match="can't be loaded"):
        load(engine_settings(model=str(tmp_path)))


def test_a_number_type_that_the_processor_lacks_is_reported() -> None:
    with pytest.raises(SetupError, match="can't be loaded on cpu as float16"):
        load(engine_settings(compute_type="float16"))
