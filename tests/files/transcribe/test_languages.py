"""Language detection, and text as context, over the chunks of a file."""

import anyio
import pytest

from auricle.files.assemble import MAX_PROMPT_CHARACTERS
from auricle.files.transcribe import FileRequest
from auricle.values.errors import PoisonJob
from auricle.values.languages import LANGUAGES, SPACELESS_LANGUAGES
from auricle.values.types import Job, Options, Segment, Transcript
from tests.files.transcribe.helpers import ENGLISH, SOURCE, asked, replies, run, text_of_length
from tests.support.decoder import file_of
from tests.support.transcriber import FakeTranscriber, heard

pytestmark = pytest.mark.unit


async def test_a_given_language_is_used_for_every_chunk() -> None:
    transcriber = FakeTranscriber()
    result = await run(
        transcriber, file_of(9, 9, 9, 9), FileRequest(SOURCE, "f", options=Options(language="de"))
    )
    assert {job.options.language for job in transcriber.jobs} == {"de"}
    assert result.transcript.language == "de"


class Polyglot(FakeTranscriber):
    """Detects each chunk's own language unless it is given; the first is done last."""

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


async def test_each_chunk_is_in_the_language_that_it_is_sure_of() -> None:
    transcriber = Polyglot(("en", 0.9), ("zh", 0.9), ("de", 0.8), ("en", 0.7))
    result = await run(transcriber, file_of(9, 3, 2, 9))
    assert {language for _, language in asked(transcriber)} == {None}
    assert result.transcript.text == "en0zh1 de2 en3"
    assert [segment.language for segment in result.transcript.segments] == ["en", "zh", "de", "en"]
    assert (result.transcript.language, result.transcript.language_probability) == ("en", 0.9)


async def test_an_unsure_chunk_is_done_again_in_the_language_of_its_neighbours() -> None:
    transcriber = Polyglot(("cy", 0.3), ("et", 0.8), ("fi", 0.5), ("et", 0.4), ("zh", 0.9))
    result = await run(transcriber, file_of(9, 9, 9, 9, 9))
    assert [each for each in asked(transcriber) if each[1]] == [("f:0", "et"), ("f:2", "et")]
    assert result.transcript.text == "et0 et1 et2 et3zh4"


async def test_after_three_unsure_chunks_the_likeliest_language_by_length_is_kept() -> None:
    transcriber = Polyglot(("nn", 0.5), ("da", 0.3), ("da", 0.3), ("no", 0.4))
    result = await run(transcriber, file_of(9, 9, 9, 9))
    assert result.transcript.text == "da0 da1 da2 da3"
    assert result.transcript.language_probability == 0.3


async def test_no_more_chunks_wait_to_be_transcribed_in_order_than_a_bound() -> None:
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


async def test_chunks_without_words_say_nothing_about_the_language() -> None:
    transcriber = FakeTranscriber(script=[heard("", language="ja", language_probability=0.9)] * 4)
    result = await run(transcriber, file_of(9, 9, 9, 9, 9))
    assert {language for _, language in asked(transcriber)} == {None}
    assert (result.transcript.language, result.transcript.text) == ("en", "hello")


async def test_an_unsure_file_that_ends_early_still_gets_one_language() -> None:
    transcriber = Polyglot(("sv", 0.5), ("no", 0.4))
    result = await run(transcriber, file_of(15, 16))
    assert asked(transcriber)[-1] == ("f:1", "sv")
    assert (result.transcript.language, result.transcript.text) == ("sv", "sv0 sv1")


async def test_a_gap_among_the_first_chunks_stops_no_vote() -> None:
    transcriber = replies(PoisonJob("it crashed"), heard("tere", language="et"))
    result = await run(transcriber, file_of(20, 20))
    assert (result.transcript.language, result.transcript.text) == ("et", "tere")


async def test_a_conditioned_chunk_that_is_done_again_gets_the_text_before_it_alone() -> None:
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


async def test_a_chunk_that_fails_when_done_again_keeps_its_first_text() -> None:
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


async def test_conditioned_chunks_run_one_by_one_with_the_text_before_them() -> None:
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
