"""The README's own recording with the real model, live and as a file: word for word."""

import numpy as np
import pytest

from auricle.audio.opus import find_libopus
from auricle.audio.opus_encoder import OpusPacketEncoder
from auricle.client.kept_audio import FRAME_MS
from auricle.engines.base import EngineSettings
from auricle.engines.whisper.short_window import ShortWindowEngine, load
from auricle.values.commands import Stop
from auricle.values.types import SAMPLE_RATE_HZ, Job, JobId, JobKind, Options, Pcm16, Transcript
from bench.lib.speech import load_audio
from tests.accuracy.test_files import hear
from tests.support.clips import CLIPS, words
from tests.support.model import bundled_model
from tests.support.session import Rig

pytestmark = [pytest.mark.model, pytest.mark.slow]

STORY = CLIPS["story.ogg"]
SOUND = load_audio(STORY.path)
FRAME = SAMPLE_RATE_HZ * FRAME_MS // 1000


@pytest.fixture(scope="module")
def engine() -> ShortWindowEngine:
    return load(EngineSettings(str(bundled_model()), "cpu", "default", 1))


def heard_live(engine: ShortWindowEngine) -> Rig:
    """Return a session that was sent the story as our client sends it."""

    def answer(job: Job) -> Transcript:
        if job.kind is JobKind.PARTIAL:
            return Transcript("", "en", 1.0, job.pcm.size)
        (result,) = engine.transcribe([job])
        assert isinstance(result, Transcript)
        return result

    encoder = OpusPacketEncoder(find_libopus(), frame_ms=FRAME_MS)
    rig = Rig(answer_with=answer)
    pcm = np.pad(SOUND, (0, -SOUND.size % FRAME))
    rig.speak([encoder.encode(frame) for frame in pcm.reshape(-1, FRAME)])
    rig.command(Stop())
    return rig


async def test_the_story_is_transcribed_word_for_word_live_and_as_a_file(
    engine: ShortWindowEngine,
) -> None:
    live = " ".join(final.text for final in heard_live(engine).finals)
    file = (await hear(engine, SOUND, Options(language="en"))).transcript.text
    assert words(live) == words(file) == words(STORY.text)


def test_audio_of_our_client_is_transcribed_wherever_it_is_cut(engine: ShortWindowEngine) -> None:
    """At 24 kbit/s most of these were "I knack for everyone in the village"."""
    rig = heard_live(engine)
    job, final = [job for job in rig.jobs if job.kind is not JobKind.PARTIAL][-1], rig.finals[-1]
    own = job.pcm[final.start_sample - final.end_sample :]  # without the speech before it
    for late in (0, 80, 160, 320, 640, 1600, 3200):
        pcm: Pcm16 = own[late:]
        (result,) = engine.transcribe([Job(JobId("a"), pcm, Options(language="en"))])
        assert isinstance(result, Transcript)
        assert words(result.text) == words("By nightfall everyone in the village knew the story.")
