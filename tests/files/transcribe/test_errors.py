"""Refused and failed chunks, busy decoders and cancellation."""

from collections.abc import AsyncIterator

import anyio
import pytest

from auricle.files.transcribe import FileProgress, FileRequest, chunk_semaphore, transcribe_file
from auricle.values.errors import (
    AudioError,
    AuricleError,
    Draining,
    EmptyAudio,
    NoWorkerReady,
    Overloaded,
    PoisonJob,
    RateLimited,
    Superseded,
)
from auricle.values.transcriber import Progress
from auricle.values.types import ANONYMOUS, ClientId, Source
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


@pytest.mark.parametrize(
    "error", [Overloaded("full", 0), NoWorkerReady("starting", 0), RateLimited("crashes", 0)]
)
async def test_a_chunk_of_an_accepted_file_that_is_refused_comes_again(error: Exception) -> None:
    transcriber = replies(heard("one"), error, error, heard("two"))
    result = await run(transcriber, file_of(20, 20))
    assert result.transcript.text == "one two"


async def test_a_chunk_that_had_to_give_way_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auricle.files.transcribe.SHED_PAUSE_S", 0)
    result = await run(replies(Superseded("shed"), heard("one")), file_of(20))
    assert result.transcript.text == "one"


async def test_a_service_that_shuts_down_ends_the_file() -> None:
    with pytest.raises(Draining):
        await run(replies(heard("one"), Draining("bye", 5)), file_of(20, 20, 20))


@pytest.mark.parametrize("error", [PoisonJob("it crashed"), AudioError("no")])
async def test_a_chunk_that_cannot_be_recognised_leaves_a_gap_that_is_reported(
    error: AuricleError,
) -> None:
    result = await run(replies(heard("one"), error, heard("three")), file_of(9, 10, 11))
    assert result.transcript.text == "one three"
    gap = result.gaps[0]
    assert (gap.start_sample, gap.end_sample, gap.code) == (10 * SECOND, 20 * SECOND, error.code)


async def test_a_file_of_which_no_chunk_succeeds_fails() -> None:
    with pytest.raises(PoisonJob):
        await run(replies(PoisonJob("a"), PoisonJob("b")), file_of(20, 20))


async def test_an_unexpected_failure_of_a_chunk_ends_the_file_and_its_other_jobs() -> None:
    transcriber = replies(heard("one"), RuntimeError("a bug"))
    with pytest.raises(RuntimeError):
        await run(transcriber, file_of(9, 9, 9, 9, 9))


class BusyAtFirst(FakeDecoder):
    """Refuses twice, then reads."""

    async def decode(
        self, source: Source, *, client: ClientId = ANONYMOUS
    ) -> AsyncIterator[Progress]:
        if len(self.sources) < 2:
            self.sources.append(source)
            raise NoWorkerReady("starting", 0)
        async for progress in super().decode(source, client=client):
            yield progress


async def test_a_decoder_that_is_busy_at_first_is_asked_again() -> None:
    decoder = BusyAtFirst(file_of(5))
    result = await transcribe_file(
        FakeTranscriber(), decoder, REQUEST, chunk_slots=chunk_semaphore(2, 8)
    )
    assert result.transcript.text == "hello"


async def test_a_busy_decoder_holds_no_client_past_its_deadline() -> None:
    request = FileRequest(SOURCE, "f", is_urgent=True, max_wait_s=2)
    with pytest.raises(Overloaded):
        await run(FakeTranscriber(), [Overloaded("busy", 3)], request)


@pytest.mark.parametrize("error", [EmptyAudio("none"), Draining("bye", 3)])
async def test_errors_of_the_decoder_are_reported(error: AuricleError) -> None:
    with pytest.raises(type(error)):
        await run(FakeTranscriber(), [error])


async def test_the_decoder_failing_late_cancels_the_jobs_in_flight() -> None:
    transcriber = FakeTranscriber(gate=anyio.Event())
    script: list[Progress | Exception] = [*file_of(20, 20)[:2], AudioError("broken")]
    with pytest.raises(AudioError):
        await run(transcriber, script, FileRequest(SOURCE, "f", options=ENGLISH))
    assert len(transcriber.cancelled) == 2


async def test_cancelling_cancels_the_jobs_closes_the_decoder_and_frees_the_slots() -> None:
    transcriber, chunk_slots = FakeTranscriber(gate=anyio.Event()), chunk_semaphore(2, 8)
    decoder = FakeDecoder(file_of(*[9.0] * 40))
    request = FileRequest(SOURCE, "f", options=ENGLISH)
    async with anyio.create_task_group() as group:
        group.start_soon(
            lambda: transcribe_file(transcriber, decoder, request, chunk_slots=chunk_slots)
        )
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    assert len(transcriber.cancelled) == chunk_slots.width
    assert decoder.open_readings == 0
    assert chunk_slots.held == 0


async def test_progress_grows_and_ends_with_the_text() -> None:
    seen: list[FileProgress] = []
    await run(FakeTranscriber(script=[text_of_length] * 3), file_of(9, 9, 9), seen=seen)
    assert list(dict.fromkeys(progress.text for progress in seen)) == [
        "",
        "9s",
        "9s 9s",
        "9s 9s 9s",
    ]
    assert seen[-1].stable_text == "9s 9s 9s"
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


async def test_timings_are_summed_and_the_most_attempts_are_reported() -> None:
    result = await run(replies(heard("a"), heard("b", attempts=3)), file_of(20, 20))
    timing = result.transcript.timing
    assert (timing.queue_ms, timing.ipc_ms, timing.asr_ms) == (2.0, 1.0, 40.0)
    assert timing.decode_ms > 0
    assert result.transcript.attempts == 3


async def test_a_chunk_that_comes_with_the_end_is_not_lost() -> None:
    last = Progress(1.0, 5 * SECOND, file_of(4)[0].chunk, done=True)
    transcriber = FakeTranscriber()
    await run(transcriber, [last])
    assert transcriber.jobs[0].pcm.size == speech(4).size
