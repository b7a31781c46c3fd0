import numpy as np
import pytest

from auricle.engines.base import Engine
from auricle.values.types import EmbedJob, Job, JobId, SpeakerEmbeddings, Transcript
from bench.speakers.sessions import Session, changes_of
from tests.session.live.helpers import FELLOW
from tests.support.session import by_loudness, silence, spoken

pytestmark = pytest.mark.unit

LOUD = FELLOW[: 7 * 16_000 // 2]
QUIET = (LOUD / 6).astype(np.int16)


class Echo:
    """Says the same about each job."""

    def transcribe(self, jobs: list[Job]) -> list[Transcript]:
        return [spoken("And so my fellow.", job) for job in jobs]


class Loudness:
    """Finds a loud and a quiet voice."""

    def embed(self, pcm: np.ndarray, stretches: tuple[tuple[int, int], ...]) -> np.ndarray:
        found = by_loudness(EmbedJob(JobId("a:1:v1"), pcm, stretches))
        assert isinstance(found, SpeakerEmbeddings)
        return found.vectors


def test_a_session_sends_the_finals_of_a_conversation_with_their_speakers() -> None:
    engine: Engine = Echo()  # type: ignore[assignment]  # it has no model
    session = Session(engine, Loudness())  # type: ignore[arg-type]  # nor this
    live = session.play(np.concatenate([LOUD, silence(1), QUIET, silence(1)]))
    assert [final.speaker for final in live.sent] == [0, 1]
    assert [final.text for final in live.sent] == ["And so my fellow."] * 2
    assert live.revised == live.sent
    assert changes_of(live.sent) == 0
