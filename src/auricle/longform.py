"""A whole file to text: pieces of speech from a decoder become file jobs, and one transcript.

Pieces are recognised side by side, as many as the lane has room for, and merged in their order with
their times shifted to the file's. Reading waits while the lane is full, so that a file of any
length takes the memory of a few pieces. There is no I/O in here but what the two seams do.

**Language.** Unless one is given, the first pieces are recognised one after another, each in the
language that it sounds like, until one of them is sure of it (``SURE_PROBABILITY``) or three have
been heard; then the likeliest one, weighed by the length of speech, is kept for the whole rest, and
early pieces that had been taken for another language are recognised again.

**Overload.** A file that was accepted never fails because others were quicker: a piece that is
refused waits as long as it is told and comes again. Only a service that shuts down ends it.

**Loss.** A piece that can't be recognised (it kills the engine, or the engine refuses it) leaves a
gap that is told, not a file without a text; only if no piece succeeds does the file fail.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Self

import anyio

from auricle.errors import AudioError, AuricleError, Draining, Overloaded, PoisonJob, Superseded
from auricle.groups import first_error
from auricle.languages import SPACELESS_LANGUAGES
from auricle.transcriber import Decoder, Progress, Transcriber
from auricle.types import (
    ANONYMOUS,
    SAMPLE_RATE_HZ,
    ClientId,
    Job,
    JobId,
    JobKind,
    Options,
    Piece,
    Segment,
    Source,
    Timing,
    Transcript,
    Word,
)

MAX_PIECE_SAMPLES = 30 * SAMPLE_RATE_HZ
"""Whisper's window: a file up to this is one job, uncut."""

SURE_PROBABILITY = 0.6
MAX_UNSURE_PIECES = 3

MAX_PROMPT_CHARACTERS = 800
"""Whisper reads at most 223 tokens of prompt; the engine keeps the last of these."""

RESET_TEMPERATURE = 0.5
"""Text that was only found above this temperature is no prompt for what follows (OpenAI's rule)."""

MIN_IN_FLIGHT = 4
MAX_IN_FLIGHT = 8

SHED_PAUSE_S = 1.0
"""Before a piece that had to give way comes again."""


@dataclass(frozen=True, slots=True)
class FileRequest:
    """What is to be done with one file.

    Attributes:
        source: Where the file is.
        id: Name of the whole; pieces are called ``id:0``, ``id:1``… Unique among those in flight.
        options: What may change the text.
        client: Whose share of the queue is used.
        trace_id: Goes into the logs beside the id.
        condition_on_previous_text: Give each piece the text before it; they run one by one then.
        is_urgent: Somebody waits: a file of one piece runs as a final, not as a file.
        max_wait_s: The deadline of such a final, and of waiting for a busy decoder.
        reservation: Room reserved for such a final.
    """

    source: Source
    id: str
    options: Options = Options()
    client: ClientId = ANONYMOUS
    trace_id: str = ""
    condition_on_previous_text: bool = False
    is_urgent: bool = False
    max_wait_s: float | None = None
    reservation: str | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Speech that could not be recognised, and the code of the error that says why."""

    start_sample: int
    end_sample: int
    code: str


@dataclass(frozen=True, slots=True)
class FileProgress:
    """How much of a file is recognised, 0 to 1, and the text of all before that."""

    fraction: float
    text: str


@dataclass(frozen=True, slots=True)
class FileTranscript:
    """The file's transcript, and what is missing in it (nothing, as a rule)."""

    transcript: Transcript
    gaps: tuple[Gap, ...] = ()


OnProgress = Callable[[FileProgress], None]


def open_lane(workers: int) -> anyio.CapacityLimiter:
    """Return the bound on pieces in flight, to be shared by all files of one service."""
    return anyio.CapacityLimiter(min(MAX_IN_FLIGHT, max(MIN_IN_FLIGHT, workers + 2)))


async def transcribe_file(
    transcriber: Transcriber,
    decoder: Decoder,
    request: FileRequest,
    *,
    lane: anyio.CapacityLimiter,
    on_progress: OnProgress | None = None,
) -> FileTranscript:
    """Return the text of a whole file; cancelling the call cancels its jobs and the reading.

    Args:
        transcriber: Recognises the pieces.
        decoder: Finds them.
        request: The file and what is asked of it.
        lane: From :func:`open_lane`.
        on_progress: Called in the event loop whenever more of the text is there.

    Raises:
        AuricleError: Whatever the decoder raises for this file; ``Draining``; for a file of one
            urgent piece also ``DeadlineExceeded``; and the first piece's error if none succeeded.
    """
    work = _FileWork(transcriber, request, lane, on_progress)
    try:
        async with contextlib.aclosing(_Reading(decoder, request)) as reading:
            return await work.run(reading)
    except BaseExceptionGroup as group:  # an anyio group wraps even a single failure
        raise first_error(group) from group


class _Reading:
    """The decoder's iterator, with the time spent waiting for it.

    A decoder that is busy before the first answer is asked again: for ever if the file was
    accepted, until the deadline if somebody waits.
    """

    def __init__(self, decoder: Decoder, request: FileRequest) -> None:
        self._decoder = decoder
        self._source = request.source
        self._patience_s = request.max_wait_s if request.is_urgent else None
        self._iterator = self._open()
        self._has_begun = self._is_done = False
        self.waited_s = 0.0

    def _open(self) -> AsyncIterator[Progress]:
        return self._decoder.decode(self._source, whole_up_to_samples=MAX_PIECE_SAMPLES)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Progress:
        if self._is_done:
            raise StopAsyncIteration
        began_at = time.perf_counter()
        progress = await self._next()
        self.waited_s += time.perf_counter() - began_at
        self._has_begun, self._is_done = True, progress.done
        return progress

    async def _next(self) -> Progress:
        asked_at = time.perf_counter()
        while True:
            try:
                return await anext(self._iterator)
            except Overloaded as error:
                again_at_s = time.perf_counter() + error.retry_after_s - asked_at
                is_too_late = self._patience_s is not None and again_at_s > self._patience_s
                if isinstance(error, Draining) or self._has_begun or is_too_late:
                    raise
                await anyio.sleep(error.retry_after_s)
                self._iterator = self._open()

    async def aclose(self) -> None:
        close = getattr(self._iterator, "aclose", None)
        if close is not None:
            await close()


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    """A piece in its place, with how far the file was read when it came."""

    index: int
    piece: Piece
    fraction: float


@dataclass(slots=True)
class _LanguageVote:
    """Settles the language of a file from its first pieces; I/O-free."""

    language: str | None
    probability: float = 0.0
    is_settled: bool = False
    _votes: dict[str, float] = field(default_factory=dict)
    _best: dict[str, float] = field(default_factory=dict)
    _heard: int = 0

    def add(self, transcript: Transcript, audio_s: float) -> None:
        """Count what one piece was taken for; a piece without words says nothing."""
        language, probability = transcript.language, transcript.language_probability
        if language is None or not transcript.text.strip():
            return
        self._heard += 1
        self._votes[language] = self._votes.get(language, 0.0) + probability * audio_s
        self._best[language] = max(self._best.get(language, 0.0), probability)
        if probability >= SURE_PROBABILITY:
            self._settle(language)
        elif self._heard >= MAX_UNSURE_PIECES:
            self.close()

    def close(self) -> None:
        """Settle with what was heard, if anything was."""
        if not self.is_settled and self._votes:
            self._settle(max(self._votes, key=self._votes.__getitem__))

    def _settle(self, language: str) -> None:
        self.language, self.probability = language, self._best[language]
        self.is_settled = True


class _FileWork:
    """One file while it is worked on."""

    def __init__(
        self,
        transcriber: Transcriber,
        request: FileRequest,
        lane: anyio.CapacityLimiter,
        on_progress: OnProgress | None,
    ) -> None:
        self._transcriber = transcriber
        self._request = request
        self._lane = lane
        self._merge = _Merge(on_progress)
        given = request.options.language
        self._vote = _LanguageVote(given, is_settled=given is not None)
        self._unsure: list[tuple[_Item, Transcript]] = []
        self._in_lane: set[_Item] = set()
        self._started = 0

    async def run(self, reading: _Reading) -> FileTranscript:
        duration_samples = 0
        held: _Item | None = None  # the first piece, until it is known whether it is the only one
        try:
            async with anyio.create_task_group() as pieces:
                async for progress in reading:
                    duration_samples = progress.duration_samples
                    if held and (progress.piece or duration_samples > MAX_PIECE_SAMPLES):
                        await self._start(pieces, held)
                        held = None
                    if progress.piece:
                        item = _Item(self._started, progress.piece, progress.fraction)
                        self._started += 1
                        if item.index == 0:
                            held = item
                        else:
                            await self._start(pieces, item)
                if held:
                    await self._run_only(held)
                await self._settle_language(at_end=True)
        finally:
            for item in self._in_lane:  # of tasks that were cancelled before their first step
                self._lane.release_on_behalf_of(item)
        return self._merge.result(duration_samples, reading.waited_s, self._vote)

    async def _run_only(self, item: _Item) -> None:
        """Run the only piece of a file, urgently if somebody waits for it."""
        if not self._request.is_urgent:
            await self._run(item)
            return
        try:
            transcript = await self._transcriber.transcribe(self._job(item, JobKind.FINAL))
        except Draining:
            raise
        except Overloaded:  # not with a reservation; without one the file lane has room
            await self._run(item)
        else:
            self._vote.add(transcript, item.piece.pcm.size / SAMPLE_RATE_HZ)
            self._merge.add(item, transcript)

    async def _start(self, pieces: anyio.abc.TaskGroup, item: _Item) -> None:
        """Run a piece now if the next one depends on it, beside the others if not."""
        if self._request.condition_on_previous_text or not self._vote.is_settled:
            await self._run(item)
            return
        await self._lane.acquire_on_behalf_of(item)
        self._in_lane.add(item)
        pieces.start_soon(self._run_in_lane, item)

    async def _run_in_lane(self, item: _Item) -> None:
        try:
            await self._recognise(item)
        finally:
            self._in_lane.discard(item)
            self._lane.release_on_behalf_of(item)

    async def _run(self, item: _Item) -> None:
        async with self._lane:
            transcript = await self._recognise(item)
        if transcript is not None and not self._vote.is_settled:
            self._unsure.append((item, transcript))
            self._vote.add(transcript, item.piece.pcm.size / SAMPLE_RATE_HZ)
            await self._settle_language()

    async def _settle_language(self, *, at_end: bool = False) -> None:
        """Recognise again what was taken for a language that the file turned out not to be in."""
        if at_end:
            self._vote.close()
        if not self._vote.is_settled:
            return
        unsure, self._unsure = self._unsure, []
        for item, transcript in unsure:
            if transcript.text and transcript.language != self._vote.language:
                async with self._lane:
                    await self._recognise(item)

    async def _recognise(self, item: _Item) -> Transcript | None:
        """Return a piece's transcript, or ``None`` if it left a gap; both are merged already."""
        try:
            transcript = await self._submit(item)
        except (AudioError, PoisonJob) as error:
            self._merge.add(item, error)
            return None
        self._merge.add(item, transcript)
        return transcript

    async def _submit(self, item: _Item) -> Transcript:
        while True:
            try:
                return await self._transcriber.transcribe(self._job(item, JobKind.FILE))
            except Draining:
                raise
            except Overloaded as error:
                await anyio.sleep(error.retry_after_s)
            except Superseded:
                await anyio.sleep(SHED_PAUSE_S)

    def _job(self, item: _Item, kind: JobKind) -> Job:
        request, is_final = self._request, kind is JobKind.FINAL
        options = replace(request.options, language=self._vote.language)
        if request.condition_on_previous_text:
            options = replace(options, initial_prompt=self._merge.prompt(options.initial_prompt))
        return Job(
            id=JobId(f"{request.id}:{item.index}"),
            pcm=item.piece.pcm,
            options=options,
            kind=kind,
            client=request.client,
            max_wait_s=request.max_wait_s if is_final else None,
            reservation=request.reservation if is_final else None,
            trace_id=request.trace_id,
        )


class _Merge:
    """Puts the pieces' results together in order, whenever they come; I/O-free.

    A later transcript for the same place takes the earlier one's.
    """

    def __init__(self, on_progress: OnProgress | None) -> None:
        self._on_progress = on_progress
        self._results: dict[int, tuple[_Item, Transcript | AuricleError]] = {}
        self._next_index = 0
        self._text = ""

    def add(self, item: _Item, result: Transcript | AuricleError) -> None:
        """Take one piece's result."""
        is_correction = item.index < self._next_index
        if is_correction and not isinstance(result, Transcript):
            return  # a text in a doubtful language is better than none
        self._results[item.index] = (item, result)
        if is_correction:
            self._next_index, self._text = 0, ""
        advanced = False
        while (found := self._results.get(self._next_index)) is not None:
            if isinstance(found[1], Transcript):
                self._text = _join(self._text, found[1])
            self._next_index += 1
            advanced = True
        if advanced and self._on_progress is not None:
            last_item = self._results[self._next_index - 1][0]
            self._on_progress(FileProgress(last_item.fraction, self._text))

    def prompt(self, initial_prompt: str | None) -> str | None:
        """Return what came before the next piece, to be the model's prompt."""
        last = self._results.get(self._next_index - 1)
        if last is None or not isinstance(last[1], Transcript):
            return initial_prompt
        if any(segment.temperature > RESET_TEMPERATURE for segment in last[1].segments):
            return initial_prompt
        before = " ".join(filter(None, (initial_prompt, self._text)))
        if len(before) > MAX_PROMPT_CHARACTERS:
            before = before[-MAX_PROMPT_CHARACTERS:]
            before = before.partition(" ")[2] or before  # not from the middle of a word
        return before or None

    def result(self, duration_samples: int, decode_s: float, vote: _LanguageVote) -> FileTranscript:
        """Return the whole.

        Raises:
            AuricleError: No piece succeeded; the error of the first.
        """
        results = [self._results[index] for index in sorted(self._results)]
        done = [(item, found) for item, found in results if isinstance(found, Transcript)]
        gaps = [(item, error) for item, error in results if isinstance(error, AuricleError)]
        if gaps and not done:
            raise gaps[0][1]
        given_probability = done[0][1].language_probability if done else 0.0
        transcript = Transcript(
            text=self._text,
            language=vote.language,
            language_probability=vote.probability or given_probability,
            duration_samples=duration_samples,
            segments=tuple(
                _shifted(segment, item.piece.start_sample)
                for item, found in done
                for segment in found.segments
            ),
            timing=Timing(
                decode_ms=decode_s * 1000,
                queue_ms=sum(found.timing.queue_ms for _, found in done),
                ipc_ms=sum(found.timing.ipc_ms for _, found in done),
                asr_ms=sum(found.timing.asr_ms for _, found in done),
            ),
            attempts=max((found.attempts for _, found in done), default=1),
        )
        return FileTranscript(transcript, tuple(_gap(item, error) for item, error in gaps))


def _join(before: str, transcript: Transcript) -> str:
    text = transcript.text.strip()
    if not before or not text:
        return before or text
    return before + ("" if transcript.language in SPACELESS_LANGUAGES else " ") + text


def _gap(item: _Item, error: AuricleError) -> Gap:
    start_sample = item.piece.start_sample
    return Gap(start_sample, start_sample + item.piece.pcm.size, error.code)


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
