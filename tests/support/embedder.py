"""VoiceEmbedders that tell voices apart by loudness, without any process."""

from dataclasses import dataclass, field

import anyio

from auricle.values.errors import SpeakersUnavailable
from auricle.values.transcriber import Stats
from auricle.values.types import EmbedJob, SpeakerEmbeddings
from tests.support.made_up_voices import embeddings
from tests.support.session import by_loudness

LOUDNESS = 1000
"""Speech whose samples are 1000 is voice 1, 2000 is voice 2; zeros are no voice."""


@dataclass
class FakeEmbedder:
    """Embeds at once; refuses jobs that start at these samples of the file, and the first few."""

    refused_starts: frozenset[int] = frozenset()
    refusals: int = 0
    jobs: list[EmbedJob] = field(default_factory=list)

    def prepare(self) -> None:
        """It is ready."""

    async def embed(self, job: EmbedJob) -> SpeakerEmbeddings:
        self.jobs.append(job)
        await anyio.lowlevel.checkpoint()
        if self.refusals or int(job.id.split(":")[-2]) in self.refused_starts:
            self.refusals = max(0, self.refusals - 1)
            raise SpeakersUnavailable
        voices = {
            (start, end): voice
            for start, end in job.stretches
            if (voice := round(float(job.pcm[start:end].mean()) / LOUDNESS))
        }
        seed = int(job.id.split(":")[-2])
        return SpeakerEmbeddings(tuple(voices), embeddings(list(voices.values()), seed))

    def stats(self) -> Stats:
        return Stats(ready=True)


class TwoVoices:
    """Finds one of two voices in each stretch: a loud or a quiet one."""

    def prepare(self) -> None:
        """It is ready."""

    async def embed(self, job: EmbedJob) -> SpeakerEmbeddings:
        result = by_loudness(job)
        assert isinstance(result, SpeakerEmbeddings)
        return result

    def stats(self) -> Stats:
        return Stats(ready=True)
