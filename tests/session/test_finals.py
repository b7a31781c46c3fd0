"""The finals of all channels are one sequence, with their speakers."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from auricle.session.finals import Finals
from auricle.session.journal import Journal
from auricle.session.output import Revised
from auricle.values.events import Final, SpeakerRevision, Warned, WarningCode
from auricle.values.types import Word
from tests.session.helpers import Parts

pytestmark = pytest.mark.unit

WORDS = (Word(0, 16_000, " Yes.", 0.9),)


@dataclass
class Channel:
    """A channel with utterances whose text is known."""

    utterances: list[int]
    language_warning: str | None = None

    @property
    def recognition(self) -> "Channel":
        return self

    @property
    def ready_utterance(self) -> int | None:
        return self.utterances[0] if self.utterances else None

    def next_final(self, id: int, now: float) -> Final:
        return Final(id, self.utterances.pop(0), " Yes.", 0, 16_000, "en", WORDS, 0.0, False)


@dataclass
class Speakers:
    """Labels all finals with one speaker; some utterances wait for it."""

    waiting: set[int] = field(default_factory=set)
    has_started: bool = True
    changed: list[Final] = field(default_factory=list)

    def hold(self, utterance: int, now: float, load: float) -> bool:
        return utterance in self.waiting

    @property
    def labeller(self) -> "Speakers":
        return self

    def labelled(self, final: Final) -> Final:
        return replace(final, speaker=2)

    def revised(self, *, is_over: bool) -> list[Final]:
        return self.changed

    def take_warning(self) -> None:
        return None


class Stage(Parts):
    """Finals of channels whose utterances are given."""

    def __init__(self, speakers: Speakers, *channels: Channel, has_words: bool = False) -> None:
        super().__init__()
        self.journal = Journal()
        fakes: Any = channels  # what it uses of channels
        labels: Any = speakers
        self.it = Finals(fakes, labels, self.intake, self.journal, self.outbox, has_words)

    def emit(self) -> list[object]:
        while self.it.emit_next(0.0, 0.0):
            pass
        return [each.id if isinstance(each, Final) else each for each in self.emitted()]


def test_finals_are_numbered_over_all_channels_and_kept() -> None:
    stage = Stage(Speakers(has_started=False), Channel([1, 4]), Channel([2]))
    assert stage.emit() == [1, 2, 3]
    assert [final.utterance for final in stage.journal.finals] == [1, 4, 2]
    assert {final.speaker for final in stage.journal.finals} == {None}


def test_a_final_waits_for_its_speaker_and_those_after_it_too() -> None:
    speakers = Speakers({4})
    stage = Stage(speakers, Channel([1, 4, 5]))
    assert stage.emit() == [1]
    speakers.waiting.clear()
    assert stage.emit() == [2, 3]
    assert {final.speaker for final in stage.journal.finals} == {2}


@pytest.mark.parametrize("has_words", [False, True])
def test_words_that_only_the_labels_need_are_not_sent(has_words: bool) -> None:
    stage = Stage(Speakers(), Channel([1]), has_words=has_words)
    stage.emit()
    assert stage.journal.finals[0].words == (WORDS if has_words else None)


def test_a_warning_of_the_language_precedes_the_final() -> None:
    stage = Stage(Speakers(), Channel([1], "This may not be English."))
    warning = Warned(WarningCode.LANGUAGE_IMPROBABLE, "This may not be English.")
    assert stage.emit() == [warning, 1]


def test_revised_finals_replace_those_that_are_kept() -> None:
    speakers = Speakers()
    stage = Stage(speakers, Channel([1, 2]))
    stage.emit()
    changed = replace(stage.journal.finals[1], speaker=0, words=WORDS)
    speakers.changed = [changed]
    stage.it.revise(is_over=False)
    revision, stored = stage.emitted()
    assert isinstance(revision, SpeakerRevision)
    assert [(each.id, each.speaker) for each in revision.finals] == [(2, 0)]
    assert stored == Revised((changed,))
    assert [final.speaker for final in stage.journal.finals] == [2, 0]
    assert stage.journal.finals[1].words is None
