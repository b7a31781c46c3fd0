"""Which known voice is a speaker's."""

import numpy as np
import pytest

from auricle.values.speakers import VoicePrint
from auricle.voices.matching import (
    KEPT_COSINE,
    SURE_COSINE,
    SURE_MARGIN,
    SURE_NARROW_COSINE,
    SURE_NARROW_MARGIN,
    KnownVoices,
    names_of,
)
from auricle.voices.narrow_band import _MEAN, is_narrow
from auricle.workers.kinds.speakers.model_file import BUNDLED_MODEL, digest_of

pytestmark = pytest.mark.unit

MODEL = digest_of(BUNDLED_MODEL)
PLANE = np.linalg.qr(np.column_stack([_MEAN, np.random.default_rng(1).normal(size=(192, 191))]))[0][
    :, ::-1
]
"""Orthogonal directions; the last is what voices by telephone have in common."""


def a_voice(*parts: float, speech_s: float = 20, model: str = MODEL) -> VoicePrint:
    """Return a voice that has nothing in common with those of narrow-band speech."""
    vector = np.zeros(192)
    vector[: len(parts)] = parts
    return VoicePrint(model, (PLANE @ vector / np.linalg.norm(parts)).astype(np.float32), speech_s)


def at(cosine: float, speech_s: float = 20) -> VoicePrint:
    """Return a voice with this cosine to Ann's."""
    return a_voice(cosine, 0, (1 - cosine**2) ** 0.5, speech_s=speech_s)


ANN, CEM = a_voice(1, 0, 0), a_voice(0, 1, 0)
KNOWN = KnownVoices.of([("Ann", ANN), ("Cem", CEM)])


def test_a_voice_that_is_alike_has_the_name() -> None:
    assert KNOWN.name_of(at(SURE_COSINE + 0.01)) == "Ann"
    assert KNOWN.name_of(at(SURE_COSINE - 0.01)) is None
    assert names_of({0: CEM, 3: at(0.1), 4: ANN}, KNOWN) == {0: "Cem", 4: "Ann"}


def test_a_name_stays_a_little_longer_than_it_takes() -> None:
    nearly = at(SURE_COSINE - KEPT_COSINE / 2)
    assert KNOWN.name_of(nearly, "Ann") == "Ann"
    assert KNOWN.name_of(nearly, "Cem") is None
    assert KNOWN.name_of(at(SURE_COSINE - 2 * KEPT_COSINE), "Ann") is None


def test_a_voice_between_two_known_ones_has_no_name() -> None:
    assert KNOWN.name_of(a_voice(1, 0.95, 0)) is None


def test_some_speech_is_needed() -> None:
    assert KNOWN.name_of(at(1.0, speech_s=0.5)) is None


def test_voices_of_another_size_are_not_compared() -> None:
    small = VoicePrint(MODEL, np.array([1, 0], np.float32), 20)
    assert KNOWN.name_of(small) is None
    mixed = KnownVoices.of([("Ann", ANN), ("Old", small)])
    assert mixed.names == ("Ann",)
    assert KnownVoices.of([]).name_of(ANN) is None


def by_telephone(cosine: float) -> VoicePrint:
    """Return a voice by telephone with this cosine to Ann's, which is by telephone, too."""
    common = PLANE[:, -1] * np.sign(PLANE[:, -1] @ _MEAN)
    along = cosine - 0.5
    own = along * PLANE[:, 0] + (0.25 - along**2) ** 0.5 * PLANE[:, 1]
    vector = common * 0.5**0.5 + own * 2**0.5
    return VoicePrint(MODEL, vector.astype(np.float32), 20)


def test_narrow_band_speech_needs_a_closer_match() -> None:
    ann = by_telephone(1.0)
    known = KnownVoices.of([("Ann", ann)])
    assert is_narrow(ann)
    assert not is_narrow(ANN)
    assert known.name_of(by_telephone(SURE_NARROW_COSINE + 0.01)) == "Ann"
    assert known.name_of(by_telephone(SURE_NARROW_COSINE - 0.01)) is None


def test_narrow_band_voices_may_be_closer_to_each_other() -> None:
    ann = by_telephone(1.0)

    def with_rival(margin: float) -> str | None:
        known = KnownVoices.of([("Ann", ann), ("Cem", by_telephone(1.0 - margin))])
        return known.name_of(ann)

    assert with_rival((SURE_MARGIN + SURE_NARROW_MARGIN) / 2) == "Ann"
    assert with_rival(SURE_NARROW_MARGIN - 0.01) is None


def test_a_model_without_figures_needs_a_closer_match_too() -> None:
    known = KnownVoices.of([("Ann", a_voice(1, 0, 0, model="other"))])
    cosine = (SURE_COSINE + SURE_NARROW_COSINE) / 2
    other = a_voice(cosine, 0, (1 - cosine**2) ** 0.5, model="other")
    assert is_narrow(other)
    assert known.name_of(other) is None
