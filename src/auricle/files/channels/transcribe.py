"""Transcribe the channels of a file apart: each is read and transcribed like a file with one.

Decode workers read the file once for each channel, so that a worker's death, a damaged file and the
memory of a long one are handled as for any file. A channel is a speaker: the merged transcript has
the segments of all channels by their times.

A channel that can't be transcribed leaves a gap of its length; the file fails if all channels do.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from itertools import zip_longest

import anyio

from auricle.files.assemble import FileProgress, FileTranscript, OnProgress
from auricle.files.channels.merge import merged, similar_channels
from auricle.files.fair_semaphore import FairSemaphore
from auricle.files.transcribe import FileRequest, FinishedChunks, transcribe_file
from auricle.system.groups import first_error
from auricle.values.errors import AudioError, AuricleError, BadRequest, PoisonJob
from auricle.values.limits import MAX_CHANNELS
from auricle.values.transcriber import Progress, Reader, Transcriber
from auricle.values.types import ANONYMOUS, SAMPLE_RATE_HZ, Chunk, ClientId, Source

_COMPARED_SAMPLES = 60 * SAMPLE_RATE_HZ
"""Speech that is compared, from the start of the file."""


async def transcribe_channels(
    transcriber: Transcriber,
    decoder: Reader,
    request: FileRequest,
    *,
    chunk_slots: FairSemaphore,
    on_progress: OnProgress | None = None,
    finished: FinishedChunks | None = None,
) -> FileTranscript:
    """Return the texts of all channels of a file; see :func:`.transcribe_file`.

    Raises:
        BadRequest: The file has more than ``MAX_CHANNELS``.
        AuricleError: As for a file with one channel.
    """
    work = _Channels(transcriber, decoder, request, chunk_slots, on_progress, finished)
    try:
        return await work.run()
    except BaseExceptionGroup as group:  # an anyio group wraps even a single failure
        raise first_error(group) from group


@dataclass(slots=True)
class _Channels:
    """The state of one file while its channels are transcribed."""

    transcriber: Transcriber
    decoder: Reader
    request: FileRequest
    chunk_slots: FairSemaphore
    on_progress: OnProgress | None
    finished: FinishedChunks | None
    is_open: anyio.Event = field(default_factory=anyio.Event)
    count: int = 1
    beginnings: dict[int, list[Chunk]] = field(default_factory=dict)
    progress: dict[int, FileProgress] = field(default_factory=dict)
    results: dict[int, FileTranscript | AuricleError] = field(default_factory=dict)

    async def run(self) -> FileTranscript:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._transcribe, 0)
            await self.is_open.wait()
            if self.count > MAX_CHANNELS:
                raise BadRequest(
                    f"The file has {self.count} channels; multichannel is for at most "
                    f"{MAX_CHANNELS}. Omit it to mix them."
                )
            for channel in range(1, self.count):
                tasks.start_soon(self._transcribe, channel)
        similar = await anyio.to_thread.run_sync(similar_channels, self.beginnings)
        return merged(self.results, similar)

    def opened(self, channels: int) -> None:
        """Note the number of channels, once the file is open."""
        self.count = channels
        self.is_open.set()

    def found(self, channel: int, chunk: Chunk) -> None:
        """Keep the beginning of a channel's speech, to compare it."""
        if chunk.start_sample + chunk.pcm.size <= _COMPARED_SAMPLES:
            self.beginnings.setdefault(channel, []).append(chunk)

    async def _transcribe(self, channel: int) -> None:
        request = self.request
        request = replace(
            request,
            id=f"{request.id}.{channel}",
            source=replace(request.source, channel=channel),
            reservation=None if channel else request.reservation,
        )
        try:
            self.results[channel] = await transcribe_file(
                self.transcriber,
                _ChannelReader(self.decoder, channel, self),
                request,
                chunk_slots=self.chunk_slots,
                on_progress=None if self.on_progress is None else self._reporter(channel),
                finished=self.finished,
            )
        except (AudioError, PoisonJob) as error:
            if not self.is_open.is_set():
                raise
            self.results[channel] = error
        text = "" if channel not in self.progress else self.progress[channel].text
        self.progress[channel] = FileProgress(1.0, text, "")

    def _reporter(self, channel: int) -> OnProgress:
        def report(progress: FileProgress) -> None:
            assert self.on_progress is not None
            self.progress[channel] = progress
            parts = [self.progress[at] for at in sorted(self.progress)]
            fraction = sum(part.fraction for part in parts) / self.count
            text = "\n".join(part.text for part in parts if part.text)
            pending = [
                replace(chunk, share=chunk.share / self.count)
                for chunks in zip_longest(*(part.pending for part in parts))
                for chunk in chunks
                if chunk is not None
            ]
            self.on_progress(FileProgress(fraction, text, "", tuple(pending)))

        return report


class _ChannelReader:
    """A reader of one channel that notes what the file has."""

    def __init__(self, decoder: Reader, channel: int, work: _Channels) -> None:
        self._decoder = decoder
        self._channel = channel
        self._work = work

    async def decode(
        self, source: Source, *, client: ClientId = ANONYMOUS
    ) -> AsyncIterator[Progress]:
        """See :class:`auricle.values.transcriber.Reader`."""
        async for progress in self._decoder.decode(source, client=client):
            if not self._channel:
                self._work.opened(progress.channels)
            if progress.chunk is not None:
                self._work.found(self._channel, progress.chunk)
            yield progress
