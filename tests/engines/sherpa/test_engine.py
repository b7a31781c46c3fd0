"""The engine over a scripted model."""

from collections.abc import Sequence

import numpy as np
import pytest

from auricle.engines.sherpa.engine import SherpaEngine, transcript_of
from auricle.engines.sherpa.words import Hypothesis
from auricle.values.types import SAMPLE_RATE_HZ, Job, JobId, Options, Transcript

pytestmark = pytest.mark.unit

SPEECH = np.tile(np.array([500, -500], np.int16), SAMPLE_RATE_HZ)
SILENCE = np.zeros(SAMPLE_RATE_HZ, np.int16)


class ScriptedModel:
    """Answers each job with the next hypothesis, and counts the jobs of each call."""

    def __init__(self, *hypotheses: Hypothesis) -> None:
        self.hypotheses = list(hypotheses)
        self.calls: list[int] = []

    def decode(self, jobs: Sequence[Job]) -> list[Hypothesis]:
        self.calls.append(len(jobs))
        return [self.hypotheses.pop(0) for _ in jobs]


def transcribe(
    model: ScriptedModel, *pcms: np.ndarray, may_repeat: bool = False
) -> list[Transcript]:
    engine = SherpaEngine(model, {"en"}, may_repeat=may_repeat)
    results = engine.transcribe([Job(JobId("a"), pcm.copy()) for pcm in pcms])
    return [result for result in results if isinstance(result, Transcript)]


def test_jobs_are_decoded_together_without_the_silent_ones() -> None:
    model = ScriptedModel(Hypothesis("one"), Hypothesis("two"))
    results = transcribe(model, SPEECH, SILENCE, SPEECH)
    assert [result.text for result in results] == ["one", "", "two"]
    assert [result.duration_samples for result in results] == [
        SPEECH.size,
        SILENCE.size,
        SPEECH.size,
    ]
    assert model.calls == [2]


def test_silence_alone_is_not_decoded() -> None:
    model = ScriptedModel()
    assert transcribe(model, SILENCE)[0].segments == ()
    assert model.calls == []


def test_text_without_letters_is_dropped() -> None:
    assert transcribe(ScriptedModel(Hypothesis("♪ ♪.")), SPEECH)[0].text == ""


@pytest.mark.parametrize("tokens", [(" one", *(" two", " three") * 12), ()])
def test_a_phrase_that_repeats_is_kept_once_if_the_model_writes_freely(
    tokens: tuple[str, ...],
) -> None:
    endless = Hypothesis("one" + " two three" * 12, tokens)
    assert transcribe(ScriptedModel(endless), SPEECH, may_repeat=True)[0].text == "one two three"
    assert len(transcribe(ScriptedModel(endless), SPEECH)[0].text) > 100


@pytest.mark.parametrize(
    ("requested", "found", "known", "expected"),
    [
        ("de", "en", {"de", "en"}, "de"),
        (None, "en", {"de", "en"}, "en"),
        (None, "", {"de"}, "de"),
        (None, "", {"de", "en"}, None),
    ],
)
def test_the_language(
    requested: str | None, found: str, known: set[str], expected: str | None
) -> None:
    hypothesis = Hypothesis("one", language=found)
    assert transcript_of(hypothesis, Options(requested), 10, known).language == expected
