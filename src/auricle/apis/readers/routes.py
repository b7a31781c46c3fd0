"""One speaks, many read: live sessions as events, as captions and as segments of HLS.

A reader sends the key of the session, or in the URL a token that reads this session only. Players
and ``EventSource`` can set no headers.
"""

import time
from functools import partial
from typing import Annotated, Any, TypedDict

import anyio
import anyio.lowlevel
import msgspec
from fastapi import APIRouter, Path
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from auricle.apis.readers import NAME
from auricle.apis.readers.feed import (
    MAX_FINALS,
    MAX_WITHDRAWN,
    NO_TOKEN,
    FeedCursor,
    SessionFeed,
)
from auricle.apis.readers.feeds import Feeds
from auricle.apis.readers.stream import FeedStream
from auricle.apis.readers.wire.events import encode_feed_event, encode_start
from auricle.apis.readers.wire.webvtt import START, WEBVTT, encode_cues
from auricle.protocol.errors import ErrorResponse
from auricle.protocol.fields import convert_texts, decode_json
from auricle.server.access.access import Access
from auricle.server.access.keyring import Reader
from auricle.server.http.body import read_json
from auricle.server.http.openapi import (
    KEYED,
    POSTED,
    answer,
    json_body,
    query_parameters,
    refusals,
    server_sent_events,
)
from auricle.server.http.request_log import request_log
from auricle.server.http.responses import json_response
from auricle.server.service import Service
from auricle.system.asgi import while_connected
from auricle.text.formats.registry import format_of
from auricle.values.errors import BadRequest, NotFound, TokenExpired

DEFAULT_TTL_S, MAX_TTL_S = 3600, 24 * 3600
FIRST_SEGMENT_S = 30.0
"""Longest wait for the first segment of a playlist, in seconds: players give up on an empty one."""

_MAX_BODY_BYTES = 4096
_POLL_S = 0.5
_EVENTS, _VTT, _HLS = "text/event-stream", "text/vtt", "application/vnd.apple.mpegurl"
_NO_STORE = {"cache-control": "no-store"}
_SEGMENT_AGE = {"cache-control": "private, max-age=60"}
"""No shared cache may answer with a token that was withdrawn."""

_SessionId = Annotated[str, Path(description="ID of the live session, as `/v1/sessions` lists it.")]
_Segment = Annotated[str, Path(description="Number of the segment, as in the playlist.")]


class SessionBody(TypedDict):
    """A live session.

    ``source`` is the API of its speaker, ``request_id`` the ``x-request-id`` of the handshake.
    """

    id: str
    request_id: str
    source: str
    started_at: float
    readers: int


class SessionsBody(TypedDict):
    """The live sessions of a key, the oldest first."""

    sessions: list[SessionBody]


class _TokenFields(msgspec.Struct):
    ttl_s: Annotated[float, Meta(ge=1, le=MAX_TTL_S, multiple_of=1)] = DEFAULT_TTL_S


class _TokenBody(TypedDict):
    token: str
    expires_in_s: int


class EventsQuery(msgspec.Struct):
    """The query of a session's events."""

    token: Annotated[str, Meta(description="Reading token, in place of a key.")] = ""
    history: Annotated[
        int, Meta(ge=0, le=MAX_FINALS, description="Earlier finals to send first, at most.")
    ] = 20
    after: Annotated[
        Annotated[int, Meta(ge=0, le=2**53)] | None,
        Meta(description="Number of the last event that was read, in place of `Last-Event-ID`."),
    ] = None
    follow: Annotated[
        bool, Meta(description="Continue with what will be said; else only what was said.")
    ] = True


class CaptionsQuery(msgspec.Struct):
    """The query of a session's captions."""

    token: Annotated[str, Meta(description="Reading token, in place of a key.")] = ""
    history: Annotated[
        int, Meta(ge=0, le=MAX_FINALS, description="Earlier finals to send first, at most.")
    ] = MAX_FINALS
    follow: Annotated[
        bool, Meta(description="Continue with what will be said; else only what was said.")
    ] = True


class TokenQuery(msgspec.Struct):
    """The query of a playlist or a segment."""

    token: Annotated[str, Meta(description="Reading token, in place of a key.")] = ""


class WithdrawalQuery(msgspec.Struct):
    """The query that withdraws a token."""

    token: Annotated[str, Meta(description="The reading token.")]


def _text(description: str, media_type: str) -> dict[str, object]:
    return {"description": description, "content": {media_type: {"schema": {"type": "string"}}}}


def routes(service: Service) -> APIRouter:
    """Return the routes of a server."""
    router = APIRouter(default_response_class=Response)
    access, feeds = service.access, feeds_of(service)
    pause_s = service.settings.server.body_timeout_s
    admit = partial(_admit, access, feeds)

    @router.get(
        "/v1/sessions",
        summary="List live sessions",
        responses={
            200: answer("The key's live sessions.", SessionsBody),
            **refusals(ErrorResponse, *KEYED),
        },
    )
    async def list_sessions(request: Request) -> Response:
        """Return the key's live sessions on this server, of all APIs."""
        client = access.admit_key(request)
        sessions: list[SessionBody] = [
            {
                "id": feed.id,
                "request_id": feed.request_id,
                "source": feed.source,
                "started_at": round(feed.started_at, 3),
                "readers": feed.readers,
            }
            for feed in feeds.of(client)
        ]
        return json_response({"sessions": sessions}, headers=_NO_STORE)

    @router.post(
        "/v1/sessions/{session_id}/token",
        summary="Issue a token that reads a session",
        responses={
            200: answer("The token.", _TokenBody),
            **refusals(ErrorResponse, *POSTED, 404),
        },
        openapi_extra=json_body(_TokenFields),
    )
    async def post_reading_token(request: Request, session_id: _SessionId) -> Response:
        """Return a token that reads this session only, for ``ttl_s`` seconds."""
        client = access.admit(request)
        body = await read_json(request.receive, max_bytes=_MAX_BODY_BYTES, pause_s=pause_s)
        ttl_s = int(decode_json(body, _TokenFields, "body").ttl_s)
        token = access.keyring.issue_reading_token(
            request.headers, session_id, ttl_s, now=time.time()
        )
        feed = feeds.find(client, session_id)
        if feed.is_withdrawn(token):
            raise BadRequest(
                f"More than {MAX_WITHDRAWN} tokens of this session were withdrawn; ask for a "
                "longer ttl_s.",
                "ttl_s",
            )
        await feeds.keep(feed)
        return json_response(_TokenBody(token=token, expires_in_s=ttl_s), headers=_NO_STORE)

    @router.delete(
        "/v1/sessions/{session_id}/token",
        status_code=204,
        summary="Withdraw a token that reads a session",
        responses={
            204: {"description": "It was withdrawn, and streams of its readers end."},
            **refusals(ErrorResponse, 400, 404, *KEYED),
        },
        openapi_extra={"parameters": query_parameters(WithdrawalQuery)},
    )
    async def delete_reading_token(request: Request, session_id: _SessionId) -> Response:
        """Refuse a reading token from now on; other tokens of the session stay valid."""
        client = access.admit_key(request)
        query = convert_texts(request.query_params.multi_items(), WithdrawalQuery, "query")
        feed = feeds.find(client, session_id)
        if not access.keyring.has_issued(client, query.token):  # mistyped: the real one stays valid
            raise BadRequest(NO_TOKEN)
        feed.withdraw(query.token)
        await feed.until_stored()
        return Response(status_code=204)

    @router.get(
        "/v1/sessions/{session_id}/events",
        summary="Follow a live session as server-sent events",
        responses={
            200: {
                "description": "Earlier finals, then each event; the last is `ended`.",
                "content": server_sent_events(dict[str, Any]),
            },
            204: {"description": "The session has ended, and `Last-Event-ID` was its last event."},
            **refusals(ErrorResponse, 400, 404, *KEYED),
        },
        openapi_extra={"parameters": query_parameters(EventsQuery)},
    )
    async def get_events(request: Request, session_id: _SessionId) -> Response:
        """Stream the events of a session; with ``Last-Event-ID`` continue after that event."""
        reader, feed = await admit(request, session_id)
        query = convert_texts(request.query_params.multi_items(), EventsQuery, "query")
        number = query.after
        last = request.headers.get("last-event-id", "")
        if number is None and last.isascii() and last.isdecimal() and len(last) < 16:
            number = int(last)
        if number is None:
            number = feed.number_before(query.history)
        elif feed.is_ended and number >= feed.last_number:
            return Response(status_code=204)  # a browser does not connect again
        cursor = feed.cursor(encode_feed_event, number)
        start = encode_start(feed.id, feed.source, feed.started_at)
        if not query.follow:
            return Response(await _until_now(cursor, start), headers=_NO_STORE, media_type=_EVENTS)
        return FeedStream(
            cursor,
            feed.notifier,
            _EVENTS,
            start,
            _limit_s(reader),
            feeds.reading(feed),
            partial(feed.is_withdrawn, reader.token),
        )

    @router.get(
        "/v1/sessions/{session_id}/captions.vtt",
        summary="Follow a live session as WebVTT",
        responses={
            200: _text("Cues of earlier finals, then of each final as it is said.", _VTT),
            **refusals(ErrorResponse, 400, 404, *KEYED),
        },
        openapi_extra={"parameters": query_parameters(CaptionsQuery)},
    )
    async def get_captions(request: Request, session_id: _SessionId) -> Response:
        """Stream the finals of a session as WebVTT, or return those until now."""
        reader, feed = await admit(request, session_id)
        format_of(WEBVTT)
        query = convert_texts(request.query_params.multi_items(), CaptionsQuery, "query")
        cursor = feed.cursor(encode_cues, feed.number_before(query.history))
        if not query.follow:
            return Response(await _until_now(cursor, START), headers=_NO_STORE, media_type=_VTT)
        return FeedStream(
            cursor,
            feed.notifier,
            _VTT,
            START,
            _limit_s(reader),
            feeds.reading(feed),
            partial(feed.is_withdrawn, reader.token),
        )

    @router.get(
        "/v1/sessions/{session_id}/captions.m3u8",
        summary="Captions of a live session as an HLS playlist",
        responses={
            200: _text("The playlist of the newest segments.", _HLS),
            **refusals(ErrorResponse, 400, 404, *KEYED),
        },
        openapi_extra={"parameters": query_parameters(TokenQuery)},
    )
    async def get_playlist(request: Request, session_id: _SessionId) -> Response:
        """Return the playlist of the segments whose captions are final."""
        _, feed = await admit(request, session_id)
        format_of(WEBVTT)
        if not feed.segments and not feed.is_ended:
            with feeds.reading(feed):
                async with while_connected(request.receive):
                    await _until_first_segment(feed)
        query = f"?{request.url.query}" if request.url.query else ""  # its token, for the segments
        return Response(feed.playlist(query), headers=_NO_STORE, media_type=_HLS)

    @router.get(
        "/v1/sessions/{session_id}/captions/{segment}.vtt",
        summary="A segment of HLS captions",
        responses={
            200: _text("The captions of 6 seconds.", _VTT),
            **refusals(ErrorResponse, 400, 404, *KEYED),
        },
        openapi_extra={"parameters": query_parameters(TokenQuery)},
    )
    async def get_segment(request: Request, session_id: _SessionId, segment: _Segment) -> Response:
        """Return a segment that is in the playlist."""
        _, feed = await admit(request, session_id)
        if not (segment.isascii() and segment.isdecimal() and len(segment) < 10):
            raise NotFound("This segment is not in the playlist.")
        return Response(feed.segment(int(segment)), headers=_SEGMENT_AGE, media_type=_VTT)

    return router


def feeds_of(server: Service) -> Feeds:
    """Return the feeds of a server."""
    feeds = server.live.followers[NAME]
    assert isinstance(feeds, Feeds)
    return feeds


async def _admit(
    access: Access, feeds: Feeds, request: Request, session_id: str
) -> tuple[Reader, SessionFeed]:
    reader = access.admit_reader(request, session_id)
    feed = feeds.find(reader.client, session_id)
    if feed.is_withdrawn(reader.token):
        raise TokenExpired("The token was withdrawn; ask its issuer for a new one.")
    request_log(request.scope).details["session"] = feed.id
    await feeds.keep(feed)
    return reader, feed


async def _until_now(cursor: FeedCursor, start: bytes) -> bytes:
    """Return the beginning of a stream, up to what was said until now."""
    parts = [start, cursor.next_bytes()]
    while cursor.is_behind:
        await anyio.lowlevel.checkpoint()
        parts.append(cursor.next_bytes())
    return b"".join(parts)


async def _until_first_segment(feed: SessionFeed) -> None:
    with anyio.move_on_after(FIRST_SEGMENT_S):
        while not feed.segments and not feed.is_over:  # noqa: ASYNC110  # no event
            await anyio.sleep(_POLL_S)


def _limit_s(reader: Reader) -> float | None:
    """Return the time until the reader's token expires, in seconds."""
    return None if reader.expires_at is None else max(0.0, reader.expires_at - time.time())
