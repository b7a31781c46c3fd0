"""Voices of chunks become speakers of a file; what is missing is said."""

from collections import Counter
from itertools import count
from types import SimpleNamespace

import anyio
import numpy as np
import pytest

from auricle.values.types import (
    ANONYMOUS,
    SAMPLE_RATE_HZ,
    Chunk,
    EmbedJob,
    Segment,
    SpeakerEmbeddings,
    SpeakerOptions,
    Transcript,
)
from auricle.workers.kinds.speakers import file_voices as module
from auricle.workers.kinds.speakers.file_voices import FileVoices
from tests.support.embedder import LOUDNESS, FakeEmbedder

pytestmark = pytest.mark.unit

SECOND = SAMPLE_RATE_HZ
CHUNK_S = 6


def chunk(index: int, voice: int) -> Chunk:
    """Return six seconds of a voice, with a pause of a second before the next chunk."""
    start = index * (CHUNK_S + 1) * SECOND
    pcm = np.full(CHUNK_S * SECOND, voice * LOUDNESS, np.int16)
    return Chunk(start, pcm, ((start, start + pcm.size),))


CHUNKS = [chunk(index, voice) for index, voice in enumerate((2, 1, 1, 2))]
TRANSCRIPT = Transcript(
    "",
    "en",
    1.0,
    28 * SECOND,
    tuple(Segment(each.start_sample, each.start_sample + SECOND, "x") for each in CHUNKS),
)
Assigned = tuple[Transcript, tuple[str, ...]]


def voices(
    embedder: FakeEmbedder, patience_s: float = 0.0, max_wait_s: float | None = None
) -> FileVoices:
    options = SpeakerOptions()
    return FileVoices(embedder, "f", ANONYMOUS, max_wait_s, options, patience_s=patience_s)


def speakers(result: Assigned) -> list[int | None]:
    return [segment.speaker for segment in result[0].segments]


async def assigned(found: FileVoices, chunks: list[Chunk]) -> Assigned:
    for each in chunks:
        await found.add(each)
    return found.assign(TRANSCRIPT)


@pytest.mark.parametrize("order", [1, -1], ids=["in order", "reversed"])
async def test_speakers_do_not_depend_on_which_chunk_is_embedded_first(order: int) -> None:
    result = await assigned(voices(FakeEmbedder()), CHUNKS[::order])
    assert speakers(result) == [0, 1, 1, 0]
    assert [speaker.number for speaker in result[0].speakers] == [0, 1]
    assert result[1] == ()


async def test_stretches_are_counted_from_the_start_of_their_chunk() -> None:
    embedder = FakeEmbedder()
    await voices(embedder).add(CHUNKS[3])
    (job,) = embedder.jobs
    assert (job.stretches[0][0], job.stretches[-1][1]) == (0, CHUNK_S * SECOND)


async def test_a_chunk_that_is_not_embedded_has_no_speakers_and_the_others_have() -> None:
    embedder = FakeEmbedder(refused_starts=frozenset({CHUNKS[1].start_sample}))
    result = await assigned(voices(embedder), CHUNKS)
    assert speakers(result) == [0, None, 1, 0]
    assert result[1] == ("No speakers from 7 to 13 s.",)


async def test_a_refused_chunk_is_repeated_and_only_one_is_patient(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments = count()
    clock = SimpleNamespace(monotonic=lambda: next(moments) / 10)
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module, "RETRY_S", 0.001)
    embedder = FakeEmbedder(refusals=1)
    assert speakers(await assigned(voices(embedder, patience_s=60), CHUNKS)) == [0, 1, 1, 0]
    embedder = FakeEmbedder(refusals=1_000)
    await assigned(voices(embedder, patience_s=1), CHUNKS)
    tries = Counter(str(job.id) for job in embedder.jobs)
    assert tries["f:0:voices"] > 1
    assert tries["f:112000:voices"] == 1


async def test_an_embedder_that_does_not_answer_is_not_waited_for_forever() -> None:
    class Silent(FakeEmbedder):
        async def embed(self, job: EmbedJob) -> SpeakerEmbeddings:
            await anyio.sleep_forever()
            raise AssertionError

    result = await assigned(voices(Silent(), max_wait_s=0.05), CHUNKS)
    assert speakers(result) == [None] * 4
    assert len(result[1]) == 1


async def test_a_transcript_without_speakers_says_so() -> None:
    result = await assigned(voices(FakeEmbedder(refusals=100)), CHUNKS)
    assert speakers(result) == [None] * 4
    assert result[0].speakers == ()
    (warning,) = result[1]
    assert "has none" in warning


async def test_stretches_without_a_signal_have_no_voice() -> None:
    found = voices(FakeEmbedder())
    for each in (chunk(0, 0), *CHUNKS[1:]):
        await found.add(each)
    assert len(found.turns().speakers) == 2
    silent = voices(FakeEmbedder())
    await silent.add(chunk(0, 0))
    assert silent.assign(TRANSCRIPT) == (TRANSCRIPT, ())


async def test_silence_has_no_speakers_and_no_warning() -> None:
    assert (await assigned(voices(FakeEmbedder()), [])) == (TRANSCRIPT, ())
