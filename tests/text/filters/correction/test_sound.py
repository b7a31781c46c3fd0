import pytest

from auricle.text.filters.correction.sound import distance, skeleton_of, sound_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("Kubernetes", "cubernetes"),
        ("Caxton", "Cachston"),
        ("Bodoni", "Baudoni"),
        ("Chaucer", "choser"),
        ("Müller", "Muller"),
        ("Ørsted", "Orsted"),
        ("Bordeaux", "Bordo"),
        ("Digique", "Digeek"),
        ("McKee", "Mackee"),
        ("Naïve", "naive"),
    ],
)
def test_spellings_of_one_sound_are_the_same(word: str, other: str) -> None:
    assert sound_of(word) == sound_of(other)


def test_similar_sounds_are_closer_than_others_and_vowels_matter_least() -> None:
    near, vowel, far = (
        distance(sound_of("Panart"), sound_of(other), 1) for other in ("Panard", "Panirt", "Panarl")
    )
    assert 0 < near < vowel < far


def test_the_first_consonant_matters_most() -> None:
    first = distance("pana", "bana", 1)
    assert first == 2 * distance("anap", "anab", 1)


def test_a_distance_beyond_the_limit_is_1() -> None:
    assert distance("kubernetes", "kubirnetis", 0.2) < 0.2
    assert distance("kubernetes", "kubirnetis", 0.01) == 1
    assert distance("kubernetes", "k", 0.1) == distance("", "k", 0.5) == 1
    assert distance("kat", "kat", 0) == 0


def test_other_scripts_are_compared_letter_by_letter() -> None:
    assert sound_of("Кубернетес") == "кубернетес"
    assert distance(sound_of("Кубернетес"), sound_of("Кубернетис"), 0.2) == pytest.approx(0.1)


def test_a_skeleton_has_the_classes_of_consonants() -> None:
    assert skeleton_of(sound_of("Pannartz")) == skeleton_of(sound_of("bunners"))
