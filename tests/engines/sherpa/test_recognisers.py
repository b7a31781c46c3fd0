"""Made models in the real library: loading, decoding, batches, options."""

from pathlib import Path

import pytest

from auricle.engines.base import Engine, EngineSettings
from auricle.engines.sherpa.model_files import find_model
from auricle.engines.sherpa.recognisers import encode_hotwords
from auricle.engines.sherpa.spec import load
from auricle.values.types import SAMPLE_RATE_HZ, Job, JobId, Options, Pcm16, Task, Transcript
from tests.support.clips import CLIPS
from tests.support.sherpa_generators import GENERATORS
from tests.support.sherpa_models import MAKERS, transducer

pytestmark = pytest.mark.unit

MODELS = MAKERS | GENERATORS
SHORT, FELLOW = CLIPS["short.wav"].pcm, CLIPS["fellow.wav"].pcm


def loaded(model: Path) -> Engine:
    engine = load(EngineSettings(str(model), "cpu", "default", 1))
    engine.warm_up()
    return engine


def transcribe(engine: Engine, *clips: Pcm16, **options: object) -> list[Transcript]:
    job_options = Options(word_timestamps=True, **options)  # type: ignore[arg-type]
    results = engine.transcribe([Job(JobId("a"), pcm, job_options) for pcm in clips])
    return [result for result in results if isinstance(result, Transcript)]


@pytest.mark.parametrize("name", MODELS)
def test_each_kind_is_loaded_and_decodes(tmp_path: Path, name: str) -> None:
    engine = loaded(MODELS[name](tmp_path / name))
    has_times = find_model(str(tmp_path / name)).has_word_times
    alone, again = transcribe(engine, SHORT) + transcribe(engine, SHORT)
    assert alone == again
    _, in_batch = transcribe(engine, FELLOW, SHORT)
    assert in_batch == alone
    assert alone.text
    for segment in alone.segments:
        assert (segment.words is not None) is has_times
        starts = [word.start_sample for word in segment.words or ()]
        assert starts == sorted(starts)
        assert all(0 <= start < SHORT.size for start in starts)


@pytest.mark.parametrize("name", MODELS)
def test_short_audio_is_decoded(tmp_path: Path, name: str) -> None:
    engine = loaded(MODELS[name](tmp_path / name))
    assert [result.duration_samples for result in transcribe(engine, SHORT[:1000])] == [1000]


@pytest.mark.parametrize("name", ["whisper", "canary"])
def test_languages_and_tasks_are_chosen_for_each_job(tmp_path: Path, name: str) -> None:
    engine = loaded(MODELS[name](tmp_path / name))
    jobs = [
        Job(JobId("a"), SHORT, Options(language, task=task))
        for language in ("en", "de")
        for task in (Task.TRANSCRIBE, Task.TRANSLATE)
    ]
    results = [each for each in engine.transcribe(jobs) if isinstance(each, Transcript)]
    assert [result.language for result in results] == ["en", "en", "de", "de"]
    assert all(result.text for result in results)


def test_whisper_detects_the_language(tmp_path: Path) -> None:
    engine = loaded(MODELS["whisper"](tmp_path / "whisper"))
    assert transcribe(engine, SHORT)[0].language in ("en", "de")
    (unknown,) = transcribe(engine, SHORT, language="fr")  # the library would end the process
    assert unknown.text


def test_hot_words_are_favoured(tmp_path: Path) -> None:
    model = transducer(tmp_path / "zipformer-zh", ("<blk>", "<unk>", *"一二三四五六七八"))
    engine = loaded(model)
    (plain,) = transcribe(engine, SHORT)
    (result,) = transcribe(engine, SHORT, hotwords=("六",))
    assert result.text.count("六") > plain.text.count("六")


def test_hot_words_cannot_be_commands(tmp_path: Path) -> None:
    files = find_model(str(transducer(tmp_path / "zipformer-zh", ("<blk>", "<unk>", *"一二"))))
    assert encode_hotwords(("a/b", ":9 #x", "c:d", "@@", " "), files) == "A B/9 X/C D"
    engine = loaded(files.directory)
    assert transcribe(engine, SHORT, hotwords=(":1", "unknown", "/", "一:9"))


def test_hot_words_of_other_models_are_ignored(tmp_path: Path) -> None:
    files = find_model(str(MAKERS["sense-voice"](tmp_path)))
    assert encode_hotwords(("a",), files) == ""


def test_the_longest_job_is_decoded(tmp_path: Path) -> None:
    engine = loaded(MAKERS["zipformer-en"](tmp_path / "zipformer-en"))
    (result,) = transcribe(engine, FELLOW.repeat(5)[: 30 * SAMPLE_RATE_HZ])
    assert result.text
