"""The pieces of a file put together again: one language, one text, one clock; I/O-free."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from auricle.audio.voice import Spans, fit_to_voice
from auricle.errors import AuricleError
from auricle.languages import SPACELESS_LANGUAGES
from auricle.types import SAMPLE_RATE_HZ, Gap, Piece, Segment, Timing, Transcript, Word

SURE_PROBABILITY = 0.6
MAX_UNSURE_PIECES = 3

MAX_PROMPT_CHARACTERS = 800
"""Whisper reads at most 223 tokens of prompt; the engine keeps the last of these."""

RESET_TEMPERATURE = 0.5
"""Text that was only found above this temperature is no prompt for what follows (OpenAI's rule)."""


@dataclass(frozen=True, slots=True)
class FileProgress:
    """How much of a file is recognised, and the text of it.

    Attributes:
        fraction: From 0 to 1.
        text: Of all before that; what was taken for another language may still be corrected.
        firm_text: The beginning that no correction will touch: it only grows.
    """

    fraction: float
    text: str
    firm_text: str


@dataclass(frozen=True, slots=True)
class FileTranscript:
    """The file's transcript, and what is missing in it (nothing, as a rule)."""

    transcript: Transcript
    gaps: tuple[Gap, ...] = ()


OnProgress = Callable[[FileProgress], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a piece lies: its place among the pieces, in the file, and in the reading of it."""

    index: int
    start_sample: int
    end_sample: int
    fraction: float
    voiced: Spans = ()

    @classmethod
    def of(cls, index: int, piece: Piece, fraction: float) -> "Place":
        """Return the place of a piece."""
        end_sample = piece.start_sample + piece.pcm.size
        return cls(index, piece.start_sample, end_sample, fraction, piece.voiced)

    @property
    def audio_s(self) -> float:
        """How long the piece is."""
        return (self.end_sample - self.start_sample) / SAMPLE_RATE_HZ


@dataclass(slots=True)
class LanguageVote:
    """Settles the language of a file from its first pieces; I/O-free."""

    language: str | None = None
    probability: float = 0.0
    is_settled: bool = False
    _votes: dict[str, float] = field(default_factory=dict)
    _best: dict[str, float] = field(default_factory=dict)
    _heard: int = 0

    def add(self, transcript: Transcript, audio_s: float) -> bool:
        """Count what a piece was taken for; return whether it says anything: it has words."""
        language, probability = transcript.language, transcript.language_probability
        if language is None or not transcript.text.strip():
            return False
        self._heard += 1
        self._votes[language] = self._votes.get(language, 0.0) + probability * audio_s
        self._best[language] = max(self._best.get(language, 0.0), probability)
        if probability >= SURE_PROBABILITY:
            self._settle(language)
        elif self._heard >= MAX_UNSURE_PIECES:
            self.close()
        return True

    def close(self) -> None:
        """Settle with what was heard, if anything was."""
        if not self.is_settled and self._votes:
            self._settle(max(self._votes, key=self._votes.__getitem__))

    def _settle(self, language: str) -> None:
        self.language, self.probability = language, self._best[language]
        self.is_settled = True


class Stitching:
    """Puts the pieces' results together in order, whenever they come; I/O-free.

    A later transcript for the same place takes the earlier one's.

    Args:
        on_progress: Told of each bit of text.
        keep_words: Whether words were asked for; without them their times still bound segments.
    """

    def __init__(self, on_progress: OnProgress | None, *, keep_words: bool = True) -> None:
        self._on_progress = on_progress
        self._keep_words = keep_words
        self._results: dict[int, tuple[Place, Transcript | AuricleError]] = {}
        self._next_index = self._firm_index = 0
        self._text = self._firm_text = ""
        self._doubtful: set[int] = set()

    def doubt(self, index: int) -> None:
        """Say, before its result comes, that a piece may have to be corrected."""
        self._doubtful.add(index)

    def trust(self, index: int) -> None:
        """Say that a piece's result will not be corrected any more."""
        self._doubtful.discard(index)
        if index == self._firm_index < self._next_index:
            self._report()

    def add(self, place: Place, result: Transcript | AuricleError) -> None:
        """Take one piece's result."""
        is_correction = place.index < self._next_index
        if is_correction and not isinstance(result, Transcript):
            return  # a text in a doubtful language is better than none
        self._results[place.index] = (place, result)
        if is_correction:
            self._next_index, self._text = 0, ""
        advanced = False
        while (found := self._results.get(self._next_index)) is not None:
            if isinstance(found[1], Transcript):
                self._text = _join(self._text, found[1])
            self._next_index += 1
            advanced = True
        if advanced:
            self._report()

    def _report(self) -> None:
        if self._on_progress is None:
            return
        while self._firm_index < self._next_index and self._firm_index not in self._doubtful:
            found = self._results[self._firm_index][1]
            if isinstance(found, Transcript):
                self._firm_text = _join(self._firm_text, found)
            self._firm_index += 1
        last = self._results[self._next_index - 1][0]
        self._on_progress(FileProgress(last.fraction, self._text, self._firm_text))

    def prompt(self, index: int, initial_prompt: str | None) -> str | None:
        """Return what came before a piece, to be the model's prompt."""
        last = self._results.get(index - 1, (None, None))[1]
        if not isinstance(last, Transcript):
            return initial_prompt
        if any(segment.temperature > RESET_TEMPERATURE for segment in last.segments):
            return initial_prompt
        before = " ".join(filter(None, (initial_prompt, self._text_before(index))))
        if len(before) > MAX_PROMPT_CHARACTERS:
            before = before[-MAX_PROMPT_CHARACTERS:]
            before = before.partition(" ")[2] or before  # not from the middle of a word
        return before or None

    def _text_before(self, index: int) -> str:
        """Return at least as much of the text before a piece as a prompt may hold."""
        parts: list[Transcript] = []
        characters = 0
        while index > 0 and characters <= MAX_PROMPT_CHARACTERS:
            index -= 1
            found = self._results.get(index, (None, None))[1]
            if isinstance(found, Transcript):
                parts.append(found)
                characters += len(found.text)
        return functools.reduce(_join, reversed(parts), "")

    def result(self, duration_samples: int, decode_s: float, vote: LanguageVote) -> FileTranscript:
        """Return the whole.

        Raises:
            AuricleError: No piece succeeded; the error of the first.
        """
        results = [self._results[index] for index in sorted(self._results)]
        done = [(place, found) for place, found in results if isinstance(found, Transcript)]
        gaps = [(place, error) for place, error in results if isinstance(error, AuricleError)]
        if gaps and not done:
            raise gaps[0][1]
        given_probability = min((found.language_probability for _, found in done), default=0.0)
        transcript = Transcript(
            text=self._text,
            language=vote.language,
            language_probability=vote.probability or given_probability,
            duration_samples=duration_samples,
            segments=tuple(
                self._placed(segment, place) for place, found in done for segment in found.segments
            ),
            timing=Timing(
                decode_ms=decode_s * 1000,
                queue_ms=sum(found.timing.queue_ms for _, found in done),
                ipc_ms=sum(found.timing.ipc_ms for _, found in done),
                asr_ms=sum(found.timing.asr_ms for _, found in done),
            ),
            attempts=max((found.attempts for _, found in done), default=1),
        )
        return FileTranscript(transcript, tuple(_gap(place, error) for place, error in gaps))

    def _placed(self, segment: Segment, place: Place) -> Segment:
        """Return a segment where it lies in the file, bounded by the voice that was heard."""
        segment = fit_to_voice(_shifted(segment, place.start_sample), place.voiced)
        words = segment.words if self._keep_words else None
        return replace(segment, text=segment.text.strip(), words=words)


def _join(before: str, transcript: Transcript) -> str:
    text = transcript.text.strip()
    if not before or not text:
        return before or text
    return before + ("" if transcript.language in SPACELESS_LANGUAGES else " ") + text


def _gap(place: Place, error: AuricleError) -> Gap:
    return Gap(place.start_sample, place.end_sample, error.code)


def _shifted(segment: Segment, by_samples: int) -> Segment:
    words = segment.words
    if words is not None:
        words = tuple(_shifted_word(word, by_samples) for word in words)
    return replace(
        segment,
        start_sample=segment.start_sample + by_samples,
        end_sample=segment.end_sample + by_samples,
        words=words,
    )


def _shifted_word(word: Word, by_samples: int) -> Word:
    return replace(
        word,
        start_sample=word.start_sample + by_samples,
        end_sample=word.end_sample + by_samples,
    )
