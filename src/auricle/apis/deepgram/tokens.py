"""``POST /v1/auth/grant`` issues a short-lived token for a key in Deepgram's format."""

from typing import TypedDict

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from auricle.apis.deepgram.wire.errors import DeepgramError
from auricle.apis.native.tokens import NO_STORE, TokenFields, Ttl, issue_token
from auricle.server.http.openapi import POSTED, answer, json_body, refusals
from auricle.server.http.responses import json_response
from auricle.server.service import Service


class _GrantFields(TokenFields, rename={"ttl_s": "ttl_seconds"}):
    ttl_s: Ttl = 30  # Deepgram's default


class _Grant(TypedDict):
    access_token: str
    expires_in: int


def routes(service: Service) -> APIRouter:
    """Return the routes of a server."""
    router = APIRouter(default_response_class=Response)

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
        token, ttl_s = await issue_token(service, request, _GrantFields)
        return json_response(_Grant(access_token=token, expires_in=ttl_s), headers=NO_STORE)

    return router
