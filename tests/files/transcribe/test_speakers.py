"""Speakers of a file: embedded beside the recognition, assigned to words and segments."""

import asyncio
from dataclasses import replace

import anyio
import numpy as np
import pytest

from auricle.files.transcribe import FileRequest, chunk_semaphore, transcribe_file
from auricle.values.errors import PoisonJob
from auricle.values.speakers import SpeakerRequest
from auricle.values.transcriber import Progress
from auricle.values.types import (
    Chunk,
    Job,
    JobId,
    Options,
    Segment,
    SpeakerOptions,
    Transcript,
    Word,
)
from auricle.workers.kinds.speakers.local import LocalSpeakers
from tests.files.transcribe.helpers import ENGLISH, SECOND, SOURCE, run
from tests.support.decoder import FakeDecoder
from tests.support.embedder import LOUDNESS, FakeEmbedder
from tests.support.poll import poll_until
from tests.support.transcriber import FakeTranscriber, heard

pytestmark = pytest.mark.unit


def dialogue() -> list[Progress]:
    """Return a file of two chunks: voices 1 and 2 in the first, and voice 1 in the second."""
    both = np.repeat(np.array([1, 2], np.int16) * LOUDNESS, 6 * SECOND)
    alone = np.full(6 * SECOND, LOUDNESS, np.int16)
    chunks = [
        Chunk(0, both, ((0, 12 * SECOND),)),
        Chunk(14 * SECOND, alone, ((14 * SECOND, 20 * SECOND),)),
    ]
    ends = [(chunk.start_sample + chunk.pcm.size, chunk) for chunk in chunks]
    return [
        *(Progress(end / (20 * SECOND), end, chunk) for end, chunk in ends),
        Progress(1.0, 20 * SECOND, done=True),
    ]


def word_each_second(job: Job) -> Transcript:
    words = tuple(
        Word(at * SECOND, (at + 1) * SECOND, f" w{at}", 1.0) for at in range(job.pcm.size // SECOND)
    )
    text = "".join(word.text for word in words)
    return heard(text.strip(), job, segments=(Segment(0, job.pcm.size, text, words),))


def request(embedder: FakeEmbedder, options: Options = ENGLISH) -> FileRequest:
    speakers = SpeakerRequest(LocalSpeakers(embedder, patience_s=0.0), SpeakerOptions(2))
    return FileRequest(SOURCE, "f", options=options, speakers=speakers)


async def test_a_segment_of_two_speakers_is_split_between_their_words() -> None:
    transcriber = FakeTranscriber(answer_with=word_each_second)
    asked = request(FakeEmbedder(), replace(ENGLISH, word_timestamps=True))
    segments = (await run(transcriber, dialogue(), asked)).transcript.segments
    assert [segment.speaker for segment in segments] == [0, 1, 0]
    for segment in segments:
        assert {word.speaker for word in segment.words or ()} == {segment.speaker}
    assert " ".join(segment.text for segment in segments).split()[:12] == [
        f"w{at}" for at in range(12)
    ]


async def test_words_are_requested_for_speakers_and_left_out_of_the_result() -> None:
    transcriber = FakeTranscriber(answer_with=word_each_second)
    asked = request(FakeEmbedder(), replace(ENGLISH, sentence_times=False))
    result = await run(transcriber, dialogue(), asked)
    assert all(job.options.word_timestamps for job in transcriber.jobs)
    assert [segment.words for segment in result.transcript.segments] == [None] * 3


async def test_text_does_not_depend_on_speakers() -> None:
    plain = replace(request(FakeEmbedder()), speakers=None)
    texts = [
        (await run(FakeTranscriber(answer_with=word_each_second), dialogue(), each)).transcript.text
        for each in (plain, request(FakeEmbedder()), request(FakeEmbedder(refusals=100)))
    ]
    assert len(set(texts)) == 1


async def test_a_chunk_that_is_not_recognised_leaves_a_gap_and_the_speakers_of_the_rest() -> None:
    def answer(job: Job) -> Transcript:
        if job.id == "f:0":
            raise PoisonJob
        return word_each_second(job)

    result = await run(FakeTranscriber(answer_with=answer), dialogue(), request(FakeEmbedder()))
    assert [gap.code for gap in result.gaps] == ["poison_job"]
    assert [segment.speaker for segment in result.transcript.segments] == [0]


async def test_a_cancelled_file_cancels_its_embedding() -> None:
    embedder, transcriber = FakeEmbedder(refusals=10**9), FakeTranscriber()
    patient = SpeakerRequest(LocalSpeakers(embedder), SpeakerOptions())
    asked = replace(request(embedder), speakers=patient)
    before = asyncio.all_tasks()
    async with anyio.create_task_group() as group:
        group.start_soon(run, transcriber, dialogue(), asked)
        await poll_until(lambda: bool(embedder.jobs))
        group.cancel_scope.cancel()
    assert asyncio.all_tasks() == before  # nobody is left who would try again


class Kept:
    """Keeps the results of chunks by their position."""

    def __init__(self) -> None:
        self.results: dict[JobId, Transcript] = {}

    def find(self, job: Job) -> Transcript | None:
        return self.results.get(job.id)

    async def store(self, job: Job, transcript: Transcript) -> None:
        self.results[job.id] = transcript


async def test_an_interrupted_file_embeds_again_and_has_the_same_speakers() -> None:
    kept, results = Kept(), []
    for embedder in (FakeEmbedder(), FakeEmbedder()):
        transcriber = FakeTranscriber(answer_with=word_each_second)
        results.append(
            await transcribe_file(
                transcriber,
                FakeDecoder(dialogue()),
                request(embedder),
                chunk_slots=chunk_semaphore(2, 8),
                finished=kept,
            )
        )
        assert len(embedder.jobs) == 2
    assert transcriber.jobs == []
    first, again = (result.transcript for result in results)
    assert (first.segments, first.speakers) == (again.segments, again.speakers)
