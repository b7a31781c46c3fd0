from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

import anyio
import pytest

from auricle.errors import (
    AudioError,
    AuricleError,
    DeadlineExceeded,
    Draining,
    EmptyAudio,
    NoWorkerReady,
    Overloaded,
    PoisonJob,
    RateLimited,
    Superseded,
)
from auricle.files.assemble import MAX_PROMPT_CHARACTERS
from auricle.files.transcribe import (
    FileProgress,
    FileRequest,
    FileTranscript,
    chunk_semaphore,
    transcribe_file,
)
from auricle.languages import LANGUAGES, SPACELESS_LANGUAGES
from auricle.transcriber import Progress
from auricle.types import (
    ANONYMOUS,
    Chunk,
    ClientId,
    Job,
    JobKind,
    Options,
    ReservationRequest,
    Segment,
    Source,
    Transcript,
    Word,
)
from tests.support.decoder import FakeDecoder, file_of, speech
from tests.support.transcriber import Answer, FakeTranscriber, heard

pytestmark = pytest.mark.unit

SECOND = 16_000
SOURCE = Source("/nowhere/a.wav")
REQUEST = FileRequest(SOURCE, "f")
ENGLISH = Options(language="en")


def text_of_length(job: Job) -> Transcript:
    return heard(f"{job.audio_s:g}s", job)


async def run(
    transcriber: FakeTranscriber,
    script: Sequence[Progress | Exception],
    request: FileRequest = REQUEST,
    seen: list[FileProgress] | None = None,
) -> FileTranscript:
    decoder = FakeDecoder(script)
    told: list[FileProgress] = [] if seen is None else seen
    try:
        result = await transcribe_file(
            transcriber, decoder, request, chunk_slots=chunk_semaphore(2), on_progress=told.append
        )
    finally:
        assert decoder.open_readings == 0
        assert transcriber.in_flight == 0
    firm = [*(progress.firm_text for progress in told), result.transcript.text]
    assert all(later.startswith(earlier) for earlier, later in pairwise(firm))
    assert not told or told[-1].firm_text == result.transcript.text
    return result


def replies(*answers: Answer) -> FakeTranscriber:
    return FakeTranscriber(script=list(answers))


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
    options = Options(language="en", is_piece=True, word_timestamps=True)
    assert [job.options for job in transcriber.jobs] == [options] * len(lengths_s)
    assert [job.audio_s for job in transcriber.jobs] == list(lengths_s)


async def test_words_bound_the_segments_and_are_told_only_if_they_were_asked_for() -> None:
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


async def test_all_pieces_of_a_short_file_that_somebody_waits_for_are_finals() -> None:
    transcriber = FakeTranscriber(script=[text_of_length] * 3)
    request = FileRequest(SOURCE, "f", is_urgent=True, max_wait_s=7, reservation="r1")
    result = await run(transcriber, file_of(4, 5, 6), request)
    assert result.transcript.text == "4s 5s 6s"
    assert {(job.kind, job.max_wait_s) for job in transcriber.jobs} == {(JobKind.FINAL, 7)}


async def test_finals_of_a_short_file_do_not_wait_for_a_lane_full_of_files() -> None:
    transcriber, chunk_slots = FakeTranscriber(), chunk_semaphore(1)
    for _ in range(chunk_slots.width):
        await chunk_slots.enter(ANONYMOUS)
    request = FileRequest(SOURCE, "f", options=ENGLISH, is_urgent=True)
    with anyio.fail_after(30):
        await transcribe_file(
            transcriber, FakeDecoder(file_of(4, 5)), request, chunk_slots=chunk_slots
        )
    assert [job.kind for job in transcriber.jobs] == [JobKind.FINAL] * 2
    assert chunk_slots.held == chunk_slots.width


async def test_a_short_file_that_somebody_waits_for_is_a_final_with_his_deadline_and_room() -> None:
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
async def test_other_failures_of_a_final_are_told(error: AuricleError) -> None:
    request = FileRequest(SOURCE, "f", is_urgent=True, max_wait_s=1)
    with pytest.raises(type(error)):
        await run(replies(error), file_of(5), request)


async def test_pieces_of_a_long_file_are_never_finals() -> None:
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


async def test_the_first_piece_does_not_wait_for_the_end_of_a_long_silence() -> None:
    transcriber = FakeTranscriber()
    decoder = FakeDecoder([*file_of(5)[:1], Progress(0.5, 31 * SECOND), AudioError("stop here")])
    with pytest.raises(AudioError):
        await transcribe_file(transcriber, decoder, REQUEST, chunk_slots=chunk_semaphore(2))
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


async def test_no_more_pieces_are_in_flight_than_the_lane_holds_in_all_files_together() -> None:
    transcriber, chunk_slots = FakeTranscriber(gate=anyio.Event()), chunk_semaphore(2)
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
async def test_the_lane_follows_the_workers_within_bounds(workers: int, tokens: int) -> None:
    assert chunk_semaphore(workers).width == tokens


async def test_no_speech_gives_empty_text_without_a_job() -> None:
    transcriber = FakeTranscriber()
    result = await run(transcriber, [Progress(0.5, SECOND), Progress(1, 40 * SECOND, done=True)])
    assert (result.transcript.text, result.transcript.segments) == ("", ())
    assert result.transcript.duration_samples == 40 * SECOND
    assert transcriber.jobs == []


async def test_a_given_language_is_used_for_every_piece() -> None:
    transcriber = FakeTranscriber()
    result = await run(
        transcriber, file_of(9, 9, 9, 9), FileRequest(SOURCE, "f", options=Options(language="de"))
    )
    assert {job.options.language for job in transcriber.jobs} == {"de"}
    assert result.transcript.language == "de"


def asked(transcriber: FakeTranscriber) -> list[tuple[str, str | None]]:
    return [(job.id, job.options.language) for job in transcriber.jobs]


class Polyglot(FakeTranscriber):
    """Hears each piece in its own language, unless it is told one; the first is done last."""

    def __init__(self, *heard_as: tuple[str, float]) -> None:
        super().__init__()
        self.heard_as = heard_as
        self.last_may_end = anyio.Event()

    async def transcribe(self, job: Job) -> Transcript:
        self.jobs.append(job)
        index = int(job.id.partition(":")[2])
        language, probability = self.heard_as[min(index, len(self.heard_as) - 1)]
        language = job.options.language or language
        if index == 0 and not job.options.language:
            with anyio.move_on_after(0.05):
                await self.last_may_end.wait()
        await anyio.lowlevel.checkpoint()
        return heard(f"{language}{index}", language=language, language_probability=probability)


async def test_each_piece_is_in_the_language_that_it_is_sure_of() -> None:
    transcriber = Polyglot(("en", 0.9), ("zh", 0.9), ("de", 0.8), ("en", 0.7))
    result = await run(transcriber, file_of(9, 3, 2, 9))
    assert {language for _, language in asked(transcriber)} == {None}
    assert result.transcript.text == "en0zh1 de2 en3"
    assert [segment.language for segment in result.transcript.segments] == ["en", "zh", "de", "en"]
    assert (result.transcript.language, result.transcript.language_probability) == ("en", 0.9)


async def test_an_unsure_piece_is_done_again_in_the_language_of_its_neighbours() -> None:
    transcriber = Polyglot(("cy", 0.3), ("et", 0.8), ("fi", 0.5), ("et", 0.4), ("zh", 0.9))
    result = await run(transcriber, file_of(9, 9, 9, 9, 9))
    assert [each for each in asked(transcriber) if each[1]] == [("f:0", "et"), ("f:2", "et")]
    assert result.transcript.text == "et0 et1 et2 et3zh4"


async def test_after_three_unsure_pieces_the_likeliest_language_by_length_is_kept() -> None:
    transcriber = Polyglot(("nn", 0.5), ("da", 0.3), ("da", 0.3), ("no", 0.4))
    result = await run(transcriber, file_of(9, 9, 9, 9))
    assert result.transcript.text == "da0 da1 da2 da3"
    assert result.transcript.language_probability == 0.3


async def test_no_more_pieces_wait_to_be_heard_in_order_than_a_bound() -> None:
    first_may_end = anyio.Event()

    class SlowAtFirst(Polyglot):
        async def transcribe(self, job: Job) -> Transcript:
            if job.id == "f:0":
                await first_may_end.wait()
            return await super().transcribe(job)

    transcriber = SlowAtFirst(("en", 0.9))
    transcriber.last_may_end.set()
    async with anyio.create_task_group() as files:
        files.start_soon(run, transcriber, file_of(*[9.0] * 200))
        await anyio.wait_all_tasks_blocked()
        assert len(transcriber.jobs) < 64
        first_may_end.set()
    assert len(transcriber.jobs) == 200


async def test_pieces_without_words_say_nothing_about_the_language() -> None:
    transcriber = FakeTranscriber(script=[heard("", language="ja", language_probability=0.9)] * 4)
    result = await run(transcriber, file_of(9, 9, 9, 9, 9))
    assert {language for _, language in asked(transcriber)} == {None}
    assert (result.transcript.language, result.transcript.text) == ("en", "hello")


async def test_an_unsure_file_that_ends_early_still_gets_one_language() -> None:
    transcriber = Polyglot(("sv", 0.5), ("no", 0.4))
    result = await run(transcriber, file_of(15, 16))
    assert asked(transcriber)[-1] == ("f:1", "sv")
    assert (result.transcript.language, result.transcript.text) == ("sv", "sv0 sv1")


async def test_a_gap_among_the_first_pieces_stops_no_vote() -> None:
    transcriber = replies(PoisonJob("it crashed"), heard("tere", language="et"))
    result = await run(transcriber, file_of(20, 20))
    assert (result.transcript.language, result.transcript.text) == ("et", "tere")


async def test_a_conditioned_piece_that_is_done_again_gets_the_text_before_it_alone() -> None:
    transcriber = Polyglot(("cy", 0.3), ("cy", 0.2), ("et", 0.8))
    request = FileRequest(SOURCE, "f", condition_on_previous_text=True)
    await run(transcriber, file_of(9, 9, 9), request)
    assert [(job.id, job.options.initial_prompt) for job in transcriber.jobs] == [
        ("f:0", None),
        ("f:1", "cy0"),
        ("f:2", "cy0 cy1"),
        ("f:0", None),
        ("f:1", "et0"),
    ]


async def test_a_piece_that_fails_when_done_again_keeps_its_first_text() -> None:
    transcriber = replies(
        heard("mm", language="cy", language_probability=0.3),
        heard("tere", language="et", language_probability=0.8),
        PoisonJob("it crashed"),
    )
    result = await run(transcriber, file_of(20, 20))
    assert result.transcript.text == "mm tere"
    assert result.gaps == ()


async def test_languages_without_spaces_are_joined_without_them() -> None:
    script = [lambda job: heard("你好", job)] * 2
    transcriber = FakeTranscriber(script=list(script))
    result = await run(
        transcriber, file_of(20, 20), FileRequest(SOURCE, "f", options=Options(language="zh"))
    )
    assert result.transcript.text == "你好你好"
    assert SPACELESS_LANGUAGES < LANGUAGES


async def test_conditioned_pieces_run_one_by_one_with_the_text_before_them() -> None:
    transcriber = FakeTranscriber(script=[text_of_length] * 3)
    options = Options(language="en", initial_prompt="Glossary.")
    request = FileRequest(SOURCE, "f", options=options, condition_on_previous_text=True)
    await run(transcriber, file_of(9, 8, 7), request)
    assert transcriber.max_in_flight == 1
    prompts = [job.options.initial_prompt for job in transcriber.jobs]
    assert prompts == ["Glossary.", "Glossary. 9s", "Glossary. 9s 8s"]


async def test_only_the_tail_of_the_text_is_the_prompt() -> None:
    transcriber = replies(heard("word " * 400))
    request = FileRequest(SOURCE, "f", options=ENGLISH, condition_on_previous_text=True)
    await run(transcriber, file_of(20, 20), request)
    prompt = transcriber.jobs[1].options.initial_prompt
    assert prompt is not None
    assert len(prompt) <= MAX_PROMPT_CHARACTERS
    assert set(prompt.split()) == {"word"}


async def test_a_text_found_only_at_a_high_temperature_is_no_prompt() -> None:
    transcriber = replies(heard("la la", segments=(Segment(0, 9, "la la", temperature=0.8),)))
    request = FileRequest(SOURCE, "f", options=ENGLISH, condition_on_previous_text=True)
    await run(transcriber, file_of(20, 20), request)
    assert transcriber.jobs[1].options.initial_prompt is None


@pytest.mark.parametrize(
    "error", [Overloaded("full", 0), NoWorkerReady("starting", 0), RateLimited("crashes", 0)]
)
async def test_a_piece_of_an_accepted_file_that_is_refused_comes_again(error: Exception) -> None:
    transcriber = replies(heard("one"), error, error, heard("two"))
    result = await run(transcriber, file_of(20, 20))
    assert result.transcript.text == "one two"


async def test_a_piece_that_had_to_give_way_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auricle.files.transcribe.SHED_PAUSE_S", 0)
    result = await run(replies(Superseded("shed"), heard("one")), file_of(20))
    assert result.transcript.text == "one"


async def test_a_service_that_shuts_down_ends_the_file() -> None:
    with pytest.raises(Draining):
        await run(replies(heard("one"), Draining("bye", 5)), file_of(20, 20, 20))


@pytest.mark.parametrize("error", [PoisonJob("it crashed"), AudioError("no")])
async def test_a_piece_that_cannot_be_recognised_leaves_a_gap_that_is_told(
    error: AuricleError,
) -> None:
    result = await run(replies(heard("one"), error, heard("three")), file_of(9, 10, 11))
    assert result.transcript.text == "one three"
    gap = result.gaps[0]
    assert (gap.start_sample, gap.end_sample, gap.code) == (10 * SECOND, 20 * SECOND, error.code)


async def test_a_file_of_which_no_piece_succeeds_fails() -> None:
    with pytest.raises(PoisonJob):
        await run(replies(PoisonJob("a"), PoisonJob("b")), file_of(20, 20))


async def test_an_unexpected_failure_of_a_piece_ends_the_file_and_its_other_jobs() -> None:
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
        FakeTranscriber(), decoder, REQUEST, chunk_slots=chunk_semaphore(2)
    )
    assert result.transcript.text == "hello"


async def test_nobody_who_waits_is_kept_by_a_busy_decoder_past_his_deadline() -> None:
    request = FileRequest(SOURCE, "f", is_urgent=True, max_wait_s=2)
    with pytest.raises(Overloaded):
        await run(FakeTranscriber(), [Overloaded("busy", 3)], request)


@pytest.mark.parametrize("error", [EmptyAudio("none"), Draining("bye", 3)])
async def test_what_the_decoder_says_is_told(error: AuricleError) -> None:
    with pytest.raises(type(error)):
        await run(FakeTranscriber(), [error])


async def test_the_decoder_failing_late_cancels_the_jobs_in_flight() -> None:
    transcriber = FakeTranscriber(gate=anyio.Event())
    script: list[Progress | Exception] = [*file_of(20, 20)[:2], AudioError("broken")]
    with pytest.raises(AudioError):
        await run(transcriber, script, FileRequest(SOURCE, "f", options=ENGLISH))
    assert len(transcriber.cancelled) == 2


async def test_cancelling_cancels_the_jobs_closes_the_decoder_and_frees_the_lane() -> None:
    transcriber, chunk_slots = FakeTranscriber(gate=anyio.Event()), chunk_semaphore(2)
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
    assert list(dict.fromkeys(progress.text for progress in seen)) == ["9s", "9s 9s", "9s 9s 9s"]
    assert seen[-1].firm_text == "9s 9s 9s"
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


async def test_timings_are_summed_and_the_most_attempts_are_told() -> None:
    result = await run(replies(heard("a"), heard("b", attempts=3)), file_of(20, 20))
    timing = result.transcript.timing
    assert (timing.queue_ms, timing.ipc_ms, timing.asr_ms) == (2.0, 1.0, 40.0)
    assert timing.decode_ms > 0
    assert result.transcript.attempts == 3


async def test_a_piece_that_comes_with_the_end_is_not_lost() -> None:
    last = Progress(1.0, 5 * SECOND, file_of(4)[0].piece, done=True)
    transcriber = FakeTranscriber()
    await run(transcriber, [last])
    assert transcriber.jobs[0].pcm.size == speech(4).size
