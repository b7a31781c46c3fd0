"""``POST /v1/auth/token`` issues a short-lived token for a key, for use in browsers.

``POST /v1/auth/grant`` does the same in Deepgram's format.
"""

import time
from typing import Annotated, TypedDict

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from auricle.apis.deepgram.wire.errors import DeepgramError
from auricle.protocol.errors import ErrorResponse
from auricle.protocol.fields import decode_json
from auricle.server.http.openapi import POSTED, answer, json_body, refusals
from auricle.server.http.responses import json_response
from auricle.server.service import read_json, service_of

DEFAULT_TTL_S, MAX_TTL_S = 60, 3600

_MAX_BODY_BYTES = 4096

_Ttl = Annotated[float, msgspec.Meta(ge=1, le=MAX_TTL_S, multiple_of=1)]

router = APIRouter(default_response_class=Response)


class _TokenFields(msgspec.Struct):
    ttl_s: _Ttl = DEFAULT_TTL_S


class _GrantFields(msgspec.Struct):
    ttl_seconds: _Ttl = 30  # Deepgram's default


class _Token(TypedDict):
    token: str
    expires_in_s: int


class _Grant(TypedDict):
    access_token: str
    expires_in: int


@router.post(
    "/v1/auth/token",
    summary="Issue a short-lived token",
    responses={
        200: answer("The token.", _Token),
        **refusals(ErrorResponse, *POSTED),
    },
    openapi_extra=json_body(_TokenFields),
)
async def post_token(request: Request) -> Response:
    """Return a token that replaces the request's key for ``ttl_s`` seconds."""
    service_of(request).admit(request)
    body = await read_json(request, _MAX_BODY_BYTES)
    ttl_s = int(decode_json(body, _TokenFields, "body").ttl_s)
    return _answer(_Token(token=_issue(request, ttl_s), expires_in_s=ttl_s))


@router.post(
    "/v1/auth/grant",
    summary="Issue a short-lived token (Deepgram)",
    responses={
        200: answer("The token.", _Grant),
        **refusals(DeepgramError, *POSTED),
    },
    openapi_extra=json_body(_GrantFields),
)
async def post_grant(request: Request) -> Response:
    """Return a token that replaces the request's key for ``ttl_seconds``."""
    service_of(request).admit(request)
    body = await read_json(request, _MAX_BODY_BYTES)
    ttl_s = int(decode_json(body, _GrantFields, "body").ttl_seconds)
    return _answer(_Grant(access_token=_issue(request, ttl_s), expires_in=ttl_s))


def _issue(request: Request, ttl_s: int) -> str:
    return service_of(request).keyring.issue_token(request.headers, ttl_s, now=time.time())


def _answer(body: _Token | _Grant) -> Response:
    return json_response(body, headers={"cache-control": "no-store"})
