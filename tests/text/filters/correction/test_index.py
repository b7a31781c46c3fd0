import random

import pytest

from auricle.text.filters.correction.index import SoundIndex, Spelling
from auricle.text.filters.correction.sound import distance, sound_of

pytestmark = pytest.mark.unit

NAMES = ("Caslon", "Caxton", "Subiaco", "Kubernetes", "Bo", "Oberammergauer Passionsspiele")


def index(*names: str) -> SoundIndex:
    return SoundIndex(Spelling(sound_of(name), at) for at, name in enumerate(names))


@pytest.mark.parametrize("name", NAMES)
def test_a_term_is_found_by_its_own_sound(name: str) -> None:
    match = index(*NAMES).closest(sound_of(name), 0.1).match
    assert match is not None
    assert (match.term, match.distance) == (NAMES.index(name), 0)


@pytest.mark.parametrize(
    ("recognised", "name"),
    [("Kesslin", "Caslon"), ("Subyekko", "Subiaco"), ("Kubanettis", "Kubernetes")],
)
def test_the_closest_term_is_found_within_a_limit(recognised: str, name: str) -> None:
    sound = sound_of(recognised)
    match = index(*NAMES).closest(sound, 0.2).match
    assert match is not None
    assert match.term == NAMES.index(name)
    assert match.distance == distance(sound, sound_of(name), 0.2)
    assert index(*NAMES).closest(sound, match.distance / 2).match is None


def test_of_equal_sounds_the_first_term_is_found() -> None:
    match = index("Caxton", "Kaxton").closest(sound_of("Cachston"), 0.1).match
    assert match is not None
    assert match.term == 0


def test_terms_that_all_sound_alike_do_not_take_long() -> None:
    chance = random.Random(1)
    names = {"".join(chance.choices(("ba", "pa", "be", "pe"), k=8)) for _ in range(3000)}
    sound = sound_of("bapabapebapabape")
    search = index(*sorted(names)).closest(sound, 0.01)
    most_looked_at, most_compared = 100 * (len(sound) // 2 + 1), 16
    assert search.match is None
    assert 0 < search.steps <= most_looked_at + most_compared * len(sound) ** 2
