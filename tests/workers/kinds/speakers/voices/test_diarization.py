import numpy as np
import pytest

from auricle.values.types import Segment, Speaker, SpeakerOptions, Word
from auricle.workers.kinds.speakers.voices.diarization import Turns, diarize
from auricle.workers.kinds.speakers.voices.names import Reference
from auricle.workers.kinds.speakers.voices.stretches import cut_stretches
from auricle.workers.kinds.speakers.voices.turns import LEAD_SAMPLES, TRAIL_SAMPLES
from tests.support.made_up_voices import embeddings

pytestmark = pytest.mark.unit

S = 16_000
VOICED = [(0, 6 * S), (7 * S, 12 * S), (13 * S, 20 * S)]
STRETCHES = cut_stretches(VOICED)
VOICES = [5 if 7 * S <= start < 13 * S else 3 for start, _ in STRETCHES]


def test_turns_and_words_have_speakers_and_their_names() -> None:
    references = [Reference("Ann", embeddings([5, 5, 5], seed=2))]
    found = diarize(VOICED, STRETCHES, embeddings(VOICES), SpeakerOptions(), references)
    spans = [(turn.start_sample, turn.end_sample, turn.speaker) for turn in found.turns]
    assert spans == [
        (0, 6 * S - TRAIL_SAMPLES, 0),
        (7 * S - LEAD_SAMPLES, 12 * S - TRAIL_SAMPLES, 1),
        (13 * S - LEAD_SAMPLES, 20 * S - TRAIL_SAMPLES, 0),
    ]
    assert found.speakers == (Speaker(0), Speaker(1, "Ann"))
    words = (Word(5 * S, 6 * S, " One.", 0.9), Word(7 * S, 8 * S, " Two.", 0.9))
    split = found.assigned_to([Segment(5 * S, 8 * S, "One. Two.", words)])
    assert [(part.text, part.speaker) for part in split] == [("One.", 0), ("Two.", 1)]


def test_a_missing_embedding_does_not_matter() -> None:
    kept = [index for index in range(len(STRETCHES)) if index % 4 != 1]
    stretches = [STRETCHES[index] for index in kept]
    found = diarize(VOICED, stretches, embeddings(VOICES)[kept], SpeakerOptions())
    assert [turn.speaker for turn in found.turns] == [0, 1, 0]


def test_without_speech_nobody_speaks() -> None:
    nothing = np.zeros((0, 192), np.float32)
    assert diarize([], (), nothing, SpeakerOptions(num_speakers=2)) == Turns()
    segment = Segment(0, S, "hm")
    assert Turns().assigned_to([segment]) == (segment,)
