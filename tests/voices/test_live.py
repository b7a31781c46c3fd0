"""Names of the speakers of a live session: given, taken back, and changed with the voices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np
import pytest

from auricle.values.events import Final, SpeakerSegment
from auricle.values.speakers import VoicePrint
from auricle.values.types import Speaker
from auricle.voices.books import VoiceBook
from auricle.voices.live import MAX_NAMED, NamedLabeller
from auricle.voices.matching import KnownVoices
from tests.support.made_up_voices import voice

pytestmark = pytest.mark.unit

MODEL = "digest"


def said(number: int, speech_s: float = 20, like: int | None = None) -> VoicePrint:
    """Return a voice; ``like``: halfway to another one."""
    vector = voice(number) + (0 if like is None else voice(like))
    return VoicePrint(MODEL, vector / np.linalg.norm(vector), speech_s)


def known(**voices: int) -> KnownVoices:
    return KnownVoices.of([(name, said(number)) for name, number in voices.items()])


def a_final(id: int, *speakers: int | None) -> Final:
    segments = tuple(SpeakerSegment(0, 1, "so", speaker) for speaker in speakers)
    return Final(id, id, "so", 0, 1, "en", None, 1.0, False, None, speakers[0], segments)


@dataclass
class Labeller:
    """A labeller whose voices and revisions are given."""

    voices_now: dict[int, VoicePrint] = field(default_factory=dict)
    to_revise: list[Final] = field(default_factory=list)
    labelled_finals: int = 0
    is_finished: bool = False
    wake_at = inf
    is_settled = True

    def labelled(self, final: Final) -> Final:
        self.labelled_finals += 1
        return final

    def revised(self) -> Sequence[Final]:
        revised, self.to_revise = self.to_revise, []
        return revised

    def prints(self) -> Mapping[int, VoicePrint]:
        return self.voices_now

    def finish(self) -> None:
        self.is_finished = True

    def __getattr__(self, name: str) -> Any:
        return None


def labeller_of(
    labeller: Labeller, voices: KnownVoices | None = None
) -> tuple[NamedLabeller, VoiceBook]:
    book = VoiceBook() if voices is None else VoiceBook(voices, 1)
    return NamedLabeller(labeller, book), book


def test_a_final_has_the_names_of_its_speakers_only() -> None:
    inner = Labeller({0: said(1), 1: said(2), 2: said(3)})
    named, _ = labeller_of(inner, known(Ann=1, Cem=3))
    assert named.labelled(a_final(1, 0)).speakers == (Speaker(0, "Ann"),)
    assert named.labelled(a_final(2, 1)).speakers == ()
    assert named.labelled(a_final(3, 1, 2, 0)).speakers == (Speaker(0, "Ann"), Speaker(2, "Cem"))
    assert named.labelled(a_final(4, None)).speakers == ()
    assert not named.revised()


def test_a_name_that_becomes_certain_is_reported_for_earlier_finals() -> None:
    inner = Labeller({0: said(1, speech_s=0.5)})
    named, _ = labeller_of(inner, known(Ann=1))
    assert named.labelled(a_final(1, 0)).speakers == ()
    assert not named.revised()
    inner.voices_now[0] = said(1)
    assert named.labelled(a_final(2, 0)).speakers == (Speaker(0, "Ann"),)
    (revised,) = named.revised()
    assert (revised.id, revised.speakers) == (1, (Speaker(0, "Ann"),))
    assert not named.revised()
    assert [final.id for final in named.revised_before(9)] == [1]
    assert not named.revised_before(0)


def test_a_name_is_taken_back_if_the_voice_turns_out_to_be_another() -> None:
    inner = Labeller({0: said(1)})
    named, _ = labeller_of(inner, known(Ann=1))
    named.labelled(a_final(1, 0))
    inner.voices_now[0] = said(2)
    named.labelled(a_final(2, 0))
    (revised,) = named.revised()
    assert (revised.id, revised.speakers) == (1, ())


def test_names_follow_numbers_that_are_revised() -> None:
    inner = Labeller({0: said(1), 1: said(2)})
    named, _ = labeller_of(inner, known(Ann=1))
    named.labelled(a_final(1, 0))
    inner.to_revise = [a_final(1, 1)]
    (revised,) = named.revised()
    assert (revised.speaker, revised.speakers) == (1, ())
    inner.to_revise = [a_final(1, 0)]
    (revised,) = named.revised()
    assert (revised.speaker, revised.speakers) == (0, (Speaker(0, "Ann"),))


def test_a_voice_that_is_stored_renamed_or_deleted_meanwhile_has_its_effect() -> None:
    named, book = labeller_of(Labeller({0: said(1)}))
    assert named.labelled(a_final(1, 0)).speakers == ()
    for version, (voices, expected) in enumerate(
        [
            (known(Ann=1), (Speaker(0, "Ann"),)),
            (known(Anna=1), (Speaker(0, "Anna"),)),
            (known(), ()),
        ]
    ):
        book.voices, book.version = voices, version
        (revised,) = named.revised()
        assert revised.speakers == expected
        assert not named.revised()


def test_without_voices_nothing_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = Labeller({0: said(1)})
    monkeypatch.delattr(Labeller, "prints")
    named, _ = labeller_of(inner, known())
    final = a_final(1, 0)
    assert named.labelled(final) == final
    assert not named.revised()


def test_only_the_newest_finals_are_revised() -> None:
    inner = Labeller({0: said(1)})
    named, book = labeller_of(inner)
    for id in range(MAX_NAMED + 1):
        named.labelled(a_final(id, 0))
    book.voices, book.version = known(Ann=1), 1
    assert [final.id for final in named.revised()] == list(range(1, MAX_NAMED + 1))


def test_the_end_is_noted() -> None:
    ended: list[bool] = []
    inner = Labeller()
    NamedLabeller(inner, VoiceBook(), lambda: ended.append(True)).finish()
    assert (inner.is_finished, ended) == (True, [True])
