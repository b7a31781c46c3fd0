"""What the tests of transcribe share."""

from collections.abc import Sequence
from itertools import pairwise

from auricle.files.transcribe import (
    FileProgress,
    FileRequest,
    FileTranscript,
    chunk_semaphore,
    transcribe_file,
)
from auricle.values.transcriber import Progress
from auricle.values.types import Job, Options, Source, Transcript
from tests.support.decoder import FakeDecoder
from tests.support.transcriber import Answer, FakeTranscriber, heard

SECOND = 16_000
SOURCE = Source("/nowhere/a.wav")
REQUEST = FileRequest(SOURCE, "f")
ENGLISH = Options(language="en")


def text_of_length(job: Job) -> Transcript:
    return heard(f"{job.audio_s:g}s", job)


async def run(
    transcriber: FakeTranscriber,
    script: Sequence[Progress | Exception],
    request: FileRequest = REQUEST,
    seen: list[FileProgress] | None = None,
) -> FileTranscript:
    decoder = FakeDecoder(script)
    told: list[FileProgress] = [] if seen is None else seen
    try:
        result = await transcribe_file(
            transcriber,
            decoder,
            request,
            chunk_slots=chunk_semaphore(2, 8),
            on_progress=told.append,
        )
    finally:
        assert decoder.open_readings == 0
        assert transcriber.in_flight == 0
    firm = [*(progress.stable_text for progress in told), result.transcript.text]
    assert all(later.startswith(earlier) for earlier, later in pairwise(firm))
    assert not told or told[-1].stable_text == result.transcript.text
    return result


def replies(*answers: Answer) -> FakeTranscriber:
    return FakeTranscriber(script=list(answers))


def asked(transcriber: FakeTranscriber) -> list[tuple[str, str | None]]:
    return [(job.id, job.options.language) for job in transcriber.jobs]
