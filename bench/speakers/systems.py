"""Who speaks when in a conversation, as Auricle finds it in a file and live, in one process."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auricle.audio.chunks import ChunkCutter, CutRules
from auricle.audio.endpointer import Endpointer, EndpointRules, UtteranceEnd
from auricle.audio.vad import SpeechDetector
from auricle.values.speakers import Span
from auricle.values.types import Chunk, Pcm16, SpeakerOptions
from auricle.workers.kinds.speakers.embedder import SpeakerEmbedder
from auricle.workers.kinds.speakers.voices.diarization import Turns, diarize
from auricle.workers.kinds.speakers.voices.online import SpeakerTracker
from auricle.workers.kinds.speakers.voices.stretches import cut_live_stretches, cut_stretches
from auricle.workers.kinds.speakers.voices.turns import Turn

NOT_ASKED = SpeakerOptions()


@dataclass(frozen=True, slots=True, eq=False)
class FileSpeech:
    """Chunks of a recording and the embeddings of their stretches."""

    chunks: Sequence[Chunk]
    stretches: Sequence[Span]
    vectors: npt.NDArray[np.float32]
    cpu_s: float

    @property
    def voiced(self) -> list[Span]:
        """Where there is speech."""
        return [span for chunk in self.chunks for span in chunk.voiced]

    def turns(self, options: SpeakerOptions = NOT_ASKED) -> Turns:
        """Return who speaks when."""
        return diarize(self.voiced, self.stretches, self.vectors, options)


def read_file(embedder: SpeakerEmbedder, pcm: Pcm16) -> FileSpeech:
    """Return the speech of a recording; its CPU time is that of the embeddings only."""
    detector, cutter = SpeechDetector(), ChunkCutter(CutRules())
    probabilities = np.concatenate([detector.probabilities(pcm), detector.finish()])
    chunks = cutter.feed(pcm, probabilities) + cutter.finish()
    stretches = [span for chunk in chunks for span in cut_stretches(chunk.voiced)]
    started_s = time.process_time()
    vectors = embedder.embed(pcm, stretches)
    return FileSpeech(chunks, stretches, vectors, time.process_time() - started_s)


@dataclass(frozen=True, slots=True)
class LiveResult:
    """Turns of a live session: as first sent, and after all revisions."""

    first: tuple[Turn, ...]
    last: tuple[Turn, ...]
    finals: int
    revised: int
    cpu_s: float
    max_call_s: float


def follow(embedder: SpeakerEmbedder, pcm: Pcm16) -> LiveResult:
    """Return the turns of the finals of a session that sends this audio."""
    tracker = SpeakerTracker(NOT_ASKED)
    stretches: list[tuple[Span, ...]] = []
    first: list[tuple[int, ...]] = []
    last: list[tuple[int, ...]] = []
    revised: set[int] = set()
    longest_s = 0.0
    ended = list(utterances(pcm))
    started_s = time.process_time()
    for utterance in ended:
        spans = cut_live_stretches(utterance.voiced)
        vectors = embedder.embed(pcm, spans)
        called_s = time.process_time()
        labels = tracker.label(spans, vectors)
        changes = tracker.revise()
        longest_s = max(longest_s, time.process_time() - called_s)
        stretches.append(spans)
        last.append(labels)
        for index, changed in changes.items():
            last[index] = changed
        first.append(last[-1])
        revised |= set(changes)
    for index, changed in tracker.finish().items():
        last[index] = changed
        revised.add(index)
    cpu_s = time.process_time() - started_s
    return LiveResult(
        _turns(stretches, first), _turns(stretches, last), len(last), len(revised), cpu_s, longest_s
    )


def utterances(pcm: Pcm16) -> Iterator[UtteranceEnd]:
    """Yield the utterances of a live session that sends this audio."""
    endpointer = Endpointer(EndpointRules())
    events = endpointer.receive(pcm, SpeechDetector().probabilities(pcm))
    for event in (*events, *endpointer.finish()):
        if isinstance(event, UtteranceEnd):
            yield event


def _turns(
    stretches: Sequence[Sequence[Span]], labels: Sequence[Sequence[int]]
) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    for spans, speakers in zip(stretches, labels, strict=True):
        for (start, end), speaker in zip(spans, speakers, strict=True):
            if turns and turns[-1].end_sample == start and turns[-1].speaker == speaker:
                start = turns.pop().start_sample
            turns.append(Turn(start, end, speaker, 1.0))
    return tuple(turns)
