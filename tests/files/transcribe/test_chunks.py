"""Chunks of a file: jobs, order, times and limits."""

from dataclasses import replace

import anyio
import pytest

from auricle.files.transcribe import FileProgress, FileRequest, chunk_semaphore, transcribe_file
from auricle.values.errors import (
    AudioError,
    AuricleError,
    DeadlineExceeded,
    Draining,
    Overloaded,
    PoisonJob,
)
from auricle.values.text_filters import redaction
from auricle.values.transcriber import Progress
from auricle.values.types import (
    ANONYMOUS,
    Chunk,
    Job,
    JobKind,
    Options,
    Redact,
    ReservationRequest,
    Segment,
    Transcript,
    Word,
)
from tests.files.transcribe.helpers import (
    ENGLISH,
    REQUEST,
    SECOND,
    SOURCE,
    replies,
    run,
    text_of_length,
)
from tests.support.decoder import FakeDecoder, file_of, speech
from tests.support.transcriber import FakeTranscriber, heard

pytestmark = pytest.mark.unit


async def test_a_short_file_is_one_file_job() -> None:
    transcriber = FakeTranscriber()
    result = await run(transcriber, file_of(5))
    assert result.transcript.text == "hello"
    assert result.transcript.duration_samples == 6 * SECOND
    assert [(job.kind, job.max_wait_s) for job in transcriber.jobs] == [(JobKind.FILE, None)]


@pytest.mark.parametrize("lengths_s", [(5,), (5, 6), (20, 20)])
async def test_files_of_all_lengths_are_recognised_in_the_same_way(
    lengths_s: tuple[float, ...],
) -> None:
    transcriber = FakeTranscriber()
    await run(transcriber, file_of(*lengths_s), FileRequest(SOURCE, "f", options=ENGLISH))
    options = Options(language="en", is_chunk=True, word_timestamps=True)
    assert [job.options for job in transcriber.jobs] == [options] * len(lengths_s)
    assert [job.audio_s for job in transcriber.jobs] == list(lengths_s)


async def test_words_bound_the_segments_and_are_reported_only_if_they_were_asked_for() -> None:
    voiced = ((8_000, 48_000),)
    script = [
        Progress(0.5, 64_000, Chunk(4_000, speech(3), voiced)),
        Progress(1, 64_000, done=True),
    ]
    segment = Segment(0, 48_000, " hi", words=(Word(0, 48_000, " hi", 0.9),))
    for asked in (False, True):
        transcriber = replies(heard("hi", segments=(segment,)))
        options = Options(language="en", word_timestamps=asked)
        result = await run(transcriber, script, FileRequest(SOURCE, "f", options=options))
        (found,) = result.transcript.segments
        assert (found.start_sample, found.end_sample, found.text) == (8_000, 48_000, "hi")
        assert found.words == ((Word(8_000, 48_000, " hi", 0.9),) if asked else None)
    transcriber = FakeTranscriber()
    options = Options(language="en", sentence_times=False)
    await run(transcriber, script, FileRequest(SOURCE, "f", options=options))
    assert not transcriber.jobs[0].options.word_timestamps  # who wants no times pays for none


async def test_all_chunks_of_a_short_file_with_a_waiting_client_are_finals() -> None:
    transcriber = FakeTranscriber(script=[text_of_length] * 3)
    request = FileRequest(SOURCE, "f", is_urgent=True, max_wait_s=7, reservation="r1")
    result = await run(transcriber, file_of(4, 5, 6), request)
    assert result.transcript.text == "4s 5s 6s"
    assert {(job.kind, job.max_wait_s) for job in transcriber.jobs} == {(JobKind.FINAL, 7)}


async def test_finals_of_a_short_file_do_not_wait_for_slots_full_of_files() -> None:
    transcriber, chunk_slots = FakeTranscriber(), chunk_semaphore(1, 8)
    for _ in range(chunk_slots.width):
        await chunk_slots.enter(ANONYMOUS)
    request = FileRequest(SOURCE, "f", options=ENGLISH, is_urgent=True)
    with anyio.fail_after(60):
        await transcribe_file(
            transcriber, FakeDecoder(file_of(4, 5)), request, chunk_slots=chunk_slots
        )
    assert [job.kind for job in transcriber.jobs] == [JobKind.FINAL] * 2
    assert chunk_slots.held == chunk_slots.width


async def test_a_short_file_with_a_waiting_client_is_a_final_with_its_deadline_and_room() -> None:
    transcriber = FakeTranscriber()
    request = FileRequest(SOURCE, "f", is_urgent=True, max_wait_s=7, reservation="r1")
    await run(transcriber, file_of(5), request)
    job = transcriber.jobs[0]
    assert (job.kind, job.max_wait_s, job.reservation) == (JobKind.FINAL, 7, "r1")


async def test_a_refused_final_without_room_comes_again_as_a_file() -> None:
    transcriber = replies(Overloaded("full", 0))
    request = FileRequest(SOURCE, "f", is_urgent=True)
    result = await run(transcriber, file_of(5), request)
    assert result.transcript.text == "hello"
    assert [job.kind for job in transcriber.jobs] == [JobKind.FINAL, JobKind.FILE]


@pytest.mark.parametrize("error", [DeadlineExceeded("late"), PoisonJob("bad"), Draining("bye", 1)])
async def test_other_failures_of_a_final_are_reported(error: AuricleError) -> None:
    request = FileRequest(SOURCE, "f", is_urgent=True, max_wait_s=1)
    with pytest.raises(type(error)):
        await run(replies(error), file_of(5), request)


async def test_chunks_of_a_long_file_are_never_finals() -> None:
    transcriber = FakeTranscriber()
    request = FileRequest(SOURCE, "f", is_urgent=True, max_wait_s=7, reservation="r1")
    await run(transcriber, file_of(20, 20), request)
    assert {(job.kind, job.max_wait_s, job.reservation) for job in transcriber.jobs} == {
        (JobKind.FILE, None, None)
    }


async def test_a_file_that_turns_out_to_be_long_gives_its_room_back_at_once() -> None:
    transcriber = FakeTranscriber()
    room = transcriber.reserve(ReservationRequest(ANONYMOUS, 5))
    request = FileRequest(SOURCE, "f", is_urgent=True, reservation=room)
    transcriber.script = [lambda job: heard(str(len(transcriber.reserved)), job)] * 2
    result = await run(transcriber, file_of(20, 20), request)
    assert result.transcript.text == "0 0"


async def test_the_first_chunk_does_not_wait_for_the_end_of_a_long_silence() -> None:
    transcriber = FakeTranscriber()
    decoder = FakeDecoder([*file_of(5)[:1], Progress(0.5, 31 * SECOND), AudioError("stop here")])
    with pytest.raises(AudioError):
        await transcribe_file(transcriber, decoder, REQUEST, chunk_slots=chunk_semaphore(2, 8))
    assert len(transcriber.jobs) == 1


async def test_results_are_merged_in_order_with_the_times_of_the_file() -> None:
    transcriber = FakeTranscriber(script=[text_of_length] * 3)
    result = await run(transcriber, file_of(20, 4, 10), FileRequest(SOURCE, "f", options=ENGLISH))
    assert result.transcript.text == "20s 4s 10s"
    assert [(s.start_sample, s.end_sample) for s in result.transcript.segments] == [
        (0, 20 * SECOND),
        (21 * SECOND, 25 * SECOND),
        (26 * SECOND, 36 * SECOND),
    ]
    assert result.transcript.duration_samples == 37 * SECOND
    assert [job.id for job in transcriber.jobs] == ["f:0", "f:1", "f:2"]


async def test_word_times_are_shifted_too() -> None:
    word = Word(100, 200, "hi", 0.9)
    words = heard("hi", segments=(Segment(0, 500, "hi", words=(word,)),))
    request = FileRequest(SOURCE, "f", options=Options(word_timestamps=True))
    result = await run(replies(heard("a"), words), file_of(20, 20), request)
    second = result.transcript.segments[1].words
    assert second is not None
    assert (second[0].start_sample, second[0].end_sample) == (21 * SECOND + 100, 21 * SECOND + 200)


async def test_an_answer_that_overtakes_another_keeps_its_place() -> None:
    first_may_end = anyio.Event()

    class Slow(FakeTranscriber):
        async def transcribe(self, job: Job) -> Transcript:
            if job.id == "f:0":
                await first_may_end.wait()
            elif job.id == "f:2":
                first_may_end.set()
            self.jobs.append(job)
            return heard(job.id, job)

    transcriber = Slow()
    result = await run(transcriber, file_of(9, 9, 9), FileRequest(SOURCE, "f", options=ENGLISH))
    assert [job.id for job in transcriber.jobs][-1] == "f:0"
    assert result.transcript.text == "f:0 f:1 f:2"


async def test_no_more_chunks_are_in_flight_than_the_slots_allow_in_all_files_together() -> None:
    transcriber, chunk_slots = FakeTranscriber(gate=anyio.Event()), chunk_semaphore(2, 8)
    request = FileRequest(SOURCE, "f", options=ENGLISH)

    async def work() -> None:
        await transcribe_file(
            transcriber, FakeDecoder(file_of(*[9.0] * 40)), request, chunk_slots=chunk_slots
        )

    async with anyio.create_task_group() as files:
        for _ in range(3):
            files.start_soon(work)
        await anyio.wait_all_tasks_blocked()
        assert transcriber.in_flight == chunk_slots.width
        assert transcriber.gate is not None
        transcriber.gate.set()
    assert len(transcriber.jobs) == 120
    assert transcriber.max_in_flight == chunk_slots.width
    assert chunk_slots.held == 0


@pytest.mark.parametrize(("workers", "tokens"), [(0, 20), (1, 20), (2, 28), (4, 44), (64, 64)])
async def test_the_slots_follow_the_workers_within_bounds(workers: int, tokens: int) -> None:
    assert chunk_semaphore(workers, 8).width == tokens


async def test_no_speech_gives_empty_text_without_a_job() -> None:
    transcriber = FakeTranscriber()
    result = await run(transcriber, [Progress(0.5, SECOND), Progress(1, 40 * SECOND, done=True)])
    assert (result.transcript.text, result.transcript.segments) == ("", ())
    assert result.transcript.duration_samples == 40 * SECOND
    assert transcriber.jobs == []


async def test_private_numbers_are_in_no_progress_and_not_in_the_transcript() -> None:
    def card(job: Job) -> Transcript:
        text = "It is 4111 1111 1111 1111."
        return heard(text, job, segments=(Segment(0, SECOND, text),))

    seen: list[FileProgress] = []
    result = await transcribe_file(
        FakeTranscriber(answer_with=card),
        FakeDecoder(file_of(5)),
        replace(REQUEST, filters=redaction((Redact.PCI,))),
        chunk_slots=chunk_semaphore(2, 8),
        on_progress=seen.append,
    )
    assert result.transcript.text == "It is [CREDIT_CARD]."
    assert seen[-1].fraction > 0
    assert not any(progress.text or progress.stable_text for progress in seen)
