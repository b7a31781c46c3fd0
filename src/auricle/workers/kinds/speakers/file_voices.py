"""The speakers of a file: voices of its chunks while they are recognised, speakers at the end.

A chunk whose voices can't be embedded is repeated for a while, and then left without speakers. The
transcript is never lost with them: it says which part has no speakers, or that none has.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import anyio
import numpy as np
import numpy.typing as npt

from auricle.values.errors import SpeakersUnavailable
from auricle.values.speakers import NONE_FOUND, Span, VoicePrint
from auricle.values.transcriber import VoiceEmbedder
from auricle.values.types import (
    SAMPLE_RATE_HZ,
    Chunk,
    ClientId,
    EmbedJob,
    JobId,
    Segment,
    SpeakerEmbeddings,
    SpeakerOptions,
    Transcript,
)
from auricle.workers.kinds.speakers.voices.diarization import Turns, diarize
from auricle.workers.kinds.speakers.voices.names import Reference
from auricle.workers.kinds.speakers.voices.stretches import cut_stretches

PATIENCE_S = 60.0
"""Time for which a chunk is repeated, in seconds."""
MAX_URGENT_PATIENCE_S = 5.0
"""Maximum time for which a chunk is repeated while a client waits."""
RETRY_S = 0.5
MAX_WAIT_S = 600.0
"""Maximum wait for one chunk of a background job, in seconds; its embedding takes half a second."""


@dataclass(frozen=True, slots=True, eq=False)
class _Voices:
    """The voices of one chunk, in samples of the file; a stretch of digital silence has none."""

    voiced: Sequence[Span]
    stretches: Sequence[Span]
    vectors: npt.NDArray[np.float32]


class FileVoices:
    """Collects the voices of a file and finds its speakers.

    Args:
        embedder: Embeds the voices.
        file: ID of the file; jobs have the IDs ``file:start:voices``.
        client: The client whose crashes are counted.
        max_wait_s: Deadline of each job if a client waits, otherwise ``None``.
        options: What is known of the number of speakers.
        references: Named voices.
        patience_s: Time for which a chunk is repeated, in seconds; less if a client waits.
        model: Identifies the model of the embeddings.
    """

    def __init__(
        self,
        embedder: VoiceEmbedder,
        file: str,
        client: ClientId,
        max_wait_s: float | None,
        options: SpeakerOptions,
        references: Sequence[Reference] = (),
        *,
        patience_s: float = PATIENCE_S,
        model: str = "",
    ) -> None:
        self._embedder = embedder
        self._model = model
        self._file = file
        self._client = client
        self._max_wait_s = max_wait_s
        self._options = options
        self._references = references
        self._patience_s = patience_s
        self._found: dict[int, _Voices] = {}
        self._missing: list[Span] = []
        self._assigned: Turns | None = None

    @property
    def missing(self) -> Sequence[Span]:
        """Where voices could not be embedded, in order of time."""
        return sorted(self._missing)

    @property
    def vectors(self) -> npt.NDArray[np.float32]:
        """All embeddings in order of time, shape [stretches, dimensions]; empty without a voice."""
        found = [voices.vectors for voices in self._in_order()]
        return np.concatenate(found) if found else np.empty((0, 0), np.float32)

    async def add(self, chunk: Chunk) -> None:
        """Embed the voices of a chunk; if that is impossible, the chunk is missing."""
        start = chunk.start_sample
        span = (start, start + chunk.pcm.size)
        voiced = chunk.voiced or (span,)
        stretches = cut_stretches(voiced)
        if not stretches:
            return
        job = EmbedJob(
            id=JobId(f"{self._file}:{start}:voices"),
            pcm=chunk.pcm,
            stretches=tuple((first - start, last - start) for first, last in stretches),
            client=self._client,
            max_wait_s=self._max_wait_s or MAX_WAIT_S,
        )
        try:
            embeddings = await self._embed(job)
        except SpeakersUnavailable:
            self._missing.append(span)
        else:
            voiced_stretches = [
                (first + start, last + start) for first, last in embeddings.stretches
            ]
            self._found[start] = _Voices(voiced, voiced_stretches, embeddings.vectors)

    async def _embed(self, job: EmbedJob) -> SpeakerEmbeddings:
        patience_s = self._patience_s
        if self._max_wait_s is not None:
            patience_s = min(patience_s, MAX_URGENT_PATIENCE_S)
        if self._missing:  # one chunk was patient for all
            patience_s = 0.0
        until = time.monotonic() + patience_s
        while True:
            try:
                with anyio.move_on_after(job.max_wait_s):
                    return await self._embedder.embed(job)
                raise SpeakersUnavailable
            except SpeakersUnavailable:
                if time.monotonic() + RETRY_S > until:
                    raise
            await anyio.sleep(RETRY_S)

    def turns(self) -> Turns:
        """Return who speaks when; takes about a second for an hour of speech."""
        found = self._in_order()
        if not found:
            return Turns()
        return diarize(
            [span for voices in found for span in voices.voiced],
            [stretch for voices in found for stretch in voices.stretches],
            self.vectors,
            self._options,
            self._references,
        )

    def assign(self, transcript: Transcript) -> tuple[Transcript, tuple[str, ...]]:
        """Return the transcript with its speakers, and warnings that say where it has none.

        Takes as long as :meth:`turns`.
        """
        turns, missing = self.turns(), self.missing
        self._assigned = turns
        segments = tuple(_assigned(transcript.segments, turns, missing))
        labelled = replace(transcript, segments=segments, speakers=turns.speakers)
        if missing and not turns.speakers:
            return labelled, (NONE_FOUND,)
        return labelled, tuple(
            f"No speakers from {start / SAMPLE_RATE_HZ:g} to {end / SAMPLE_RATE_HZ:g} s."
            for start, end in missing
        )

    def prints(self) -> Mapping[int, VoicePrint]:
        """Return the voice of each speaker, by number; see :meth:`.FileSpeakers.prints`."""
        turns = self.turns() if self._assigned is None else self._assigned
        seconds = [0.0] * len(turns.voices)
        for turn in turns.turns:
            seconds[turn.speaker] += (turn.end_sample - turn.start_sample) / SAMPLE_RATE_HZ
        voices = zip(turns.voices, seconds, strict=True)
        return {number: VoicePrint(self._model, *voice) for number, voice in enumerate(voices)}

    def _in_order(self) -> list[_Voices]:
        return [self._found[start] for start in sorted(self._found)]


def _assigned(
    segments: Sequence[Segment], turns: Turns, missing: Sequence[Span]
) -> Iterator[Segment]:
    """Yield the segments with their speakers; those in missing parts have none."""

    def is_missing(segment: Segment) -> bool:
        return any(start <= segment.start_sample < end for start, end in missing)

    for has_no_speakers, group in groupby(segments, key=is_missing):
        part = tuple(group)
        yield from part if has_no_speakers else turns.assigned_to(part)
