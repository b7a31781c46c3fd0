"""Tools that list, search and read the transcripts that a server keeps."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from auricle.client.api import calls
from auricle.client.api.calls import Call
from auricle.client.api.results import KeptSegment, NamedSpeaker, TranscriptSummary
from auricle.mcp.segments import MAX_PAGE_CHARACTERS, names_of, page_of, segment_of, shortened
from auricle.mcp.tool import (
    Api,
    Arguments,
    Cursor,
    Id,
    Language,
    Limit,
    NextPage,
    Since,
    Tool,
    Until,
    iso_time,
    moment,
)

MAX_MATCH_CHARACTERS = 600
TranscriptId = Annotated[
    Id, Meta(description="ID of the transcript, as list_transcripts and search_transcripts return.")
]


class ListArguments(Arguments):
    """The arguments of ``list_transcripts``."""

    language: Language = None
    since: Since = None
    until: Until = None
    cursor: NextPage = None
    limit: Limit = 20


class SearchArguments(ListArguments, kw_only=True):
    """The arguments of ``search_transcripts``."""

    query: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=1000,
            description="Words that a segment must contain, in any order and case. Synonyms and "
            "inflections are not found: search for each.",
        ),
    ]


class ReadArguments(Arguments):
    """The arguments of ``read_transcript``."""

    transcript_id: TranscriptId
    start_s: Annotated[
        Annotated[float, Meta(ge=0, le=2**31)] | None,
        Meta(description="Read from the segment that is said then, in seconds from the start."),
    ] = None
    cursor: Annotated[
        Cursor | None, Meta(description="`next` of the previous page; overrides start_s.")
    ] = None


class _Transcript(TranscriptSummary, frozen=True):
    """A kept transcript of which only the segments of a page are decoded: a day has 20,000."""

    segments: tuple[msgspec.Raw, ...]
    speakers: tuple[NamedSpeaker, ...] = ()


class _Position(msgspec.Struct, frozen=True):
    end_ms: int


async def _list(api: Api, arguments: ListArguments) -> dict[str, Any]:
    call = calls.list_transcripts(_filter(arguments))
    page = await api.send(calls.next_page(call, arguments.limit, arguments.cursor))
    return {"transcripts": [_summary(each) for each in page.items], "next": page.next}


async def _search(api: Api, arguments: SearchArguments) -> dict[str, Any]:
    call = calls.search_transcripts(arguments.query, _filter(arguments))
    page = await api.send(calls.next_page(call, arguments.limit, arguments.cursor))
    matches = [
        {
            "transcript_id": match.transcript.id,
            "transcript_started_at": iso_time(match.transcript.started_at),
            "start_s": round(match.segment.start_ms / 1000, 2),
            "text": shortened(match.segment.text.strip(), MAX_MATCH_CHARACTERS),
        }
        for match in page.items
    ]
    return {"matches": matches, "next": page.next}


async def _read(api: Api, arguments: ReadArguments) -> dict[str, Any]:
    return await read(api, arguments.transcript_id, arguments.start_s, arguments.cursor)


async def read(
    api: Api, transcript_id: str, start_s: float | None = None, cursor: int | None = None
) -> dict[str, Any]:
    """Return a page of a transcript.

    Args:
        api: The server.
        transcript_id: ID of the transcript.
        start_s: Where to start, in seconds, if there is no ``cursor``.
        cursor: Index of the first segment.

    Raises:
        NotFound: There is no such transcript.
    """
    decode = calls.json_decoder(_Transcript)

    def page(body: bytes) -> dict[str, Any]:
        return _page(decode(body), start_s or 0, cursor)

    return await api.send(Call("GET", calls.get_transcript(transcript_id).path, page))


def _page(transcript: _Transcript, start_s: float, cursor: int | None) -> dict[str, Any]:
    names = names_of(transcript.speakers)
    first = cursor if cursor is not None else _index_at(transcript, start_s)

    def segment(encoded: msgspec.Raw) -> dict[str, Any]:
        each = msgspec.json.decode(encoded, type=KeptSegment)
        return segment_of(each.start_ms / 1000, each.end_ms / 1000, each.text, each.speaker, names)

    return {**_summary(transcript), **page_of(transcript.segments, first, segment)}


def _index_at(transcript: _Transcript, start_s: float) -> int:
    """Return the index of the first segment that ends after a time in seconds."""
    if not start_s:
        return 0
    decode = msgspec.json.Decoder(_Position).decode
    return sum(decode(each).end_ms <= start_s * 1000 for each in transcript.segments)


def _filter(arguments: ListArguments) -> Mapping[str, str]:
    return calls.transcript_filter(
        arguments.language,
        None,
        moment(arguments.since, "since"),
        moment(arguments.until, "until"),
    )


def _summary(transcript: TranscriptSummary) -> dict[str, Any]:
    return {
        "transcript_id": transcript.id,
        "source": transcript.source,
        "language": transcript.language,
        "started_at": iso_time(transcript.started_at),
        "ended_at": iso_time(transcript.ended_at),
    }


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "list_transcripts",
        "List transcripts",
        "List the transcripts that the server keeps of live speech and recordings, the newest "
        "first, without their text. `source` is `job` for a recording, else the API of the "
        "speaker. If `next` is not null, there are more: call again with cursor=next.",
        ListArguments,
        _list,
    ),
    Tool(
        "search_transcripts",
        "Search transcripts",
        "Find where words were said: segments of kept transcripts that contain all words of the "
        "query, the newest transcripts first. To see what was said around a match, call "
        "read_transcript with its transcript_id and start_s.",
        SearchArguments,
        _search,
    ),
    Tool(
        "read_transcript",
        "Read a transcript",
        "Read a kept transcript: what was said, when (seconds from the start) and, where known, "
        f"by whom. A page has up to {MAX_PAGE_CHARACTERS} characters of text. If `next` is not "
        "null, the transcript continues: call again with cursor=next before you answer questions "
        "about all of it.",
        ReadArguments,
        _read,
    ),
)
