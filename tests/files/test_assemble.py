from dataclasses import replace

import numpy as np
import pytest

from auricle.files.assemble import (
    MAX_PROMPT_CHARACTERS,
    ChunkSlot,
    FileLanguages,
    FileProgress,
    PendingChunk,
    TranscriptAssembler,
)
from auricle.values.errors import AudioError, PoisonJob
from auricle.values.types import Chunk, Gap, Segment, Timing, Transcript, Word
from tests.support.transcriber import heard

pytestmark = pytest.mark.unit


def place(index: int) -> ChunkSlot:
    return ChunkSlot(index, index * 16_000, (index + 1) * 16_000, (index + 1) / 4)


def result(stitching: TranscriptAssembler) -> str:
    return stitching.result(64_000, 0.0, FileLanguages("en")).transcript.text


def test_text_grows_only_as_far_as_there_is_no_hole() -> None:
    seen: list[FileProgress] = []
    stitching = TranscriptAssembler(seen.append)
    stitching.add(place(1), heard("b"))
    assert seen == []
    stitching.add(place(0), heard("a"))
    stitching.add(place(2), heard("c"))
    assert seen == [FileProgress(0.5, "a b", "a b"), FileProgress(0.75, "a b c", "a b c")]
    assert result(stitching) == "a b c"


def test_text_in_a_doubtful_language_is_not_stable_until_it_is_trusted_or_corrected() -> None:
    seen: list[FileProgress] = []
    stitching = TranscriptAssembler(seen.append)
    for index in (0, 1):
        stitching.mark_uncertain(index)
    for index, text in enumerate("xbc"):
        stitching.add(place(index), heard(text))
    assert {progress.stable_text for progress in seen} == {""}
    stitching.mark_final(1)  # nothing before it is stable yet
    stitching.add(place(0), heard("a"))
    stitching.mark_final(0)
    assert [progress.stable_text for progress in seen][3:] == ["", "a b c"]
    assert seen[-1] == FileProgress(0.75, "a b c", "a b c")


def test_a_later_text_takes_the_place_of_an_earlier_one() -> None:
    stitching = TranscriptAssembler(None)
    for index, text in enumerate("abc"):
        stitching.add(place(index), heard(text))
    stitching.add(place(1), heard("B"))
    assert result(stitching) == "a B c"
    stitching.add(place(1), PoisonJob("it crashed"))  # worse than what there is
    assert result(stitching) == "a B c"


def test_empty_texts_leave_no_double_spaces() -> None:
    stitching = TranscriptAssembler(None)
    for index, text in enumerate((" a ", "", "  ", "b")):
        stitching.add(place(index), heard(text))
    assert result(stitching) == "a b"


def spoken(language: str, probability: float) -> Transcript:
    return heard("x", language=language, language_probability=probability)


def test_a_chunk_that_is_sure_of_its_language_is_in_it_and_unsure_ones_follow_it() -> None:
    languages = FileLanguages()
    assert languages.add(0, spoken("cy", 0.59), 9) == []
    assert languages.add(1, spoken("et", 0.6), 9) == [(0, "et"), (1, "et")]
    assert languages.add(2, spoken("fi", 0.5), 9) == [(2, "et")]
    assert languages.add(3, spoken("zh", 0.9), 40) == [(3, "zh")]
    assert languages.add(4, spoken("ja", 0.5), 2) == [(4, "zh")]
    assert languages.close() == []
    assert (languages.main, languages.probability) == ("zh", 0.9)


def test_three_unsure_chunks_settle_on_the_likeliest_language_by_length() -> None:
    languages = FileLanguages()
    assert languages.add(0, spoken("nn", 0.5), 4) == []
    assert languages.add(1, spoken("da", 0.3), 9) == []
    assert languages.add(2, spoken("sv", 0.4), 4) == [(0, "da"), (1, "da"), (2, "da")]
    assert (languages.main, languages.probability) == ("da", 0.3)


def test_the_end_settles_what_is_left_and_silence_has_no_language() -> None:
    languages = FileLanguages()
    assert languages.add(0, heard("  "), 30) == [(0, None)]
    assert languages.add(1, None, 30) == [(1, None)]
    assert languages.main is None
    assert languages.add(2, spoken("sv", 0.4), 4) == []
    assert languages.close() == [(2, "sv")]
    assert languages.main == "sv"


def test_a_named_language_is_as_probable_as_in_its_least_probable_chunk() -> None:
    stitching = TranscriptAssembler(None)
    for index, probability in enumerate((1.0, 0.01, 1.0)):
        stitching.add(place(index), Transcript("a", "de", probability, 16_000))
    result = stitching.result(48_000, 0.0, FileLanguages("de"))
    whole = result.transcript
    assert (whole.language, whole.language_probability) == ("de", 0.01)
    (warning,) = result.warnings
    assert "probably not in German" in warning


@pytest.mark.parametrize(("spoken_in", "main"), [(("en", "en", "ja"), "en"), (("ja", "en"), "ja")])
def test_a_file_in_another_language_than_requested_has_that_of_most_of_it_and_a_warning(
    spoken_in: tuple[str, ...], main: str
) -> None:
    assembler = TranscriptAssembler(None)
    for index, language in enumerate(spoken_in):
        segments = (Segment(0, 16_000, language),)
        part = Transcript(language, language, 0.9, 16_000, segments)
        assembler.add(place(index), part)
    result = assembler.result(48_000, 0.0, FileLanguages("ja"))
    assert result.transcript.language == main
    assert [segment.language for segment in result.transcript.segments] == list(spoken_in)
    (warning,) = result.warnings
    assert "is in English, not in Japanese" in warning


def test_a_file_in_a_detected_language_has_no_warning() -> None:
    assembler = TranscriptAssembler(None)
    assembler.add(place(0), Transcript("a", "en", 0.01, 16_000))
    assert assembler.result(16_000, 0.0, FileLanguages()).warnings == ()


def test_progress_names_the_chunks_without_a_result_and_what_each_completes() -> None:
    seen: list[FileProgress] = []
    assembler = TranscriptAssembler(seen.append)
    slots = [
        ChunkSlot.of(0, Chunk(0, np.zeros(24_000, np.int16)), 0.25),
        ChunkSlot.of(1, Chunk(48_000, np.zeros(8_000, np.int16)), 0.625),
    ]
    for slot in slots:
        assembler.mark_submitted(slot)
    first, second = PendingChunk(0.25, 1.5), PendingChunk(0.375, 0.5)
    assembler.add(slots[1], heard("b"))
    assembler.add(slots[0], heard("a"))
    assert seen == [
        FileProgress(0.0, "", "", (first,)),
        FileProgress(0.0, "", "", (first, second)),
        FileProgress(0.625, "a b", "a b"),
    ]


def test_a_chunk_that_failed_is_a_gap_between_texts() -> None:
    seen: list[FileProgress] = []
    assembler = TranscriptAssembler(seen.append)
    assembler.add(place(0), heard("a"))
    assembler.add(place(1), PoisonJob("it crashed"))
    assembler.add(place(2), heard("c"))
    assert [progress.text for progress in seen] == ["a", "a", "a c"]
    assert [progress.fraction for progress in seen] == [0.25, 0.5, 0.75]
    assert seen[-1].stable_text == "a c"
    file = assembler.result(64_000, 0.0, FileLanguages())
    assert file.gaps == (Gap(16_000, 32_000, "poison_job"),)
    assert file.transcript.text == "a c"


def test_a_file_fails_with_the_error_of_its_first_chunk_if_all_do() -> None:
    assembler = TranscriptAssembler(None)
    assembler.add(place(1), AudioError("second"))
    assembler.add(place(0), PoisonJob("first"))
    with pytest.raises(PoisonJob, match="first"):
        assembler.result(32_000, 0.0, FileLanguages())


def test_a_file_without_speech_is_an_empty_transcript() -> None:
    file = TranscriptAssembler(None).result(32_000, 0.5, FileLanguages())
    assert file.transcript == Transcript(
        "", None, 0.0, 32_000, (), timing=Timing(decode_ms=500.0), attempts=1
    )
    assert (file.gaps, file.warnings, file.channels) == ((), (), ())


def worded(text: str, language: str = "en") -> Transcript:
    """Return one word of half a second, in a segment of a second, after a quarter of one."""
    words = (Word(4_000, 12_000, f" {text}", 0.9),)
    segment = Segment(2_000, 14_000, f" {text}", words)
    timing = Timing(decode_ms=1000.0, queue_ms=1.0, ipc_ms=2.0, asr_ms=4.0)
    return Transcript(text, language, 0.9, 16_000, (segment,), timing=timing)


def test_segments_have_their_times_in_the_file_and_times_of_stages_are_added() -> None:
    assembler = TranscriptAssembler(None)
    assembler.add(place(0), worded("a"))
    assembler.add(place(2), replace(worded("c", "de"), attempts=3))
    whole = assembler.result(64_000, 0.25, FileLanguages()).transcript
    assert whole.segments == (
        Segment(2_000, 14_000, "a", (Word(4_000, 12_000, " a", 0.9),), language="en"),
        Segment(34_000, 46_000, "c", (Word(36_000, 44_000, " c", 0.9),), language="de"),
    )
    assert whole.timing == Timing(decode_ms=250.0, queue_ms=2.0, ipc_ms=4.0, asr_ms=8.0)
    assert (whole.duration_samples, whole.attempts) == (64_000, 3)


def test_words_limit_their_segment_to_speech_even_if_they_are_not_wanted() -> None:
    voiced = ((16_000, 22_000), (30_000, 32_000))
    slot = replace(place(1), voiced=voiced)
    for keep_words in (True, False):
        assembler = TranscriptAssembler(None, keep_words=keep_words)
        assembler.add(slot, worded("a"))
        file = assembler.result(32_000, 0.0, FileLanguages())
        (segment,) = file.transcript.segments
        assert (segment.start_sample, segment.end_sample) == (20_000, 22_000)
        words = (Word(20_000, 22_000, " a", 0.9),)
        assert segment.words == (words if keep_words else None)
        (bare,) = file.without_words().transcript.segments
        assert bare == replace(segment, words=None)


def test_a_segment_without_words_has_its_time_in_the_file() -> None:
    assembler = TranscriptAssembler(None)
    assembler.add(place(1), heard(" a "))
    (segment,) = assembler.result(32_000, 0.0, FileLanguages()).transcript.segments
    assert segment == Segment(16_000, 32_000, "a", language="en")


def test_chinese_is_joined_without_spaces() -> None:
    assembler = TranscriptAssembler(None)
    for index, text in enumerate(("\u4eca\u5929", "\u5929\u6c14")):
        assembler.add(place(index), heard(text, language="zh"))
    assert assembler.prompt(2, "Names:") == "Names: \u4eca\u5929\u5929\u6c14"
    assert result(assembler) == "\u4eca\u5929\u5929\u6c14"


def test_the_prompt_of_a_chunk_is_the_text_before_it() -> None:
    assembler = TranscriptAssembler(None)
    assert assembler.prompt(0, None) is None
    assert assembler.prompt(0, "Names: Ayşe.") == "Names: Ayşe."
    assembler.add(place(0), heard("a"))
    assembler.add(place(1), heard("b"))
    assembler.add(place(3), heard(""))
    assert assembler.prompt(1, None) == "a"
    assert assembler.prompt(2, "Names: Ayşe.") == "Names: Ayşe. a b"
    assert assembler.prompt(3, "Names: Ayşe.") == "Names: Ayşe."  # the chunk before has no result
    assert TranscriptAssembler(None).prompt(1, None) is None
    assert assembler.prompt(4, None) == "a b"


def test_a_chunk_after_silence_has_no_prompt() -> None:
    assembler = TranscriptAssembler(None)
    assembler.add(place(0), heard(" "))
    assert assembler.prompt(1, None) is None


def test_text_after_a_failure_or_above_the_reset_temperature_is_not_a_prompt() -> None:
    assembler = TranscriptAssembler(None)
    assembler.add(place(0), PoisonJob("it crashed"))
    for index, temperature in ((1, 0.5), (2, 0.6)):
        segments = (Segment(0, 1, "x"), Segment(1, 2, "y", temperature=temperature))
        assembler.add(place(index), heard("x y", segments=segments))
    assert assembler.prompt(1, "before") == "before"
    assert assembler.prompt(2, "before") == "before x y"
    assert assembler.prompt(3, "before") == "before"


def test_a_long_prompt_keeps_its_last_words_whole() -> None:
    assembler = TranscriptAssembler(None)
    words = " ".join(f"w{number:03}" for number in range(400))
    for index in range(3):
        assembler.add(place(index), heard(words))
    prompt = assembler.prompt(3, "Names: Ayşe.")
    assert prompt is not None
    assert prompt == " ".join(words.split()[-len(prompt.split()) :])
    assert len(prompt) == MAX_PROMPT_CHARACTERS - 1  # five characters a word, a space before each
    assembler.add(place(3), heard("x" * (MAX_PROMPT_CHARACTERS + 9)))
    assert assembler.prompt(4, None) == "x" * MAX_PROMPT_CHARACTERS
    exact = TranscriptAssembler(None)
    exact.add(place(0), heard("a" * (MAX_PROMPT_CHARACTERS - 2)))
    assert exact.prompt(1, "b") == f"b {'a' * (MAX_PROMPT_CHARACTERS - 2)}"


def test_the_most_spoken_language_is_the_main_one_and_has_its_highest_probability() -> None:
    languages = FileLanguages()
    for index, (language, probability, audio_s) in enumerate(
        [("de", 0.9, 5), ("en", 0.7, 4), ("en", 0.8, 4), ("en", 0.6, 1)]
    ):
        assert languages.add(index, spoken(language, probability), audio_s) == [(index, language)]
    assert (languages.main, languages.probability) == ("en", 0.8)
    assembler = TranscriptAssembler(None)
    assembler.add(place(0), Transcript("a", "en", 0.3, 16_000))
    whole = assembler.result(16_000, 0.0, languages).transcript
    assert (whole.language, whole.language_probability) == ("en", 0.8)


def test_chunks_in_other_languages_do_not_lower_the_probability_of_a_requested_one() -> None:
    assembler = TranscriptAssembler(None)
    for index, (language, probability) in enumerate([("de", 0.8), ("en", 0.1), ("de", 0.7)]):
        assembler.add(place(index), Transcript("a", language, probability, 16_000))
    assembler.add(place(3), Transcript("", None, 0.5, 16_000))
    whole = assembler.result(64_000, 0.0, FileLanguages("de")).transcript
    assert (whole.language, whole.language_probability) == ("de", 0.5)


def test_silence_in_another_language_does_not_count() -> None:
    assembler = TranscriptAssembler(None)
    assembler.add(place(0), Transcript("a", "de", 0.9, 16_000))
    for index in (1, 2):
        assembler.add(place(index), Transcript(" ", "en", 0.9, 16_000))
    assert assembler.result(48_000, 0.0, FileLanguages("de")).transcript.language == "de"
