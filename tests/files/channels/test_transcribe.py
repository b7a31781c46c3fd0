"""The channels of a file are transcribed like files."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest

from auricle.files.assemble import FileProgress, FileTranscript
from auricle.files.channels.transcribe import transcribe_channels
from auricle.files.transcribe import FileRequest, chunk_semaphore
from auricle.values.errors import AudioError, BadRequest, EmptyAudio
from auricle.values.transcriber import Progress
from auricle.values.types import (
    ANONYMOUS,
    Chunk,
    ClientId,
    Gap,
    Job,
    Options,
    Source,
    Speaker,
    Transcript,
)
from tests.support.decoder import speech
from tests.support.transcriber import FakeTranscriber, heard

pytestmark = pytest.mark.unit

SECOND = 16_000
REQUEST = FileRequest(Source("/nowhere/call.wav"), "f", Options(language="en"))
Step = Progress | Exception


@dataclass
class Decoder:
    """A file with a script for each channel."""

    channels: Sequence[Sequence[Step]]
    count: int | None = None
    sources: list[Source] = field(default_factory=list)

    async def decode(
        self, source: Source, *, client: ClientId = ANONYMOUS
    ) -> AsyncIterator[Progress]:
        self.sources.append(source)
        assert source.channel is not None
        for step in self.channels[source.channel]:
            if isinstance(step, Exception):
                raise step
            yield Progress(
                step.fraction,
                step.duration_samples,
                step.chunk,
                step.done,
                self.count or len(self.channels),
            )


def track(*pieces: tuple[float, float], duration_s: float = 60.0) -> list[Step]:
    """Return a channel with chunks that start and last this long."""
    end = int(duration_s * SECOND)
    chunks = [Chunk(int(at * SECOND), speech(seconds)) for at, seconds in pieces]
    steps = [Progress(0.5, end, chunk) for chunk in chunks]
    return [*steps, Progress(1.0, end, done=True)]


async def run(
    decoder: Decoder,
    request: FileRequest = REQUEST,
    seen: list[FileProgress] | None = None,
    answer: object = None,
) -> tuple[FileTranscript, FakeTranscriber]:
    transcriber = FakeTranscriber(script=[answer] * 100 if answer else [])  # type: ignore[list-item]  # as the test wants
    result = await transcribe_channels(
        transcriber,
        decoder,
        request,
        chunk_slots=chunk_semaphore(2, 8),
        on_progress=None if seen is None else seen.append,
    )
    return result, transcriber


def length(job: Job) -> Transcript:
    return heard(f"{job.audio_s:g}s", job)


async def test_segments_of_all_channels_are_merged_by_their_times() -> None:
    decoder = Decoder([track((0, 2), (10, 3)), track((4, 5), (20, 1))])
    seen: list[FileProgress] = []
    result, transcriber = await run(decoder, seen=seen, answer=length)
    found = [(segment.channel, segment.text) for segment in result.transcript.segments]
    assert found == [(0, "2s"), (1, "5s"), (0, "3s"), (1, "1s")]
    assert [segment.speaker for segment in result.transcript.segments] == [0, 1, 0, 1]
    assert result.transcript.speakers == (Speaker(0), Speaker(1))
    assert result.transcript.text == "2s\n5s\n3s\n1s"
    assert [channel.text for channel in result.channels] == ["2s 3s", "5s 1s"]
    assert all(segment.channel is None for each in result.channels for segment in each.segments)
    assert {source.channel for source in decoder.sources} == {0, 1}
    assert len({job.id for job in transcriber.jobs}) == 4
    assert seen[-1].fraction == 0.5
    assert seen[-1].pending == ()
    ahead = [sum(chunk.share for chunk in progress.pending) for progress in seen]
    assert max(ahead) > 0
    assert all(each.fraction + more <= 0.5 for each, more in zip(seen, ahead, strict=True))
    assert result.warnings == ()


async def test_one_channel_is_a_file_with_one() -> None:
    result, _ = await run(Decoder([track((0, 2))]), answer=length)
    assert [(segment.channel, segment.text) for segment in result.transcript.segments] == [
        (0, "2s")
    ]
    assert len(result.channels) == 1


async def test_a_silent_channel_has_an_empty_transcript() -> None:
    hour = 3600.0
    result, _ = await run(Decoder([track((0, 2)), track(duration_s=hour)]), answer=length)
    assert [channel.text for channel in result.channels] == ["2s", ""]
    assert result.transcript.duration_samples == hour * SECOND
    assert result.gaps == ()


async def test_too_many_channels_are_refused() -> None:
    with pytest.raises(BadRequest, match="The file has 16 channels; multichannel is for at most 8"):
        await run(Decoder([track((0, 2))], count=16))


async def test_a_file_that_can_not_be_read_fails_and_a_channel_leaves_a_gap() -> None:
    with pytest.raises(EmptyAudio):
        await run(Decoder([[EmptyAudio("nothing")], track((0, 1))]))
    result, _ = await run(Decoder([track((0, 2)), [AudioError("damaged")]]), answer=length)
    assert result.gaps == (Gap(0, 60 * SECOND, AudioError.code, 1),)
    assert [channel.text for channel in result.channels] == ["2s", ""]


async def test_only_the_first_channel_uses_the_reservation_of_an_utterance() -> None:
    request = FileRequest(
        Source("/nowhere/call.wav"), "f", is_urgent=True, reservation="room", max_wait_s=60.0
    )
    decoder = Decoder([track((0, 2), duration_s=5), track((0, 2), duration_s=5)])
    _, transcriber = await run(decoder, request)
    assert sorted(str(job.reservation) for job in transcriber.jobs) == ["None", "room"]
