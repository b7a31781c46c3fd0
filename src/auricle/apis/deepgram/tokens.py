"""``POST /v1/auth/grant`` issues a short-lived token for a key in Deepgram's format."""

import time
from typing import TypedDict

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from auricle.apis.deepgram.wire.errors import DeepgramError
from auricle.apis.native.tokens import MAX_BODY_BYTES, NO_STORE, Ttl
from auricle.protocol.fields import decode_json
from auricle.server.http.body import read_json
from auricle.server.http.openapi import POSTED, answer, json_body, refusals
from auricle.server.http.responses import json_response
from auricle.server.service import Service


class _GrantFields(msgspec.Struct):
    ttl_seconds: Ttl = 30  # Deepgram's default


class _Grant(TypedDict):
    access_token: str
    expires_in: int


def routes(service: Service) -> APIRouter:
    """Return the routes of a server."""
    router = APIRouter(default_response_class=Response)
    access, pause_s = service.access, service.settings.server.body_timeout_s

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
        access.admit(request)
        body = await read_json(request.receive, max_bytes=MAX_BODY_BYTES, pause_s=pause_s)
        ttl_s = int(decode_json(body, _GrantFields, "body").ttl_seconds)
        token = access.keyring.issue_token(request.headers, ttl_s, now=time.time())
        return json_response(_Grant(access_token=token, expires_in=ttl_s), headers=NO_STORE)

    return router
