import pytest

from auricle.errors import PoisonJob
from auricle.stitching import FileProgress, LanguageVote, Place, Stitching
from auricle.types import Transcript
from tests.fakes.transcriber import heard

pytestmark = pytest.mark.unit


def place(index: int) -> Place:
    return Place(index, index * 16_000, (index + 1) * 16_000, (index + 1) / 4)


def result(stitching: Stitching) -> str:
    return stitching.result(64_000, 0.0, LanguageVote("en", is_settled=True)).transcript.text


def test_text_grows_only_as_far_as_there_is_no_hole() -> None:
    seen: list[FileProgress] = []
    stitching = Stitching(seen.append)
    stitching.add(place(1), heard("b"))
    assert seen == []
    stitching.add(place(0), heard("a"))
    stitching.add(place(2), heard("c"))
    assert seen == [FileProgress(0.5, "a b", "a b"), FileProgress(0.75, "a b c", "a b c")]
    assert result(stitching) == "a b c"


def test_text_in_a_doubtful_language_is_not_firm_until_it_is_trusted_or_corrected() -> None:
    seen: list[FileProgress] = []
    stitching = Stitching(seen.append)
    for index in (0, 1):
        stitching.doubt(index)
    for index, text in enumerate("xbc"):
        stitching.add(place(index), heard(text))
    assert {progress.firm_text for progress in seen} == {""}
    stitching.trust(1)  # nothing before it is firm yet
    stitching.add(place(0), heard("a"))
    stitching.trust(0)
    assert [progress.firm_text for progress in seen][3:] == ["", "a b c"]
    assert seen[-1] == FileProgress(0.75, "a b c", "a b c")


def test_a_later_text_takes_the_place_of_an_earlier_one() -> None:
    stitching = Stitching(None)
    for index, text in enumerate("abc"):
        stitching.add(place(index), heard(text))
    stitching.add(place(1), heard("B"))
    assert result(stitching) == "a B c"
    stitching.add(place(1), PoisonJob("it crashed"))  # worse than what there is
    assert result(stitching) == "a B c"


def test_empty_texts_leave_no_double_spaces() -> None:
    stitching = Stitching(None)
    for index, text in enumerate((" a ", "", "  ", "b")):
        stitching.add(place(index), heard(text))
    assert result(stitching) == "a b"


def test_a_vote_is_settled_by_certainty_or_by_number() -> None:
    vote = LanguageVote()
    assert vote.add(heard("x", language="sv", language_probability=0.59), 1)
    assert not vote.is_settled
    assert vote.add(heard("x", language="no", language_probability=0.6), 1)
    assert (vote.language, vote.probability) == ("no", 0.6)


def test_a_vote_without_voters_settles_nothing() -> None:
    vote = LanguageVote()
    assert not vote.add(heard("  "), 30)
    vote.close()
    assert not vote.is_settled


def test_a_named_language_is_as_probable_as_in_its_least_probable_piece() -> None:
    stitching = Stitching(None)
    for index, probability in enumerate((1.0, 0.01, 1.0)):
        stitching.add(place(index), Transcript("a", "de", probability, 16_000))
    whole = stitching.result(48_000, 0.0, LanguageVote("de")).transcript
    assert (whole.language, whole.language_probability) == ("de", 0.01)
