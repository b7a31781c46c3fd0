import pytest

from auricle.files.assemble import ChunkSlot, FileLanguages, FileProgress, TranscriptAssembler
from auricle.values.errors import PoisonJob
from auricle.values.types import Segment, Transcript
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
