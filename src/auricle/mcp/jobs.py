"""Tools that list and watch background jobs, the transcription of recordings."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from auricle.client.api import calls
from auricle.client.api.calls import Call
from auricle.client.api.failures import Problem
from auricle.client.api.results import JobState, JobSummary, NamedSpeaker, TranscriptSegment
from auricle.mcp.segments import names_of, page_of, segment_of, shortened
from auricle.mcp.tool import Api, Arguments, Cursor, Id, Limit, NextPage, Tool, WaitS, iso_time
from auricle.mcp.waiting import wait_for

MAX_SO_FAR_CHARACTERS = 2000
MAX_NAME_CHARACTERS = 300
MAX_WARNINGS = 10


class ListArguments(Arguments):
    """The arguments of ``list_jobs``."""

    state: Annotated[
        Literal["queued", "running", "done", "failed", "cancelled"] | None,
        Meta(description="Only jobs in this state."),
    ] = None
    cursor: NextPage = None
    limit: Limit = 20


class ReadArguments(Arguments):
    """The arguments of ``read_job``."""

    job_id: Annotated[Id, Meta(description="ID of the job, as list_jobs returns.")]
    wait_s: WaitS = 0
    cursor: Annotated[Cursor, Meta(description="`next` of the previous page.")] = 0


class _Transcript(msgspec.Struct, frozen=True):
    """A transcript of which only the segments of a page are decoded: a day has 20,000."""

    segments: tuple[msgspec.Raw, ...]
    language: str | None
    duration_ms: int
    speakers: tuple[NamedSpeaker, ...] = ()
    warnings: tuple[str, ...] = ()


class _Job(msgspec.Struct, frozen=True, rename={"id": "job_id", "problem": "error"}):
    id: str
    state: JobState
    progress: float
    text: str = ""
    result: _Transcript | None = None
    problem: Problem | None = None
    starts_in_s: float | None = None
    transcript_id: str | None = None


async def _list(api: Api, arguments: ListArguments) -> dict[str, Any]:
    call = calls.list_jobs([arguments.state] if arguments.state else [])
    page = await api.send(calls.next_page(call, arguments.limit, arguments.cursor))
    return {"jobs": [_summary(each) for each in page.items], "next": page.next}


async def _read(api: Api, arguments: ReadArguments) -> dict[str, Any]:
    return await watch(api, arguments.job_id, arguments.wait_s, arguments.cursor)


async def watch(api: Api, job_id: str, wait_s: float, cursor: int = 0) -> dict[str, Any]:
    """Return a job once it has ended, or after a while, with a page of its transcript.

    Args:
        api: The server.
        job_id: ID of the job.
        wait_s: Longest wait, in seconds.
        cursor: Index of the first segment of the page.

    Raises:
        NotFound: There is no such job.
    """
    call = Call("GET", calls.get_job(job_id).path, calls.json_decoder(_Job))
    job = await wait_for(api, call, lambda job: job.state not in ("queued", "running"), wait_s)
    return _result(job, cursor)


def _result(job: _Job, cursor: int) -> dict[str, Any]:
    result: dict[str, Any] = {"job_id": job.id, "state": job.state, "progress": job.progress}
    if job.transcript_id is not None:
        result["transcript_id"] = job.transcript_id
    if job.result is not None:
        return {**result, **_transcript(job.result, cursor)}
    if job.problem is not None:
        error = {"code": job.problem.code, "message": job.problem.message}
        return {**result, "error": error}
    if job.starts_in_s is not None:
        result["starts_in_s"] = job.starts_in_s
    return {**result, "text_so_far": job.text[-MAX_SO_FAR_CHARACTERS:]}


def _transcript(transcript: _Transcript, cursor: int) -> dict[str, Any]:
    names = names_of(transcript.speakers)

    def segment(encoded: msgspec.Raw) -> dict[str, Any]:
        each = msgspec.json.decode(encoded, type=TranscriptSegment)
        return segment_of(each.start_s, each.end_s, each.text, each.speaker, names)

    return {
        "language": transcript.language,
        "duration_s": transcript.duration_ms / 1000,
        "warnings": list(transcript.warnings[:MAX_WARNINGS]),
        **page_of(transcript.segments, cursor, segment),
    }


def _summary(job: JobSummary) -> dict[str, Any]:
    return {
        "job_id": job.id,
        "state": job.state,
        "progress": job.progress,
        "file_name": shortened(job.file_name, MAX_NAME_CHARACTERS),
        "accepted_at": iso_time(job.accepted_at),
        "finished_at": None if job.finished_at is None else iso_time(job.finished_at),
        "duration_s": None if job.duration_ms is None else job.duration_ms / 1000,
    }


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "list_jobs",
        "List jobs",
        "List the background jobs of the server, the newest first: recordings that it transcribes "
        "or has transcribed. Jobs are deleted a while after their end; their transcripts may be "
        "kept longer, see list_transcripts.",
        ListArguments,
        _list,
    ),
    Tool(
        "read_job",
        "Read a job",
        "Read the state of a job and, once it is done, its transcript in pages. `progress` is from "
        "0 to 1. With wait_s, the answer comes when the job has ended, or after that time; call "
        "again while the state is queued or running. If `next` is not null, call again with "
        "cursor=next.",
        ReadArguments,
        _read,
    ),
)
