import numpy as np
import pytest

from auricle.workers.kinds.speakers.voices.names import Reference, match_names
from tests.support.made_up_voices import DIMENSIONS, embeddings, voice

pytestmark = pytest.mark.unit

CENTROIDS = np.stack([voice(0), voice(1), voice(2)])


def reference(name: str, *voices: int) -> Reference:
    return Reference(name, embeddings(list(voices)))


def test_a_reference_names_the_speaker_with_its_voice() -> None:
    references = [reference("Ann", 2, 2, 2), reference("Bob", 0, 0, 0)]
    assert match_names(CENTROIDS, references) == ("Bob", None, "Ann")


def test_a_reference_of_another_voice_names_nobody() -> None:
    assert match_names(CENTROIDS, [reference("Eve", 7, 7, 7)]) == (None, None, None)


def test_a_reference_of_two_speakers_names_neither() -> None:
    assert match_names(CENTROIDS, [reference("Both", 0, 0, 1, 1)]) == (None, None, None)


def test_two_references_of_one_voice_name_nobody() -> None:
    references = [reference("Ann", 1, 1), reference("Anna", 1, 1)]
    assert match_names(CENTROIDS, references) == (None, None, None)


def test_a_reference_without_speech_names_nobody() -> None:
    silent = Reference("Silence", np.zeros((0, DIMENSIONS), np.float32))
    assert match_names(CENTROIDS, [silent]) == (None, None, None)
    assert match_names(CENTROIDS, []) == (None, None, None)
    assert match_names(CENTROIDS[:0], [reference("Ann", 1)]) == ()
