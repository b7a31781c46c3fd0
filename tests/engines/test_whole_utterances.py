"""An engine without streams that serves partials."""

from collections.abc import Sequence

import numpy as np
import pytest

from auricle.engines.whole_utterances import WholeUtterances
from auricle.values.errors import AudioError
from auricle.values.types import Job, Options, Pcm16, Transcript
from tests.support.scripted_engine import ScriptedEngine, answer

pytestmark = pytest.mark.unit


class CountingEngine(ScriptedEngine):
    """Remembers its batches."""

    def __init__(self) -> None:
        super().__init__("scripted")
        self.batches: list[tuple[set[str | None], int]] = []

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | AudioError]:
        self.batches.append(({job.options.language for job in jobs}, len(jobs)))
        return super().transcribe(jobs)


def samples(first: int, count: int) -> Pcm16:
    return np.arange(first, first + count).astype(np.int16)


def test_each_result_covers_the_whole_utterance() -> None:
    streams = WholeUtterances(ScriptedEngine("scripted"))
    streams.warm_up()
    streams.open("a", Options())
    for first in (0, 800):
        streams.feed("a", samples(first, 800))
        (result,) = streams.results(["a"])
        assert isinstance(result, Transcript)
        assert result.text == answer(samples(0, first + 800))


def test_streams_with_equal_options_are_one_batch() -> None:
    engine = CountingEngine()
    streams = WholeUtterances(engine)
    for name, language in (("a", "en"), ("b", "de"), ("c", "en")):
        streams.open(name, Options(language=language))
        streams.feed(name, samples(0, 800 + ord(name)))
    results = streams.results(["c", "b", "a"])
    assert engine.batches == [({"en"}, 2), ({"de"}, 1)]
    texts = [result.text for result in results if isinstance(result, Transcript)]
    assert texts == [answer(samples(0, 800 + ord(name))) for name in "cba"]


def test_a_closed_stream_may_be_opened_again() -> None:
    streams = WholeUtterances(ScriptedEngine("scripted"))
    for size in (800, 400):
        streams.open("a", Options())
        streams.feed("a", samples(0, size))
        (result,) = streams.results(["a"])
        assert isinstance(result, Transcript)
        assert result.duration_samples == size
        streams.close("a")
