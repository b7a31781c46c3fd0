"""Kept transcripts: list, search, read and delete. Each key sees its own.

They are kept only with ``AURICLE_KEEP_TRANSCRIPTS``; otherwise all paths return 404. They need the
key itself: tokens are refused.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Literal, NotRequired, TypedDict, TypeVar

import msgspec
from anyio import to_thread
from fastapi import APIRouter
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from auricle.errors import NotFound
from auricle.ledger.transcripts import Filter, KeptSegment, KeptTranscript, Match, Transcripts
from auricle.protocol.fields import convert_texts
from auricle.protocol.native.errors import ErrorResponse
from auricle.protocol.subtitles import SAMPLES_PER_MS, to_srt, to_vtt
from auricle.server.context import state_of
from auricle.server.http.openapi import KEYED, answer, query_parameters, refusals
from auricle.server.http.responses import json_response
from auricle.types import ClientId, Segment

T = TypeVar("T")

_MEDIA_TYPES = {"txt": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt"}

router = APIRouter()


class SegmentBody(TypedDict):
    """A segment of a transcript."""

    id: int
    start_ms: int
    end_ms: int
    text: str


class TranscriptBody(TypedDict):
    """A transcript without its segments."""

    id: str
    source: str
    language: str
    started_at: float
    ended_at: float


class WholeTranscriptBody(TranscriptBody):
    """A transcript."""

    text: str
    segments: list[SegmentBody]


class MatchBody(TypedDict):
    """A segment that a search found."""

    transcript: TranscriptBody
    segment: SegmentBody


class PageBody(TypedDict):
    """A page of transcripts, or of a search's matches."""

    transcripts: NotRequired[list[TranscriptBody]]
    matches: NotRequired[list[MatchBody]]
    next: int | None


_Words = Annotated[str, Meta(max_length=1000)]
_LanguageCode = Annotated[str, Meta(pattern=r"^[A-Za-z]{2,3}$")]
_UnixTime = Annotated[float, Meta(ge=0, le=2**53)]
_RowNumber = Annotated[int, Meta(ge=0, le=2**53)]


class ListQuery(msgspec.Struct):
    """The query of a list or a search."""

    q: Annotated[
        _Words | None, Meta(description="Words that a segment must contain; else all are listed.")
    ] = None
    language: Annotated[_LanguageCode | None, Meta(description="Language code.")] = None
    source: Annotated[
        Literal["native", "deepgram", "openai-realtime", "wyoming", "job"] | None,
        Meta(description="API that the session used; `job` for background jobs."),
    ] = None
    since: Annotated[_UnixTime | None, Meta(description="Earliest start, in Unix seconds.")] = None
    until: Annotated[_UnixTime | None, Meta(description="Latest start, in Unix seconds.")] = None
    before: Annotated[_RowNumber | None, Meta(description="`next` of the previous page.")] = None
    limit: Annotated[int, Meta(ge=1, le=1000, description="Maximum number of results.")] = 100


class FormatQuery(msgspec.Struct):
    """The query of a transcript."""

    format: Annotated[
        Literal["json", "txt", "srt", "vtt"], Meta(description="Format of the response.")
    ] = "json"


@router.get(
    "/v1/transcripts",
    summary="List or search kept transcripts",
    response_class=Response,
    responses={
        200: answer("The newest first: `matches` of a search, otherwise `transcripts`.", PageBody),
        **refusals(ErrorResponse, 400, 404, *KEYED),
    },
    openapi_extra={"parameters": query_parameters(ListQuery)},
)
async def list_transcripts(request: Request) -> Response:
    """Return the key's transcripts, or segments that contain the words of ``q``."""
    owner, transcripts = _admit(request)
    query = convert_texts(request.query_params.multi_items(), ListQuery, "query")
    filter = Filter(query.language, query.source, query.since, query.until)
    before, limit = query.before, query.limit
    if (words := query.q) is None:
        page = await _in_thread(
            request, lambda: transcripts.page(owner, filter, before=before, limit=limit)
        )
        following = page[-1][0] if len(page) == limit else None
        listed = [_transcript_body(transcript) for _, transcript in page]
        return json_response({"transcripts": listed, "next": following})
    matches = await _in_thread(
        request, lambda: transcripts.search(owner, words, filter, before=before, limit=limit)
    )
    following = matches[-1].number if len(matches) == limit else None
    return json_response({"matches": [_match_body(match) for match in matches], "next": following})


_WHOLE = answer("The transcript, in the requested format.", WholeTranscriptBody)
_WHOLE["content"] |= {name: {"schema": {"type": "string"}} for name in _MEDIA_TYPES.values()}


@router.get(
    "/v1/transcripts/{transcript_id}",
    summary="Read a kept transcript",
    response_class=Response,
    responses={
        200: _WHOLE,
        **refusals(ErrorResponse, 400, 404, *KEYED),
    },
    openapi_extra={"parameters": query_parameters(FormatQuery)},
)
async def get_transcript(request: Request, transcript_id: str) -> Response:
    """Return a transcript as JSON, text, SubRip or WebVTT."""
    owner, transcripts = _admit(request)
    query = convert_texts(request.query_params.multi_items(), FormatQuery, "query")
    found = await _in_thread(request, partial(transcripts.find, owner, transcript_id))
    if found is None:
        raise _unknown()
    return await to_thread.run_sync(_response, *found, query.format)  # slow for hours of speech


@router.delete(
    "/v1/transcripts/{transcript_id}",
    summary="Delete a kept transcript",
    status_code=204,
    response_class=Response,
    responses=refusals(ErrorResponse, 404, *KEYED),
)
async def delete_transcript(request: Request, transcript_id: str) -> Response:
    """Delete a transcript and its segments; later finals of an open session are kept again."""
    owner, transcripts = _admit(request)
    if not await _in_thread(request, partial(transcripts.delete, owner, transcript_id)):
        raise _unknown()
    return Response(status_code=204)


def _admit(request: Request) -> tuple[ClientId, Transcripts]:
    """Return the key's name and the transcripts, for a key only.

    A token is held by a visitor of a page, and transcripts of its key are those of all visitors.
    """
    state = state_of(request)
    owner = state.admit(request)
    state.keyring.check_is_key(request.headers)
    transcripts = state.running.transcripts
    if transcripts is None:
        raise NotFound("This server keeps no transcripts; see AURICLE_KEEP_TRANSCRIPTS.")
    return owner, transcripts


async def _in_thread(request: Request, work: Callable[[], T]) -> T:
    return await state_of(request).running.in_database_thread(work)


def _unknown() -> NotFound:
    return NotFound("Unknown transcript. It may have been deleted or have expired.")


def _response(transcript: KeptTranscript, segments: Sequence[KeptSegment], format: str) -> Response:
    if format == "json":
        body: WholeTranscriptBody = {
            **_transcript_body(transcript),
            "text": " ".join(segment.text for segment in segments),
            "segments": [_segment_body(segment) for segment in segments],
        }
        return json_response(body)
    if format == "txt":
        text = "".join(f"{segment.text}\n" for segment in segments)
    else:
        spoken = [
            Segment(s.start_ms * SAMPLES_PER_MS, s.end_ms * SAMPLES_PER_MS, s.text)
            for s in segments
        ]
        text = to_srt(spoken) if format == "srt" else to_vtt(spoken)
    return PlainTextResponse(text, media_type=_MEDIA_TYPES[format])


def _transcript_body(transcript: KeptTranscript) -> TranscriptBody:
    return {
        "id": transcript.uid,
        "source": transcript.source,
        "language": transcript.language,
        "started_at": round(transcript.started_at, 3),
        "ended_at": round(transcript.ended_at, 3),
    }


def _segment_body(segment: KeptSegment) -> SegmentBody:
    return {
        "id": segment.position,
        "start_ms": segment.start_ms,
        "end_ms": segment.end_ms,
        "text": segment.text,
    }


def _match_body(match: Match) -> MatchBody:
    return {
        "transcript": _transcript_body(match.transcript),
        "segment": _segment_body(match.segment),
    }
