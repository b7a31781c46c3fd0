"""Files of all lengths with the real model: their sentences, and when each was said."""

from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from anyio import to_thread

from auricle.audio.in_memory import InMemory
from auricle.engines.base import EngineSettings
from auricle.engines.whisper.short_window import ShortWindowEngine, load
from auricle.files.assemble import FileTranscript
from auricle.files.transcribe import FileRequest, chunk_semaphore, transcribe_file
from auricle.values.types import SAMPLE_RATE_HZ, Job, Options, Pcm16, Source, Transcript
from bench.lib.speech import load_audio
from tests.support.clips import CLIPS, words
from tests.support.model import bundled_model
from tests.support.transcriber import FakeTranscriber

pytestmark = pytest.mark.model

PAIR = CLIPS["pair.wav"].pcm
SHORT = CLIPS["short.wav"].pcm
FELLOW = CLIPS["fellow.wav"]
ENGLISH = Options(language="en")
BEAMS = pytest.mark.parametrize(
    "beam_size", [1, *(pytest.param(size, marks=pytest.mark.slow) for size in (2, 5))]
)


class EngineTranscriber(FakeTranscriber):
    """Has the jobs done by an engine, one by one."""

    def __init__(self, engine: ShortWindowEngine) -> None:
        super().__init__()
        self._engine = engine

    async def transcribe(self, job: Job) -> Transcript:
        (result,) = await to_thread.run_sync(self._engine.transcribe, [job])
        assert isinstance(result, Transcript)
        return result


@pytest.fixture(scope="module")
def engine() -> ShortWindowEngine:
    return load(EngineSettings(str(bundled_model()), "cpu", "default", 1))


async def hear(engine: ShortWindowEngine, pcm: Pcm16, options: Options) -> FileTranscript:
    request = FileRequest(Source(""), "f", options)
    transcriber = EngineTranscriber(engine)
    return await transcribe_file(
        transcriber, InMemory(pcm), request, chunk_slots=chunk_semaphore(1, 8)
    )


def spans(heard: FileTranscript) -> list[tuple[float, float, str]]:
    return [
        (each.start_sample / SAMPLE_RATE_HZ, each.end_sample / SAMPLE_RATE_HZ, each.text.strip())
        for each in heard.transcript.segments
    ]


@BEAMS
async def test_each_sentence_has_the_times_of_its_speech(
    engine: ShortWindowEngine, beam_size: int
) -> None:
    heard = await hear(engine, PAIR, Options(language="en", beam_size=beam_size))
    first, second = spans(heard)
    assert [words(text) for _, _, text in (first, second)] == [
        words("Please close the window."),
        words("Dinner is on the table."),
    ]
    assert first[0] == pytest.approx(0.33, abs=0.06)
    assert first[1] == pytest.approx(1.48, abs=0.15)
    assert second[0] == pytest.approx(3.75, abs=0.06)
    assert second[1] == pytest.approx(4.79, abs=0.15)


@BEAMS
async def test_a_sentence_is_not_cut_in_the_middle_of_a_clause(
    engine: ShortWindowEngine, beam_size: int
) -> None:
    heard = await hear(engine, FELLOW.pcm, Options(language="en", beam_size=beam_size))
    assert words(heard.transcript.text) == words(FELLOW.text)
    for _, _, text in spans(heard)[:-1]:
        assert text[-1] in ".!?"


async def test_a_pause_parts_two_sentences_and_their_times(engine: ShortWindowEngine) -> None:
    pause = np.zeros(int(0.5 * SAMPLE_RATE_HZ), np.int16)  # with the clips' edges 1.2 s
    heard = await hear(engine, np.concatenate([SHORT, pause, FELLOW.pcm]), ENGLISH)
    first, second, *_ = spans(heard)
    assert words(first[2]) == words("The train leaves at noon.")
    assert second[0] - first[1] > 0.8
    assert words(second[2])[:4] == ["and", "so", "my", "fellow"]


CORPUS = Path(__file__).parents[3] / "shared/corpus"


@pytest.mark.skipif(not CORPUS.is_dir(), reason="it has the other languages")
async def test_a_file_may_hold_several_languages(engine: ShortWindowEngine) -> None:
    pause = np.zeros(SAMPLE_RATE_HZ, np.int16)
    german, mandarin = (
        load_audio(CORPUS / name) for name in ("picovoice-de.flac", "aishell-W0121.flac")
    )
    pcm = np.concatenate([SHORT, pause, german, pause, mandarin, pause, FELLOW.pcm])
    heard = await hear(engine, pcm, Options())
    languages = [each.language for each in heard.transcript.segments]
    assert [language for language, _ in groupby(languages)] == ["en", "de", "zh", "en"]
    assert "Werbung" in heard.transcript.text
    assert "分析" in heard.transcript.text


async def test_detection_can_be_restricted(engine: ShortWindowEngine) -> None:
    heard = await hear(engine, SHORT, Options(languages=("de", "zh")))
    assert heard.transcript.language in ("de", "zh")
    heard = await hear(engine, SHORT, Options(languages=("de", "en")))
    assert heard.transcript.language == "en"
    assert words(heard.transcript.text) == words("The train leaves at noon.")
