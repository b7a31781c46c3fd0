"""Answer a received job with frames; independent of what runs the job."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable

import anyio

from auricle.cluster.wire.failures import remote_error
from auricle.cluster.wire.messages import BEAT_S, Beat, Done, ErrorFrame
from auricle.values.errors import AuricleError
from auricle.values.types import Job, Transcript
from auricle.workers.wire.framing import pack

Transcribe = Callable[[Job], Awaitable[Transcript]]


async def answer(transcribe: Transcribe, job: Job) -> AsyncGenerator[bytes, None]:
    """Yield the packed frames of an answer: beats while the job waits or runs, then the result.

    The first beat is sent immediately. Beats are sent by this event loop, so that they stop when it
    hangs. Closing the generator cancels the job.

    Args:
        transcribe: Runs the job. Exceptions other than :class:`AuricleError` end the answer without
            a result, which the gateway treats as the loss of this machine.
        job: The job.
    """
    began_at = time.monotonic()
    work = asyncio.ensure_future(transcribe(job))
    try:
        yield pack(Beat())
        while not (await asyncio.wait([work], timeout=BEAT_S))[0]:
            yield pack(Beat())
        try:
            transcript = work.result()
        except AuricleError as exc:
            yield pack(ErrorFrame(remote_error(exc)))
        else:
            yield pack(Done(job.id, transcript, time.monotonic() - began_at))
    finally:
        work.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([work])
        if not work.cancelled():
            work.exception()  # mark as retrieved: it has no other reader
