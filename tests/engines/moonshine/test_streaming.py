"""Moonshine's streams over a scripted decoder, and the real model on growing audio."""

from collections.abc import Iterator, Sequence
from math import log
from pathlib import Path

import numpy as np
import pytest

from auricle.engines.base import EngineSettings, StreamingRecognizer
from auricle.engines.moonshine.guard import Hypothesis, max_tokens
from auricle.engines.moonshine.model_files import VOCABULARY as VOCABULARY_FILE
from auricle.engines.moonshine.model_files import check_file
from auricle.engines.moonshine.onnx_model import MoonshineModel
from auricle.engines.moonshine.spec import load_streaming
from auricle.engines.moonshine.streaming import EDGE_SAMPLES, SURE_PROBABILITY, MoonshineStreams
from auricle.engines.moonshine.vocabulary import Vocabulary
from auricle.values.types import SAMPLE_RATE_HZ, Options, Pcm16, Transcript, Word
from tests.support.clips import CLIPS, words
from tests.support.moonshine import moonshine_directory

HALF = EDGE_SAMPLES
TOKENS = (b"<unk>", b"<s>", b"</s>", *(f"▁{word}".encode() for word in ("one", "two")), b"s", b".")
VOCABULARY = Vocabulary(b"".join(bytes([len(token)]) + token for token in TOKENS))
ONE, TWO, PLURAL, STOP = range(3, 7)
SPEECH = np.tile(np.array([500, -500], np.int16), 5 * SAMPLE_RATE_HZ)


class ScriptedDecoder:
    """Answers with these tokens in order, and remembers the prefix and draft of each call."""

    def __init__(self, *answers: Sequence[int]) -> None:
        self.answers = list(answers)
        self.probabilities: dict[int, float] = {}
        self.calls: list[tuple[int, tuple[int, ...], tuple[int, ...]]] = []

    def decode(
        self, pcm: Pcm16, prefix: Sequence[int], max_tokens: int, draft: Sequence[int] = ()
    ) -> Hypothesis:
        self.calls.append((pcm.size, tuple(prefix), tuple(draft)))
        tokens = tuple(self.answers.pop(0))
        logprobs = tuple(log(self.probabilities.get(token, 1.0)) for token in tokens[len(prefix) :])
        return Hypothesis(tokens, -0.5, is_complete=True, logprobs=logprobs)


def follow(decoder: ScriptedDecoder, pcm: Pcm16 = SPEECH) -> Iterator[Transcript]:
    """Yield the result after each further half second."""
    streams = MoonshineStreams(decoder, VOCABULARY)
    streams.open("a", Options())
    for first in range(0, len(decoder.answers) * HALF, HALF):
        streams.feed("a", pcm[first : first + HALF])
        (result,) = streams.results(["a"])
        assert isinstance(result, Transcript)
        yield result


def words_of(result: Transcript) -> tuple[Word, ...]:
    return tuple(word for segment in result.segments for word in segment.words or ())


@pytest.mark.unit
def test_settled_words_are_the_prefix_and_later_ones_the_draft() -> None:
    decoder = ScriptedDecoder([ONE], [ONE, TWO], [ONE, TWO, ONE], [ONE, TWO, ONE])
    assert [result.text for result in follow(decoder)] == ["one", "one", "one two", "one two one"]
    assert [call[1:] for call in decoder.calls] == [
        ((), ()),
        ((), (ONE,)),  # the last word may be incomplete
        ((ONE,), (TWO,)),
        ((ONE, TWO), (ONE,)),
    ]
    assert [call[0] for call in decoder.calls] == [HALF, 2 * HALF, 3 * HALF, 4 * HALF]


@pytest.mark.unit
def test_a_new_last_word_is_held_back_unless_it_is_the_only_one() -> None:
    decoder = ScriptedDecoder([ONE], [ONE, TWO], [ONE, TWO, PLURAL], [ONE, TWO, PLURAL])
    texts = [result.text for result in follow(decoder)]
    assert texts == ["one", "one", "one twos", "one twos"]


@pytest.mark.unit
def test_words_end_where_they_were_found_and_the_last_one_with_the_audio() -> None:
    decoder = ScriptedDecoder([ONE], [ONE, TWO, STOP], [ONE, TWO, STOP])
    *_, last = follow(decoder)
    assert words_of(last) == (
        Word(0, HALF, " one", 1.0),
        Word(HALF, 3 * HALF, " two.", 1.0),
    )


@pytest.mark.unit
def test_words_from_the_first_improbable_one_on_are_not_stable() -> None:
    decoder = ScriptedDecoder([ONE, TWO, STOP], [ONE, TWO, STOP, ONE, ONE])
    decoder.probabilities = {TWO: 0.9, STOP: SURE_PROBABILITY - 0.01}
    *_, last = follow(decoder)
    assert [(word.end_sample, word.probability) for word in words_of(last)] == [
        (HALF, 1.0),
        (2 * HALF, pytest.approx(SURE_PROBABILITY - 0.01)),
        (2 * HALF, 1.0),
    ]


@pytest.mark.unit
def test_a_changed_word_is_new() -> None:
    decoder = ScriptedDecoder([ONE, ONE], [ONE, TWO, ONE], [ONE, TWO, ONE, ONE])
    *_, last = follow(decoder)
    assert [word.end_sample for word in words_of(last)] == [HALF, 2 * HALF, 2 * HALF]


@pytest.mark.unit
def test_of_an_endless_text_settled_words_are_kept() -> None:
    decoder = ScriptedDecoder([ONE, TWO], [ONE, TWO], [ONE, TWO, *[ONE, TWO] * 12], [ONE, TWO, TWO])
    texts = [result.text for result in follow(decoder)]
    assert texts == ["one", "one two", "one", "one two"]


@pytest.mark.unit
def test_silence_is_not_decoded() -> None:
    decoder = ScriptedDecoder()
    streams = MoonshineStreams(decoder, VOCABULARY)
    streams.open("a", Options())
    streams.feed("a", np.zeros(HALF, np.int16))
    (result,) = streams.results(["a"])
    assert isinstance(result, Transcript)
    assert (result.text, decoder.calls) == ("", [])


@pytest.mark.unit
def test_streams_are_independent_and_closed_ones_are_forgotten() -> None:
    decoder = ScriptedDecoder([ONE], [TWO], [TWO])
    streams = MoonshineStreams(decoder, VOCABULARY)
    for name in "ab":
        streams.open(name, Options())
        streams.feed(name, SPEECH[:HALF])
    results = streams.results(["a", "b"])
    assert [each.text for each in results if isinstance(each, Transcript)] == ["one", "two"]
    streams.close("a")
    streams.open("a", Options())
    streams.feed("a", SPEECH[:HALF])
    streams.results(["a"])
    assert decoder.calls[-1] == (HALF, (), ())


@pytest.fixture(scope="module")
def directory() -> Path:
    return moonshine_directory()


@pytest.mark.model
def test_growing_speech_becomes_its_text(directory: Path) -> None:
    streams: StreamingRecognizer
    streams = load_streaming(EngineSettings(str(directory), "cpu", "default", 1))
    streams.warm_up()
    clip, step, shown = CLIPS["fellow.wav"], SAMPLE_RATE_HZ, []
    streams.open("a", Options(language="en"))
    for first in range(0, clip.pcm.size, step):
        streams.feed("a", clip.pcm[first : first + step])
        (result,) = streams.results(["a"])
        assert isinstance(result, Transcript)
        shown.append(words(result.text))
        times = [time for word in words_of(result) for time in (word.start_sample, word.end_sample)]
        assert times == sorted(times)
        assert not times or times[-1] <= result.duration_samples
    assert [len(text) for text in shown] == sorted(len(text) for text in shown)
    assert shown[-1] == words(clip.text)[: len(shown[-1])]
    assert len(shown[-1]) >= len(words(clip.text)) - 1


@pytest.mark.model
@pytest.mark.parametrize("is_right", [True, False])
def test_the_model_confirms_or_corrects_a_draft(directory: Path, is_right: bool) -> None:
    model = MoonshineModel(directory, 1)
    vocabulary = Vocabulary(check_file(directory, VOCABULARY_FILE).read_bytes())
    pcm = CLIPS["fellow.wav"].pcm
    before = pcm if is_right else pcm[: pcm.size * 2 // 3]
    draft = model.decode(before, (), max_tokens(before.size)).tokens
    drafted = model.decode(pcm, (), max_tokens(pcm.size), draft)
    assert words(vocabulary.text_of(drafted.tokens)) == words(CLIPS["fellow.wav"].text)
    assert drafted.is_complete
    assert -1.0 < drafted.avg_logprob < 0.0
