"""Words that are given to the wrong speaker (WDER), by time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from auricle.engines.base import Engine
from auricle.files.assemble import ChunkSlot, FileLanguages, TranscriptAssembler
from auricle.values.types import Chunk, Job, JobId, JobKind, Options, Segment, Transcript
from bench.speakers.conversations import Conversation

OPTIONS = Options(language="en", beam_size=1, word_timestamps=True, is_chunk=True)


def recognise(engine: Engine, chunks: Sequence[Chunk]) -> tuple[Segment, ...]:
    """Return the segments of a file, with words; the same as the server's at beam 1."""
    assembler = TranscriptAssembler(None)
    for index, chunk in enumerate(chunks):
        job = Job(JobId(f"{index}"), chunk.pcm, OPTIONS, JobKind.FILE)
        (result,) = engine.transcribe([job])
        if isinstance(result, Transcript):
            assembler.add(ChunkSlot.of(index, chunk, 0.0), result)
    return assembler.result(0, 0.0, FileLanguages("en")).transcript.segments


@dataclass(frozen=True, slots=True)
class WordErrors:
    """Words within the reference's speech, and those given to somebody who is silent then."""

    words: int = 0
    wrong: int = 0

    def __add__(self, other: "WordErrors") -> "WordErrors":
        return WordErrors(self.words + other.words, self.wrong + other.wrong)

    @property
    def rate(self) -> float:
        """Share of words with a wrong speaker."""
        return self.wrong / max(self.words, 1)


def word_errors(
    conversation: Conversation, segments: Sequence[Segment], mapping: Mapping[str, str]
) -> WordErrors:
    """Compare each word's speaker with who speaks in the middle of the word.

    Args:
        conversation: The reference.
        segments: Segments with speakers.
        mapping: True speaker of each found one.
    """
    words = wrong = 0
    for segment in segments:
        for word in segment.words or ():
            middle = (word.start_sample + word.end_sample) // 2
            true = {
                turn.speaker
                for turn in conversation.turns
                if turn.start_sample <= middle < turn.end_sample
            }
            words += bool(true)
            wrong += bool(true) and mapping.get(str(word.speaker)) not in true
    return WordErrors(words, wrong)
