"""Which words of an open utterance are firm: LocalAgreement-2 (Liu et al. 2020, arXiv:2005.11185).

Hypotheses are of the whole utterance so far. The words at which two successive ones, of audio that
grew by half a second at least, begin alike are firm, but for those within half a second of the
audio's end: there the model still guesses. Firm words never change. Where a later hypothesis
doesn't begin with them, its words after them are told by their times.

Languages without spaces agree on characters.

A word is the same whatever its case and punctuation. That is what "stable" means: the stable words
stay, and the final, which is decoded anew, begins with them (:func:`continues`) or is reported as
revised. Its case and punctuation may differ.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from auricle.languages import SPACELESS_LANGUAGES
from auricle.types import SAMPLE_RATE_HZ, Transcript, Word

MIN_APART_SAMPLES = SAMPLE_RATE_HZ // 2
EDGE_SAMPLES = SAMPLE_RATE_HZ // 2


@dataclass(frozen=True, slots=True)
class Unit:
    """What is agreed on: a word, or a character of a language without spaces."""

    text: str
    start_sample: int
    end_sample: int

    @property
    def key(self) -> str:
        """What has to be the same: not case, not punctuation."""
        return _key(self.text)

    @property
    def middle_sample(self) -> int:
        """Where the unit is, as one number."""
        return (self.start_sample + self.end_sample) // 2


class Agreement:
    """The firm and the guessed words of one utterance."""

    def __init__(self) -> None:
        self._firm: list[Unit] = []
        self._guess: list[Unit] = []
        self._previous: list[Unit] | None = None
        self._previous_samples = 0

    @property
    def stable(self) -> str:
        """The firm words; only grows."""
        return _text(self._firm).strip()

    @property
    def unstable(self) -> str:
        """The newest guess at what follows them, with the space before it."""
        guess = _text(self._guess).rstrip()
        return guess if self._firm else guess.lstrip()

    def receive(self, transcript: Transcript, audio_samples: int) -> None:
        """Take the next hypothesis; one of less audio than the last is ignored.

        Args:
            transcript: Its words have times, or else nothing in it becomes firm.
            audio_samples: How much of the utterance it heard.
        """
        if audio_samples < self._previous_samples:
            return
        units = units_of(transcript)
        if self._previous is None:
            self._previous, self._previous_samples = units, audio_samples
        elif audio_samples - self._previous_samples >= MIN_APART_SAMPLES:
            self._agree(units, audio_samples - EDGE_SAMPLES)
            self._previous, self._previous_samples = units, audio_samples
        self._guess = self._after_firm(units)

    def _agree(self, units: Sequence[Unit], edge_sample: int) -> None:
        assert self._previous is not None
        before, now = self._after_firm(self._previous), self._after_firm(units)
        for old, new in zip(before, now, strict=False):
            if old.key != new.key or new.end_sample > edge_sample:
                break
            self._firm.append(new)

    def _after_firm(self, units: Sequence[Unit]) -> list[Unit]:
        """Return what a hypothesis says after the firm words."""
        firm = self._firm
        if not firm:
            return list(units)
        head = units[: len(firm)]
        if [unit.key for unit in head] == [unit.key for unit in firm]:
            return list(units[len(firm) :])
        return [unit for unit in units if unit.middle_sample >= firm[-1].end_sample]


def units_of(transcript: Transcript) -> list[Unit]:
    """Return a transcript's units in order."""
    is_spaceless = transcript.language in SPACELESS_LANGUAGES
    units: list[Unit] = []
    for segment in transcript.segments:
        for word in segment.words or (_whole(segment.start_sample, transcript, segment.text),):
            units += _characters(word) if is_spaceless else [_unit(word)]
    return units


def continues(stable: str, text: str, language: str | None) -> bool:
    """Return whether a text begins with the words of a stable text, whatever case and punctuation.

    Args:
        stable: The stable text.
        text: The final's text.
        language: The final's language; those without spaces are compared by characters.
    """
    if language in SPACELESS_LANGUAGES:
        return _key(text).startswith(_key(stable))
    before, after = _words(stable), _words(text)
    return after[: len(before)] == before


def _key(text: str) -> str:
    """Return the letters, marks and digits of a text, without case."""
    return "".join(c for c in text.casefold() if unicodedata.category(c)[0] in "LMN")


def _words(text: str) -> list[str]:
    """Return the words of a text; a hyphen or a dash is a space."""
    spaced = "".join(" " if unicodedata.category(c) == "Pd" else c for c in text)
    return [key for word in spaced.split() if (key := _key(word))]


def _whole(start_sample: int, transcript: Transcript, text: str) -> Word:
    """A segment without words ends at the audio's end: it is never firm."""
    return Word(start_sample, transcript.duration_samples, text, 0.0)


def _unit(word: Word) -> Unit:
    return Unit(word.text, word.start_sample, word.end_sample)


def _characters(word: Word) -> Iterator[Unit]:
    length_samples, count = word.end_sample - word.start_sample, len(word.text)
    for index, character in enumerate(word.text):
        yield Unit(
            character,
            word.start_sample + length_samples * index // count,
            word.start_sample + length_samples * (index + 1) // count,
        )


def _text(units: Sequence[Unit]) -> str:
    return "".join(unit.text for unit in units)
