"""The engine over a scripted decoder."""

from collections.abc import Sequence

import numpy as np
import pytest

from auricle.engines.moonshine.engine import MoonshineEngine
from auricle.engines.moonshine.guard import Hypothesis, max_tokens
from auricle.engines.moonshine.vocabulary import Vocabulary
from auricle.values.types import SAMPLE_RATE_HZ, Job, JobId, Options, Pcm16, Transcript

pytestmark = pytest.mark.unit

WORDS = [f"▁{word}".encode() for word in ("one", "two", "three", "♪")]
TOKENS = (b"<unk>", b"<s>", b"</s>", *WORDS)
VOCABULARY = Vocabulary(b"".join(bytes([len(token)]) + token for token in TOKENS))
ONE, TWO, THREE, NOTE = range(3, 7)
SPEECH = np.tile(np.array([500, -500], np.int16), 2 * SAMPLE_RATE_HZ)
GOOD = Hypothesis((ONE, TWO), -0.5, is_complete=True)
ENDLESS = Hypothesis((ONE, *(TWO, THREE) * 12), -0.1, is_complete=False)


class ScriptedDecoder:
    """Answers with the given hypotheses in order, and remembers what it was asked for."""

    def __init__(self, *answers: Hypothesis) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[int, tuple[int, ...], int]] = []

    def decode(self, pcm: Pcm16, prefix: Sequence[int], max_tokens: int) -> Hypothesis:
        self.calls.append((pcm.size, tuple(prefix), max_tokens))
        return self.answers.pop(0)


def transcribe(decoder: ScriptedDecoder, pcm: Pcm16 = SPEECH, **options: object) -> Transcript:
    job = Job(JobId("a"), pcm.copy(), Options(**options))  # type: ignore[arg-type]
    (result,) = MoonshineEngine(decoder, VOCABULARY).transcribe([job])
    assert isinstance(result, Transcript)
    assert not decoder.answers
    return result


def test_a_job_becomes_one_segment_without_words() -> None:
    result = transcribe(ScriptedDecoder(GOOD))
    (segment,) = result.segments
    assert (result.text, result.language, result.duration_samples) == ("one two", "en", SPEECH.size)
    assert (segment.start_sample, segment.end_sample) == (0, SPEECH.size)
    assert (segment.text, segment.words, segment.avg_logprob) == (" one two", None, -0.5)


def test_jobs_are_decoded_alone_and_in_order() -> None:
    decoder = ScriptedDecoder(GOOD, Hypothesis((THREE,), -0.1, is_complete=True))
    jobs = [Job(JobId(each), SPEECH.copy()) for each in "ab"]
    results = MoonshineEngine(decoder, VOCABULARY).transcribe(jobs)
    assert [getattr(result, "text", "") for result in results] == ["one two", "three"]


def test_digital_silence_is_not_decoded() -> None:
    result = transcribe(ScriptedDecoder(), np.zeros(SAMPLE_RATE_HZ, np.int16))
    assert (result.text, result.segments) == ("", ())


def test_notes_written_for_hum_are_dropped() -> None:
    result = transcribe(ScriptedDecoder(Hypothesis((NOTE, NOTE), -0.2, is_complete=True)))
    assert (result.text, result.segments) == ("", ())


def test_a_prefix_is_given_to_the_model_without_special_and_unknown_tokens() -> None:
    decoder = ScriptedDecoder(GOOD)
    transcribe(decoder, prefix_tokens=(1, ONE, 2, TWO, 99, -5))
    assert decoder.calls == [(SPEECH.size, (ONE, TWO), max_tokens(SPEECH.size))]


def test_a_prefix_leaves_room_for_a_token() -> None:
    decoder = ScriptedDecoder(GOOD)
    transcribe(decoder, prefix_tokens=(ONE,) * 500)
    ((_, prefix, limit),) = decoder.calls
    assert len(prefix) == limit - 1


def test_a_doubtful_text_is_decoded_again_without_its_prefix() -> None:
    decoder = ScriptedDecoder(ENDLESS, GOOD)
    assert transcribe(decoder, prefix_tokens=(ONE,)).text == "one two"
    assert [prefix for _, prefix, _ in decoder.calls] == [(ONE,), ()]


def test_a_phrase_that_repeats_is_kept_once() -> None:
    assert transcribe(ScriptedDecoder(ENDLESS)).text == "one two three"
    assert transcribe(ScriptedDecoder(ENDLESS), is_partial=True).text == "one two three"


def test_a_text_without_end_that_does_not_repeat_is_kept() -> None:
    cut = Hypothesis((ONE, THREE), -0.4, is_complete=False)
    assert transcribe(ScriptedDecoder(cut)).text == "one three"
