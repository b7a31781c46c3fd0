"""Kept transcripts: list, search, read, change and delete. Each key sees its own.

They are kept only with ``AURICLE_KEEP_TRANSCRIPTS``; otherwise all paths return 404. They need the
key itself: tokens are refused.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Literal, NotRequired, TypedDict

import msgspec
from fastapi import APIRouter, Path
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from auricle.apis.registry import find_apis
from auricle.apis.transcripts.renderings import KeptRenderings
from auricle.apis.transcripts.settings import TranscriptsSettings
from auricle.apis.transcripts.stored.events import TranscriptSummary, transcript_summary
from auricle.apis.transcripts.stored.parts import ParagraphChange
from auricle.apis.transcripts.stored.transcripts import (
    Filter,
    KeptSegment,
    KeptTranscript,
    MadeOnAccess,
    Match,
    Transcripts,
)
from auricle.protocol.errors import ErrorResponse
from auricle.protocol.fields import convert_texts
from auricle.server.access.access import Access
from auricle.server.http.body import read_fields
from auricle.server.http.openapi import (
    KEYED,
    POSTED,
    answer,
    json_body,
    query_parameters,
    refusals,
)
from auricle.server.http.responses import json_response
from auricle.server.service import Service
from auricle.server.storage import Storage
from auricle.system.asgi import while_connected
from auricle.text.formats.docx import MEDIA_TYPE as DOCX_TYPE
from auricle.text.formats.docx import to_docx
from auricle.text.formats.markdown import to_markdown
from auricle.text.formats.native_json import SpeakerBody
from auricle.text.formats.paragraphs import clock, paragraphs_of
from auricle.text.formats.registry import format_of
from auricle.text.formats.rttm import to_rttm
from auricle.values.errors import BadRequest, NotFound
from auricle.values.types import SAMPLES_PER_MS, ClientId, GiveWay, Segment, Speaker, Word

if TYPE_CHECKING:
    Source = str
else:
    Source = Literal[(*(source for api in find_apis() for source in api.sources), "job")]

_MEDIA_TYPES = {
    "json": "application/json",
    "txt": "text/plain",
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "docx": DOCX_TYPE,
    "md": "text/markdown",
    "rttm": "text/plain",
}
MAX_CHANGE_BYTES = 4096
"""Maximum size of the body that changes a speaker."""
MAX_NAME_CHARACTERS = 100
MAX_CHANGES = 100
"""Maximum number of changes of paragraphs in one request: each is compared with each segment."""
MAX_CHANGES_BYTES = 32 * 1024


class WordBody(TypedDict):
    """A word with the space before it."""

    start_ms: int
    end_ms: int
    word: str


class SegmentBody(TypedDict):
    """A segment of a transcript.

    ``speaker`` only if it is known, ``words`` only in a transcript, if their times were requested,
    ``starts_paragraph`` only if it was set. Parts of a segment that was split have the same ``id``.
    """

    id: int
    start_ms: int
    end_ms: int
    text: str
    speaker: NotRequired[int]
    words: NotRequired[list[WordBody]]
    starts_paragraph: NotRequired[bool]


class WholeTranscriptBody(TranscriptSummary):
    """A transcript; ``speakers`` is empty if they are unknown."""

    text: str
    speakers: list[SpeakerBody]
    segments: list[SegmentBody]


class MatchBody(TypedDict):
    """A segment that a search found."""

    transcript: TranscriptSummary
    segment: SegmentBody


class PageBody(TypedDict):
    """A page of transcripts, or of a search's matches."""

    transcripts: NotRequired[list[TranscriptSummary]]
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
        Source | None,
        Meta(description="API that the session used; `job` for background jobs."),
    ] = None
    since: Annotated[_UnixTime | None, Meta(description="Earliest start, in Unix seconds.")] = None
    until: Annotated[_UnixTime | None, Meta(description="Latest start, in Unix seconds.")] = None
    before: Annotated[_RowNumber | None, Meta(description="`next` of the previous page.")] = None
    limit: Annotated[int, Meta(ge=1, le=1000, description="Maximum number of results.")] = 100


class FormatQuery(msgspec.Struct):
    """The query of a transcript."""

    format: Annotated[
        Literal["json", "txt", "srt", "vtt", "docx", "md", "rttm"],
        Meta(description="Format of the response."),
    ] = "json"


class SpeakerChange(msgspec.Struct):
    """A change of a speaker: a name, or another speaker who is the same person."""

    name: Annotated[
        Annotated[str, Meta(max_length=MAX_NAME_CHARACTERS)] | None,
        Meta(description="Name of the speaker; empty: none."),
    ] = None
    merge_into: Annotated[
        int | None, Meta(description="Number of the speaker who gets all segments of this one.")
    ] = None


_Milliseconds = Annotated[int, Meta(ge=0, le=2**53)]
_SpeakerNumber = Annotated[int, Meta(ge=0, le=99_999)]


class ChangeBody(msgspec.Struct):
    """A change of the words that a speaker begins in a range of time."""

    start_ms: Annotated[_Milliseconds, Meta(description="Start of the first word.")]
    end_ms: Annotated[
        _Milliseconds, Meta(description="End; a word that starts here is not changed.")
    ]
    from_speaker: Annotated[
        _SpeakerNumber | None, Meta(description="Who has said the words so far; null: unknown.")
    ] = None
    speaker: Annotated[
        _SpeakerNumber | None,
        Meta(description="Who has said them, also a speaker with a new number; null: unknown."),
    ] = None
    starts_paragraph: Annotated[
        bool | None,
        Meta(
            description="Whether a paragraph starts with the first word; null: as pauses and "
            "speakers say."
        ),
    ] = None


class ParagraphChanges(msgspec.Struct):
    """Changes of paragraphs, one after the other."""

    changes: Annotated[list[ChangeBody], Meta(min_length=1, max_length=MAX_CHANGES)]


_TranscriptId = Annotated[
    str, Path(description="ID of the transcript, as `/v1/transcripts` lists it.")
]
_SpeakerInPath = Annotated[str, Path(description="Number of the speaker, from 0.")]
_WHOLE = answer("The transcript, in the requested format.", WholeTranscriptBody)
_WHOLE["content"] = {
    name: {"schema": {"type": "string"}} for name in _MEDIA_TYPES.values()
} | _WHOLE["content"]


def routes(service: Service) -> APIRouter:
    """Return the routes of a server."""
    router = APIRouter()
    settings, storage = service.settings, service.storage
    transcripts, in_thread = Transcripts(storage.database), storage.in_database_thread
    pause_s = settings.server.body_timeout_s
    is_keeping = settings.section(TranscriptsSettings).keep_transcripts
    admit = partial(_admit, service.access, is_keeping)
    respond = partial(_answer, storage, transcripts, KeptRenderings(service.renderer))

    @router.get(
        "/v1/transcripts",
        summary="List or search kept transcripts",
        response_class=Response,
        responses={
            200: answer(
                "The newest first: `matches` of a search, otherwise `transcripts`.", PageBody
            ),
            **refusals(ErrorResponse, 400, 404, *KEYED),
        },
        openapi_extra={"parameters": query_parameters(ListQuery)},
    )
    async def list_transcripts(request: Request) -> Response:
        """Return the key's transcripts, or segments that contain the words of ``q``."""
        owner = admit(request)
        query = convert_texts(request.query_params.multi_items(), ListQuery, "query")
        filter = Filter(query.language, query.source, query.since, query.until)
        before, limit = query.before, query.limit
        if (words := query.q) is None:
            page = await in_thread(
                lambda: transcripts.page(owner, filter, before=before, limit=limit)
            )
            following = page[-1][0] if len(page) == limit else None
            listed = [transcript_summary(transcript) for _, transcript in page]
            return json_response({"transcripts": listed, "next": following})
        matches = await in_thread(
            lambda: transcripts.search(owner, words, filter, before=before, limit=limit)
        )
        following = matches[-1].number if len(matches) == limit else None
        return json_response(
            {"matches": [_match_body(match) for match in matches], "next": following}
        )

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
    async def get_transcript(request: Request, transcript_id: _TranscriptId) -> Response:
        """Return a transcript as JSON, text, SubRip, WebVTT, a Word document, Markdown or RTTM."""
        owner = admit(request)
        query = convert_texts(request.query_params.multi_items(), FormatQuery, "query")
        return await respond(request, owner, transcript_id, query.format)

    @router.patch(
        "/v1/transcripts/{transcript_id}/speakers/{speaker}",
        summary="Name a speaker of a kept transcript, or merge two",
        response_class=Response,
        responses={
            200: answer("The changed transcript.", WholeTranscriptBody),
            **refusals(ErrorResponse, *POSTED, 404),
        },
        openapi_extra=json_body(SpeakerChange, is_required=True),
    )
    async def patch_speaker(
        request: Request, transcript_id: _TranscriptId, speaker: _SpeakerInPath
    ) -> Response:
        """Name a speaker, or give all segments of the speaker to another one.

        Later finals of an open session may still have the number of a speaker that was merged.
        """
        owner = admit(request)
        change = await _read_change(request, pause_s)
        number = int(speaker) if re.fullmatch("[0-9]{1,5}", speaker) else -1
        if change.merge_into is None:
            work = partial(
                transcripts.rename_speaker, owner, transcript_id, number, change.name or ""
            )
        else:
            work = partial(
                transcripts.merge_speakers, owner, transcript_id, number, change.merge_into
            )
        if not await in_thread(work):
            raise NotFound("Unknown transcript, or it has no such speaker.")
        return await respond(request, owner, transcript_id, "json")

    @router.patch(
        "/v1/transcripts/{transcript_id}/paragraphs",
        summary="Change who said words of a kept transcript, and where paragraphs start",
        response_class=Response,
        responses={
            200: answer("The changed transcript.", WholeTranscriptBody),
            **refusals(ErrorResponse, *POSTED, 404),
        },
        openapi_extra=json_body(ParagraphChanges, is_required=True),
    )
    async def patch_paragraphs(request: Request, transcript_id: _TranscriptId) -> Response:
        """Give words to other speakers, and start or join paragraphs. Repeating it changes nothing.

        Words keep their times. A change without words of its speaker in its range is ignored.
        """
        owner = admit(request)
        body = await read_fields(
            request, ParagraphChanges, max_bytes=MAX_CHANGES_BYTES, pause_s=pause_s
        )
        changes = [
            ParagraphChange(
                each.start_ms, each.end_ms, each.from_speaker, each.speaker, each.starts_paragraph
            )
            for each in body.changes
        ]
        work = partial(transcripts.change_paragraphs, owner, transcript_id, changes)
        if not await in_thread(work):
            raise NotFound("Unknown transcript, or the speakers say nothing in these ranges.")
        return await respond(request, owner, transcript_id, "json")

    @router.delete(
        "/v1/transcripts/{transcript_id}",
        summary="Delete a kept transcript",
        status_code=204,
        response_class=Response,
        responses=refusals(ErrorResponse, 404, *KEYED),
    )
    async def delete_transcript(request: Request, transcript_id: _TranscriptId) -> Response:
        """Delete a transcript and its segments; later finals of an open session are kept again."""
        owner = admit(request)
        if not await in_thread(partial(transcripts.delete, owner, transcript_id)):
            raise _unknown()
        return Response(status_code=204)

    return router


async def _read_change(request: Request, pause_s: float) -> SpeakerChange:
    """Return the body's change.

    Raises:
        BadRequest: It is not JSON, or not exactly one valid change.
        TooLarge: It is too large.
    """
    change = await read_fields(request, SpeakerChange, max_bytes=MAX_CHANGE_BYTES, pause_s=pause_s)
    if (change.name is None) == (change.merge_into is None):
        raise BadRequest("Send either name or merge_into.")
    if change.name is not None and not change.name.isprintable():
        raise BadRequest("name must be printable.", "name")
    return change


def _admit(access: Access, is_keeping: bool, request: Request) -> ClientId:
    """Return the key's name."""
    owner = access.admit_key(request)
    if not is_keeping:
        raise NotFound("This server keeps no transcripts; see AURICLE_KEEP_TRANSCRIPTS.")
    return owner


def _unknown() -> NotFound:
    return NotFound("Unknown transcript. It may have been deleted or have expired.")


async def _answer(
    storage: Storage,
    transcripts: Transcripts,
    renderings: KeptRenderings,
    request: Request,
    owner: ClientId,
    uid: str,
    format: str,
) -> Response:
    """Return a transcript in a format.

    Raises:
        NotFound: The owner has no such transcript.
        UnsupportedOption: This installation lacks the format.
        Overloaded: The owner's earlier requests took too long.
        ClientDisconnect: The client has disconnected.
    """
    if format in ("srt", "vtt"):
        format_of(format, "format")
    version = await storage.in_database_thread(partial(transcripts.version, owner, uid))
    if version is None:
        raise _unknown()
    async with while_connected(request.receive):
        body = await renderings.render(
            owner, (owner, uid, format), version, partial(_render, transcripts, owner, uid, format)
        )
    return Response(body, media_type=_MEDIA_TYPES[format])


def _render(
    transcripts: Transcripts, owner: ClientId, uid: str, format: str, give_way: GiveWay
) -> bytes:
    """Read a transcript and write it in a format.

    Raises:
        NotFound: It has just been deleted.
    """
    found = transcripts.find(owner, uid, give_way, with_words=format in ("json", "srt", "vtt"))
    if found is None:
        raise _unknown()
    transcript, segments = found
    speakers = _speakers(transcript, segments, give_way)
    spoken = MadeOnAccess(segments, _spoken)
    match format:
        case "json":
            return _json(transcript, segments, speakers, give_way)
        case "docx" | "md":
            return _document(transcript, segments, speakers, format, give_way)
        case "srt" | "vtt":
            text = format_of(format).document(spoken, speakers=speakers, give_way=give_way)
        case "rttm":
            text = to_rttm(spoken, speakers, uid, give_way)
        case _:
            labels: dict[int | None, str] = {each.number: f"{each.label}: " for each in speakers}
            lines: list[str] = []
            for segment in segments:
                lines.append(f"{labels.get(segment.speaker, '')}{segment.text}\n")
                give_way()
            text = "".join(lines)
    return text.encode()


def _speakers(
    transcript: KeptTranscript, segments: Iterable[KeptSegment], give_way: GiveWay
) -> list[Speaker]:
    numbers: set[int] = set()
    for segment in segments:
        give_way()
        if segment.speaker is not None:
            numbers.add(segment.speaker)
    return [Speaker(number, transcript.name_of(number)) for number in sorted(numbers)]


def _document(
    transcript: KeptTranscript,
    segments: Sequence[KeptSegment],
    speakers: Sequence[Speaker],
    format: str,
    give_way: GiveWay,
) -> bytes:
    """Return a document whose title is the start of the audio."""
    spoken = MadeOnAccess(segments, _spoken)
    language = transcript.language or None
    starts = MadeOnAccess(segments, attrgetter("starts_paragraph"))
    paragraphs = paragraphs_of(spoken, (), speakers, language, starts, give_way)
    title = f"{datetime.fromtimestamp(transcript.started_at, UTC):%Y-%m-%d %H:%M} UTC"
    note = clock(max((segment.end_sample for segment in spoken), default=0))
    if format == "md":
        return to_markdown(title, note, paragraphs, give_way).encode()
    return to_docx(title, note, paragraphs, language, give_way)


def _json(
    transcript: KeptTranscript,
    segments: Iterable[KeptSegment],
    speakers: Sequence[Speaker],
    give_way: GiveWay,
) -> bytes:
    """Return a :class:`WholeTranscriptBody`, whose segments are encoded one by one."""
    encoded: list[bytes] = []
    texts: list[str] = []
    for segment in segments:
        encoded.append(msgspec.json.encode(_segment_body(segment)))
        texts.append(segment.text)
        give_way()
    body = {
        **transcript_summary(transcript),
        "text": " ".join(texts),
        "speakers": [SpeakerBody(speaker=each.number, name=each.name) for each in speakers],
        "segments": msgspec.Raw(b"[" + b",".join(encoded) + b"]"),
    }
    return msgspec.json.encode(body)


def _spoken(segment: KeptSegment) -> Segment:
    """Return a segment with times in samples."""
    words = tuple(
        Word(word.start_ms * SAMPLES_PER_MS, word.end_ms * SAMPLES_PER_MS, word.text, 1.0)
        for word in segment.words
    )
    start, end = segment.start_ms * SAMPLES_PER_MS, segment.end_ms * SAMPLES_PER_MS
    return Segment(start, end, segment.text, words, speaker=segment.speaker)


def _segment_body(segment: KeptSegment) -> SegmentBody:
    body: SegmentBody = {
        "id": segment.position,
        "start_ms": segment.start_ms,
        "end_ms": segment.end_ms,
        "text": segment.text,
    }
    if segment.speaker is not None:
        body["speaker"] = segment.speaker
    if segment.words:
        body["words"] = [
            {"start_ms": word.start_ms, "end_ms": word.end_ms, "word": word.text}
            for word in segment.words
        ]
    if segment.starts_paragraph is not None:
        body["starts_paragraph"] = segment.starts_paragraph
    return body


def _match_body(match: Match) -> MatchBody:
    return {
        "transcript": transcript_summary(match.transcript),
        "segment": _segment_body(match.segment),
    }
