"""``POST /v1/auth/token`` issues a short-lived token for a key, for use in browsers."""

import time
from typing import Annotated, TypedDict

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from auricle.protocol.errors import ErrorResponse
from auricle.protocol.fields import decode_json
from auricle.server.http.body import read_json
from auricle.server.http.openapi import POSTED, answer, json_body, refusals
from auricle.server.http.responses import json_response
from auricle.server.service import Service

DEFAULT_TTL_S, MAX_TTL_S = 60, 3600

MAX_BODY_BYTES = 4096
NO_STORE = {"cache-control": "no-store"}

Ttl = Annotated[float, msgspec.Meta(ge=1, le=MAX_TTL_S, multiple_of=1)]


class TokenFields(msgspec.Struct):
    """The body of a request for a token."""

    ttl_s: Ttl = DEFAULT_TTL_S


class _Token(TypedDict):
    token: str
    expires_in_s: int


def routes(service: Service) -> APIRouter:
    """Return the routes of a server."""
    router = APIRouter(default_response_class=Response)

    @router.post(
        "/v1/auth/token",
        summary="Issue a short-lived token",
        responses={
            200: answer("The token.", _Token),
            **refusals(ErrorResponse, *POSTED),
        },
        openapi_extra=json_body(TokenFields),
    )
    async def post_token(request: Request) -> Response:
        """Return a token that replaces the request's key for ``ttl_s`` seconds."""
        token, ttl_s = await issue_token(service, request, TokenFields)
        return json_response(_Token(token=token, expires_in_s=ttl_s), headers=NO_STORE)

    return router


async def issue_token(
    service: Service, request: Request, fields: type[TokenFields]
) -> tuple[str, int]:
    """Return a token that replaces the key of a request, and its lifetime in seconds."""
    service.access.admit(request)
    pause_s = service.settings.server.body_timeout_s
    body = await read_json(request.receive, max_bytes=MAX_BODY_BYTES, pause_s=pause_s)
    ttl_s = int(decode_json(body, fields, "body").ttl_s)
    return service.access.keyring.issue_token(request.headers, ttl_s, now=time.time()), ttl_s
