"""Stable text of an open utterance: LocalAgreement-2 (Liu et al. 2020, arXiv:2005.11185).

Each hypothesis covers the whole utterance so far. Two successive hypotheses are compared when their
audio differs by at least half a second. Their common prefix becomes stable, except for words within
half a second of the end of the audio, where the model is still unreliable. Stable words never
change. If a later hypothesis does not begin with them, the words that follow them are selected by
time.

In languages without spaces, characters are compared instead of words.

Comparison ignores case and punctuation. The final is decoded again: either it begins with the
stable words (:func:`continues`) or it is reported as revised. Its case and punctuation may differ.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from auricle.values.languages import SPACELESS_LANGUAGES
from auricle.values.types import SAMPLE_RATE_HZ, Transcript, Word

MIN_INTERVAL_SAMPLES = SAMPLE_RATE_HZ // 2
EDGE_SAMPLES = SAMPLE_RATE_HZ // 2


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of comparison: a word, or a character in a language without spaces."""

    text: str
    start_sample: int
    end_sample: int

    @property
    def key(self) -> str:
        """The text that is compared, without case and punctuation."""
        return _key(self.text)

    @property
    def middle_sample(self) -> int:
        """The midpoint of the unit."""
        return (self.start_sample + self.end_sample) // 2


class Agreement:
    """The stable and unstable text of one utterance."""

    def __init__(self) -> None:
        self._stable: list[Unit] = []
        self._unstable: list[Unit] = []
        self._previous: list[Unit] | None = None
        self._previous_samples = 0

    @property
    def stable(self) -> str:
        """The stable text; it only grows."""
        return _text(self._stable).strip()

    @property
    def unstable(self) -> str:
        """The latest unstable text after the stable text, with its leading space."""
        text = _text(self._unstable).rstrip()
        return text if self._stable else text.lstrip()

    def receive(self, transcript: Transcript, audio_samples: int) -> None:
        """Receive the next hypothesis; ignore it if it covers less audio than the previous one.

        Args:
            transcript: The hypothesis. Without word times, none of it becomes stable.
            audio_samples: Length of the audio that it covers, from the start of the utterance.
        """
        if audio_samples < self._previous_samples:
            return
        units = units_of(transcript)
        if self._previous is None:
            self._previous, self._previous_samples = units, audio_samples
        elif audio_samples - self._previous_samples >= MIN_INTERVAL_SAMPLES:
            self._agree(units, audio_samples - EDGE_SAMPLES)
            self._previous, self._previous_samples = units, audio_samples
        self._unstable = self._after_stable(units)

    def show(self, transcript: Transcript) -> bool:
        """Show the text of a likely final as unstable; return whether it continues the stable text.

        It is compared as a text, because its words may have no times. Languages without spaces are
        ignored.
        """
        if transcript.language in SPACELESS_LANGUAGES:
            return False
        stable, words = self.stable.split(), transcript.text.split()
        if [*map(_key, stable)] != [*map(_key, words[: len(stable)])]:
            return False
        rest = " ".join(words[len(stable) :])
        self._unstable = [Unit(f" {rest}", 0, 0)] if rest else []
        return True

    def _agree(self, units: Sequence[Unit], edge_sample: int) -> None:
        assert self._previous is not None
        before, now = self._after_stable(self._previous), self._after_stable(units)
        for old, new in zip(before, now, strict=False):
            if old.key != new.key or new.end_sample > edge_sample:
                break
            self._stable.append(new)

    def _after_stable(self, units: Sequence[Unit]) -> list[Unit]:
        """Return the units of a hypothesis that follow the stable ones."""
        stable = self._stable
        if not stable:
            return list(units)
        head = units[: len(stable)]
        if [unit.key for unit in head] == [unit.key for unit in stable]:
            return list(units[len(stable) :])
        return [unit for unit in units if unit.middle_sample >= stable[-1].end_sample]


def units_of(transcript: Transcript) -> list[Unit]:
    """Return the units of a transcript, in order."""
    is_spaceless = transcript.language in SPACELESS_LANGUAGES
    units: list[Unit] = []
    for segment in transcript.segments:
        for word in segment.words or (_whole(segment.start_sample, transcript, segment.text),):
            units += _characters(word) if is_spaceless else [_unit(word)]
    return units


def continues(stable: str, text: str, language: str | None) -> bool:
    """Return whether a text begins with a stable text, ignoring case and punctuation.

    Args:
        stable: The stable text.
        text: The text of the final.
        language: The language of the final; without spaces, characters are compared.
    """
    if language in SPACELESS_LANGUAGES:
        return _key(text).startswith(_key(stable))
    before, after = _words(stable), _words(text)
    return after[: len(before)] == before


def _key(text: str) -> str:
    """Return the letters, marks and digits of a text, without case."""
    return "".join(c for c in text.casefold() if unicodedata.category(c)[0] in "LMN")


def _words(text: str) -> list[str]:
    """Return the words of a text; hyphens and dashes separate words."""
    spaced = "".join(" " if unicodedata.category(c) == "Pd" else c for c in text)
    return [key for word in spaced.split() if (key := _key(word))]


def _whole(start_sample: int, transcript: Transcript, text: str) -> Word:
    """Return a segment without words as one word up to the end of the audio: never stable."""
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
