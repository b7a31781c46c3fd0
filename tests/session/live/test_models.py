"""The model of a session: at its start, and after a change."""

from dataclasses import replace

import pytest

from auricle.engines.moonshine.spec import SPEC as MOONSHINE
from auricle.engines.whisper.spec import SPEC as WHISPER
from auricle.values.commands import Configure, StreamParameters
from auricle.values.errors import BadRequest, ModelNotFound
from auricle.values.events import Ready, Wire
from auricle.values.types import SAMPLE_RATE_HZ, JobKind
from tests.session.live.helpers import PAIR_AND_SILENCE
from tests.support.models import models_of
from tests.support.session import Rig, spoken

pytestmark = pytest.mark.unit

MODELS = replace(models_of(WHISPER, tiny=MOONSHINE), products=frozenset({"whisper-1"}))


def rig_of(**parameters: object) -> Rig:
    fields: dict[str, object] = {"format": Wire.PCM16, "language": "en", **parameters}
    return Rig(
        parameters=StreamParameters(**fields),  # type: ignore[arg-type]  # fields by name
        answer_with=lambda job: spoken("Good morning.", job),
        models=MODELS,
    )


def models_used(rig: Rig) -> set[str]:
    return {job.options.model for job in rig.jobs}


def test_a_session_says_which_model_it_has() -> None:
    for requested, name in (("", "scripted"), ("TINY", "tiny"), ("whisper-1", "scripted")):
        rig = rig_of(model=requested)
        (ready,) = rig.of(Ready)
        assert ready.model == rig.session.model == name
        rig.speak_pcm(PAIR_AND_SILENCE)
        assert models_used(rig) == {name}


def test_a_model_that_is_not_there_makes_no_session() -> None:
    with pytest.raises(ModelNotFound, match="scripted, tiny"):
        rig_of(model="large-v3")
    with pytest.raises(BadRequest, match="Moonshine does not support this language"):
        rig_of(model="tiny", language="fr")


def test_another_model_transcribes_from_the_next_utterance_on() -> None:
    rig = rig_of(word_timestamps=True)
    rig.speak_pcm(PAIR_AND_SILENCE[: 2 * SAMPLE_RATE_HZ])
    rig.command(Configure(model="tiny"))
    rig.speak_pcm(PAIR_AND_SILENCE[2 * SAMPLE_RATE_HZ :])
    finals = [job for job in rig.jobs if job.kind is not JobKind.PARTIAL]
    first, *others = finals
    assert (first.options.model, first.options.word_timestamps) == ("scripted", True)
    assert {job.options.model for job in others} == {"tiny"}
    assert not any(job.options.word_timestamps for job in others)  # it has no word times
    rig.command(Configure(model="scripted"))
    rig.jobs.clear()
    rig.speak_pcm(PAIR_AND_SILENCE)
    assert models_used(rig) == {"scripted"}
    assert all(job.options.word_timestamps for job in rig.jobs)  # as requested at the start


def test_a_change_that_is_refused_changes_nothing() -> None:
    rig = rig_of(language="fr")
    for change in (Configure(model="large-v3"), Configure(model="tiny")):
        with pytest.raises(BadRequest):
            rig.command(change)
    rig.speak_pcm(PAIR_AND_SILENCE)
    assert models_used(rig) == {"scripted"}
    rig.command(Configure(model="tiny", language="en"))
    rig.jobs.clear()
    rig.speak_pcm(PAIR_AND_SILENCE)
    assert {(job.options.model, job.options.language) for job in rig.jobs} == {("tiny", "en")}


def test_utterances_fit_the_engine_of_the_chosen_model() -> None:
    short = replace(MOONSHINE, max_audio_s=3.0)
    for at_start in (True, False):
        parameters = StreamParameters(
            format=Wire.PCM16, language="en", model="short" if at_start else ""
        )
        rig = Rig(parameters=parameters, models=models_of(WHISPER, short=short))
        if not at_start:
            rig.command(Configure(model="short"))
        rig.speak_pcm(PAIR_AND_SILENCE)
        assert rig.jobs
        assert max(job.pcm.size for job in rig.jobs) <= 3 * SAMPLE_RATE_HZ
