import pytest

from stt_resilience.words import align, beginning, count, normalise

REFERENCE = "the cat sat on the mat, and the dog slept."


def test_words_are_compared_without_case_punctuation_and_accents() -> None:
    assert normalise("Don't — say “Café”, 42!") == ["dont", "say", "cafe", "42"]


def test_an_alignment_has_the_fewest_edits() -> None:
    aligned = align(["a", "b", "c"], ["a", "x", "c", "d"])
    assert aligned.matches == (0, None, 2)
    assert (aligned.substituted, aligned.deleted) == (frozenset({1}), frozenset())
    assert aligned.inserted == ((3, 3),)
    assert aligned.errors == 2


@pytest.mark.parametrize(
    ("disturbed", "lost", "changed", "doubled", "invented"),
    [
        (REFERENCE, 0, 0, 0, 0),
        ("the cat sat on the mat", 4, 0, 0, 0),
        ("the cat sat on the hat, and the dog slept", 0, 1, 0, 0),
        ("the cat sat on the mat the mat, and the dog slept", 0, 0, 2, 0),
        ("the cat sat on the mat, and the dog slept. Thank you.", 0, 0, 0, 2),
        ("", 10, 0, 0, 0),
    ],
)
def test_each_kind_of_damage_is_counted(
    disturbed: str, lost: int, changed: int, doubled: int, invented: int
) -> None:
    words = count(REFERENCE, REFERENCE, disturbed)
    found = words.lost, words.changed, words.doubled, words.invented
    assert found == (lost, changed, doubled, invented)


def test_errors_of_the_undisturbed_run_are_not_counted() -> None:
    calm = "the cat sat on a mat, the dog slept. Thank you."  # 1 changed, 1 lost, 2 invented
    words = count(REFERENCE, calm, calm)
    assert (words.lost, words.changed, words.doubled, words.invented) == (0, 0, 0, 0)
    assert words.errors == words.undisturbed_errors == 4
    worse = count(REFERENCE, calm, calm + " Thank you.")
    assert worse.invented == 2


def test_a_word_that_was_wrong_before_and_is_missing_now_is_lost() -> None:
    assert count("a b c", "a x c", "a c").lost == 1


def test_the_beginning_of_a_text_is_what_belongs_to_the_first_words() -> None:
    assert beginning("a b c d e f", "a x c d e f", 3) == "a x c"
    assert beginning("a b c", "a b", 2) == "a b"
