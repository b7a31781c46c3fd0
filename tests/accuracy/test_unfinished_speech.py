"""Speech that a request ends in mid-sentence, live with the real model: nothing is added to it."""

import numpy as np
import pytest

from auricle.engines.base import EngineSettings
from auricle.engines.whisper.short_window import load
from auricle.values.commands import Stop, StreamParameters
from auricle.values.types import Job, JobKind, Transcript
from tests.support.clips import CLIPS, words
from tests.support.model import bundled_model
from tests.support.opus import encode_packets
from tests.support.session import Rig

pytestmark = pytest.mark.model

FELLOW = CLIPS["fellow.wav"]
SAID = words(FELLOW.text)


def test_a_final_of_speech_that_is_cut_ends_where_the_speech_did() -> None:
    engine = load(EngineSettings(str(bundled_model()), "cpu", "default", 1))
    decoded: list[str] = []

    def answer(job: Job) -> Transcript:
        if job.kind is JobKind.PARTIAL:
            return Transcript("", "en", 1.0, job.pcm.size)
        (result,) = engine.transcribe([job])
        assert isinstance(result, Transcript)
        decoded.append(result.text)
        return result

    finals = []
    for cut_s in (4.53, 4.87, 5.04):
        parameters = StreamParameters(seq=True, language="en")
        rig = Rig(parameters=parameters, answer_with=answer)
        rig.speak(encode_packets(np.array(FELLOW.pcm[: int(cut_s * 16_000)])))
        rig.command(Stop())
        (final,) = rig.finals
        finals.append(final.text)
    assert any(whole != text for whole, text in zip(decoded, finals, strict=True))
    for text in finals:
        assert words(text) == SAID[: len(words(text))]
        assert len(words(text)) >= 16
