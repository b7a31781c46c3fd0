"""Assemble the chunks' results: languages, one text, times of the file; no I/O."""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from auricle.audio.voice import Spans, fit_to_voice
from auricle.values.errors import AuricleError
from auricle.values.languages import SPACELESS_LANGUAGES, language_warning
from auricle.values.types import SAMPLE_RATE_HZ, Chunk, Gap, Segment, Timing, Transcript

SURE_PROBABILITY = 0.6
MAX_UNSURE_CHUNKS = 3

MAX_PROMPT_CHARACTERS = 800
"""Models read at most a few hundred tokens of prompt; the engine keeps the last of them."""

RESET_TEMPERATURE = 0.5
"""Text decoded above this temperature is not used as a prompt for later text (OpenAI's rule)."""


@dataclass(frozen=True, slots=True)
class PendingChunk:
    """A chunk whose result is still missing.

    Attributes:
        share: Part of the file that it completes, from 0 to 1, with the silence before it.
        audio_s: Its length, in seconds.
    """

    share: float
    audio_s: float


@dataclass(frozen=True, slots=True)
class FileProgress:
    """The recognised fraction of a file, and its text.

    Attributes:
        fraction: From 0 to 1.
        text: Text of that fraction; text in a doubtful language may still be corrected.
        stable_text: The stable beginning of the text: it only grows.
        pending: The chunks that were submitted and have no result yet, in order.
    """

    fraction: float
    text: str
    stable_text: str
    pending: tuple[PendingChunk, ...] = ()


@dataclass(frozen=True, slots=True)
class FileTranscript:
    """The file's transcript, its gaps (usually none), and warnings, such as missing speakers.

    ``channels`` are the transcripts of channels that were transcribed apart, each a speaker of
    ``transcript``.
    """

    transcript: Transcript
    gaps: tuple[Gap, ...] = ()
    warnings: tuple[str, ...] = ()
    channels: tuple[Transcript, ...] = ()

    def without_words(self) -> "FileTranscript":
        """Return the same transcript without its words."""
        segments = tuple(replace(segment, words=None) for segment in self.transcript.segments)
        return replace(self, transcript=replace(self.transcript, segments=segments))


OnProgress = Callable[[FileProgress], None]


@dataclass(frozen=True, slots=True)
class ChunkSlot:
    """Position of a chunk: its index, its time in the file, and the fraction read after it."""

    index: int
    start_sample: int
    end_sample: int
    fraction: float
    voiced: Spans = ()

    @classmethod
    def of(cls, index: int, chunk: Chunk, fraction: float) -> "ChunkSlot":
        """Return the slot of a chunk."""
        end_sample = chunk.start_sample + chunk.pcm.size
        return cls(index, chunk.start_sample, end_sample, fraction, chunk.voiced)

    @property
    def audio_s(self) -> float:
        """Length of the chunk, in seconds."""
        return (self.end_sample - self.start_sample) / SAMPLE_RATE_HZ


@dataclass(slots=True)
class FileLanguages:
    """Decide the language of each chunk of a file, in the order of the chunks; no I/O.

    A chunk whose language is certain keeps it. Another chunk gets the language of the last certain
    chunk before it, or else of the first one after it. If the first ``MAX_UNSURE_CHUNKS`` are all
    uncertain, the most probable language is used, weighted by the length of speech.

    Attributes:
        requested: The requested language; none is detected then, but the engine may use another
            one for a chunk that is clearly in it.
    """

    requested: str | None = None
    _spoken: str | None = None
    _pending: list[tuple[int, str, float]] = field(default_factory=list)
    _weights: dict[str, float] = field(default_factory=dict)
    _seconds: dict[str, float] = field(default_factory=dict)
    _best: dict[str, float] = field(default_factory=dict)

    def add(
        self, index: int, transcript: Transcript | None, audio_s: float
    ) -> list[tuple[int, str | None]]:
        """Add the next chunk; return the chunks that are now decided, with their languages.

        A chunk without text has no language.
        """
        if transcript is None or transcript.language is None or not transcript.text.strip():
            return [(index, None)]
        language, probability = transcript.language, transcript.language_probability
        self._best[language] = max(self._best.get(language, 0.0), probability)
        self._weights[language] = self._weights.get(language, 0.0) + probability * audio_s
        self._pending.append((index, language, audio_s))
        if probability >= SURE_PROBABILITY:
            self._spoken = language
            return self._decide([(at, language) for at, _, _ in self._pending])
        if self._spoken is not None:
            return self._decide([(index, self._spoken)])
        return self.close() if len(self._pending) >= MAX_UNSURE_CHUNKS else []

    def close(self) -> list[tuple[int, str | None]]:
        """Decide the remaining chunks and return them."""
        if not self._pending:
            return []
        self._spoken = language = max(self._weights, key=self._weights.__getitem__)
        return self._decide([(at, language) for at, _, _ in self._pending])

    def _decide(self, decided: list[tuple[int, str]]) -> list[tuple[int, str | None]]:
        for (_, _, audio_s), (_, language) in zip(self._pending, decided, strict=True):
            self._seconds[language] = self._seconds.get(language, 0.0) + audio_s
        self._pending = []
        return [(at, language) for at, language in decided]

    @property
    def main(self) -> str | None:
        """The language with the most speech."""
        if self.requested is not None or not self._seconds:
            return self.requested
        return max(self._seconds, key=self._seconds.__getitem__)

    @property
    def probability(self) -> float:
        """The highest probability of the main language in any chunk."""
        return self._best.get(self.main or "", 0.0)


class TranscriptAssembler:
    """Assemble the chunks' results in order, whenever they arrive; no I/O.

    A later transcript for the same slot replaces the earlier one.

    Args:
        on_progress: Called with each addition to the text, and when a chunk is submitted.
        keep_words: Whether words were requested; without them their times still limit segments.
    """

    def __init__(self, on_progress: OnProgress | None, *, keep_words: bool = True) -> None:
        self._on_progress = on_progress
        self._keep_words = keep_words
        self._results: dict[int, tuple[ChunkSlot, Transcript | AuricleError]] = {}
        self._next_index = self._stable_index = 0
        self._text = self._stable_text = ""
        self._pending: dict[int, PendingChunk] = {}
        self._submitted_fraction = 0.0
        self._uncertain: set[int] = set()

    def mark_submitted(self, slot: ChunkSlot) -> None:
        """Mark a chunk as submitted; chunks are submitted in order."""
        share = slot.fraction - self._submitted_fraction
        self._pending[slot.index] = PendingChunk(share, slot.audio_s)
        self._submitted_fraction = slot.fraction
        self._report()

    def mark_uncertain(self, index: int) -> None:
        """Mark a chunk, before its result arrives, as one that may be corrected."""
        self._uncertain.add(index)

    def mark_final(self, index: int) -> None:
        """Mark a chunk's result as one that will not be corrected any more."""
        self._uncertain.discard(index)
        if index == self._stable_index < self._next_index:
            self._report()

    def add(self, slot: ChunkSlot, result: Transcript | AuricleError) -> None:
        """Add one chunk's result."""
        is_correction = slot.index < self._next_index
        if is_correction and not isinstance(result, Transcript):
            return  # text in a doubtful language is better than none
        self._results[slot.index] = (slot, result)
        self._pending.pop(slot.index, None)
        if is_correction:
            self._next_index, self._text = 0, ""
        advanced = False
        while (entry := self._results.get(self._next_index)) is not None:
            if isinstance(entry[1], Transcript):
                self._text = _join(self._text, entry[1])
            self._next_index += 1
            advanced = True
        if advanced:
            self._report()

    def _report(self) -> None:
        if self._on_progress is None:
            return
        while self._stable_index < self._next_index and self._stable_index not in self._uncertain:
            result = self._results[self._stable_index][1]
            if isinstance(result, Transcript):
                self._stable_text = _join(self._stable_text, result)
            self._stable_index += 1
        done = self._results[self._next_index - 1][0].fraction if self._next_index else 0.0
        pending = tuple(self._pending.values())
        self._on_progress(FileProgress(done, self._text, self._stable_text, pending))

    def prompt(self, index: int, initial_prompt: str | None) -> str | None:
        """Return the model's prompt for a chunk: the text before it."""
        last = self._results.get(index - 1, (None, None))[1]
        if not isinstance(last, Transcript):
            return initial_prompt
        if any(segment.temperature > RESET_TEMPERATURE for segment in last.segments):
            return initial_prompt
        before = " ".join(filter(None, (initial_prompt, self._text_before(index))))
        if len(before) > MAX_PROMPT_CHARACTERS:
            before = before[-MAX_PROMPT_CHARACTERS:]
            before = before.partition(" ")[2] or before  # do not start within a word
        return before or None

    def _text_before(self, index: int) -> str:
        """Return at least the text before a chunk that fits into a prompt."""
        parts: list[Transcript] = []
        characters = 0
        while index > 0 and characters <= MAX_PROMPT_CHARACTERS:
            index -= 1
            result = self._results.get(index, (None, None))[1]
            if isinstance(result, Transcript):
                parts.append(result)
                characters += len(result.text)
        return functools.reduce(_join, reversed(parts), "")

    def result(
        self, duration_samples: int, decode_s: float, languages: FileLanguages
    ) -> FileTranscript:
        """Return the whole transcript.

        Raises:
            AuricleError: All chunks failed; the error of the first.
        """
        results = [self._results[index] for index in sorted(self._results)]
        done = [(slot, result) for slot, result in results if isinstance(result, Transcript)]
        gaps = [(slot, error) for slot, error in results if isinstance(error, AuricleError)]
        if gaps and not done:
            raise gaps[0][1]
        requested, language = languages.requested, languages.main
        if requested is not None:
            language = _main_language(requested, done)
        parts = [part for _, part in done if requested is None or part.language in (language, None)]
        lowest_probability = min((part.language_probability for part in parts), default=0.0)
        transcript = Transcript(
            text=self._text,
            language=language,
            language_probability=languages.probability or lowest_probability,
            duration_samples=duration_samples,
            segments=tuple(
                self._in_file(segment, slot, part.language)
                for slot, part in done
                for segment in part.segments
            ),
            timing=Timing(
                decode_ms=decode_s * 1000,
                queue_ms=sum(part.timing.queue_ms for _, part in done),
                ipc_ms=sum(part.timing.ipc_ms for _, part in done),
                asr_ms=sum(part.timing.asr_ms for _, part in done),
            ),
            attempts=max((part.attempts for _, part in done), default=1),
        )
        warnings = (
            language_warning(requested, part.language, part.language_probability)
            for _, part in done
        )
        return FileTranscript(
            transcript,
            tuple(_gap(slot, error) for slot, error in gaps),
            tuple(dict.fromkeys(filter(None, warnings))),
        )

    def _in_file(self, segment: Segment, slot: ChunkSlot, language: str | None) -> Segment:
        """Return a segment with its times in the file, limited to the detected speech."""
        segment = fit_to_voice(_shifted(segment, slot.start_sample), slot.voiced)
        words = segment.words if self._keep_words else None
        return replace(segment, text=segment.text.strip(), words=words, language=language)


def _main_language(requested: str, done: Iterable[tuple[ChunkSlot, Transcript]]) -> str:
    """Return the language of most of the text: the requested one, or another that was spoken."""
    seconds = {requested: 0.0}
    for slot, part in done:
        if part.language is not None and part.text.strip():
            seconds[part.language] = seconds.get(part.language, 0.0) + slot.audio_s
    return max(seconds, key=seconds.__getitem__)


def _join(before: str, transcript: Transcript) -> str:
    text = transcript.text.strip()
    if not before or not text:
        return before or text
    return before + ("" if transcript.language in SPACELESS_LANGUAGES else " ") + text


def _gap(slot: ChunkSlot, error: AuricleError) -> Gap:
    return Gap(slot.start_sample, slot.end_sample, error.code)


def _shifted(segment: Segment, by_samples: int) -> Segment:
    words = segment.words
    return replace(
        segment,
        start_sample=segment.start_sample + by_samples,
        end_sample=segment.end_sample + by_samples,
        words=None if words is None else tuple(word.shifted(by_samples) for word in words),
    )
