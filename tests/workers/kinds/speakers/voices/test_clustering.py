from itertools import chain, repeat

import numpy as np
import pytest

from auricle.values.types import SpeakerOptions
from auricle.workers.kinds.speakers.voices.clustering import BLOCK_STRETCHES, cluster
from tests.support.made_up_voices import embeddings

pytestmark = pytest.mark.unit

ANY = SpeakerOptions()


def labels_of(voices: list[int], options: SpeakerOptions = ANY, seconds: float = 1.5) -> list[int]:
    found = cluster(embeddings(voices), [seconds] * len(voices), options)
    assert found.centroids.shape == (max(found.labels) + 1, 192)
    np.testing.assert_allclose(np.linalg.norm(found.centroids, axis=1), 1, rtol=1e-5)
    return [int(label) for label in found.labels]


def conversation(speakers: int, turns: int, length: int = 6) -> list[int]:
    """Return voices that take turns."""
    return list(chain.from_iterable(repeat(turn % speakers, length) for turn in range(turns)))


@pytest.mark.parametrize("speakers", [1, 2, 3, 6, 12])
def test_speakers_are_told_apart_and_counted(speakers: int) -> None:
    voices = conversation(speakers, 3 * speakers)
    assert labels_of(voices) == voices


def test_speakers_are_numbered_by_first_appearance() -> None:
    assert labels_of([7, 7, 7, 3, 3, 3, 7, 5, 5, 5]) == [0, 0, 0, 1, 1, 1, 0, 2, 2, 2]


def test_one_stretch_is_one_speaker() -> None:
    assert labels_of([4], seconds=0.4) == [0]


def test_similar_voices_are_two_speakers_if_each_of_them_hardly_varies() -> None:
    voices = conversation(2, 6)
    alike = embeddings(voices, spread=0.45, common=0.4)
    assert (alike[0] @ alike[6:12].T).mean() > 0.33
    assert cluster(alike, [1.5] * len(voices), ANY).labels.tolist() == voices


def test_one_voice_in_noise_is_one_speaker() -> None:
    noisy = embeddings([0] * 60, spread=1.0)
    assert (noisy[0] @ noisy[1:].T).mean() < 0.42
    assert cluster(noisy, [1.5] * 60, ANY).labels.tolist() == [0] * 60


def test_a_short_outlier_is_not_a_speaker() -> None:
    voices = [0] * 8 + [9] + [1] * 8
    labels = labels_of(voices)
    assert set(labels) == {0, 1}
    assert labels[:8] + labels[9:] == [0] * 8 + [1] * 8


def test_the_requested_number_of_speakers_is_reached() -> None:
    voices = conversation(4, 12)
    assert max(labels_of(voices, SpeakerOptions(num_speakers=2))) == 1
    assert max(labels_of(voices, SpeakerOptions(max_speakers=3))) == 2
    assert max(labels_of(voices, SpeakerOptions(min_speakers=5))) >= 4
    assert labels_of(voices, SpeakerOptions(num_speakers=4)) == voices


def test_a_number_of_speakers_beyond_the_stretches_is_not_reached() -> None:
    assert labels_of([0, 0, 1], SpeakerOptions(num_speakers=16)) == [0, 1, 2]


def test_a_requested_speaker_may_have_little_speech() -> None:
    voices = [0] * 20 + [1]
    assert labels_of(voices) == [0] * 21
    assert labels_of(voices, SpeakerOptions(num_speakers=2)) == voices


def test_a_mean_of_stretches_counts_as_many() -> None:
    stretches = embeddings([0] * 6 + [1] * 6)
    means = np.stack([stretches[:6].mean(axis=0), stretches[6:].mean(axis=0)])
    found = cluster(means, [9.0, 9.0], ANY, [6, 6])
    assert found.labels.tolist() == [0, 1]


def test_four_hours_are_clustered_in_blocks() -> None:
    voices = conversation(5, 19_000 // 50, 50)
    assert len(voices) > 20 * BLOCK_STRETCHES
    assert labels_of(voices) == voices
