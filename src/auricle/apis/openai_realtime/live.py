"""``/v1/realtime``: OpenAI's Realtime transcription, and its client secrets.

A secret consists of ``ek_``, a token (:mod:`auricle.server.access.tokens`), ``~`` and the initial
session configuration.
The server stores no secrets, and any server with the same key accepts them. The configuration isn't
signed, because the holder can change it with ``session.update`` anyway.
"""

import base64
import binascii
import secrets
import time
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, TypedDict

import msgspec
from fastapi import APIRouter
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from auricle.apis.openai.wire.errors import ErrorResponse
from auricle.apis.openai_realtime import EPHEMERAL_PREFIX
from auricle.apis.openai_realtime.wire.config import RealtimeConfig, decode_session
from auricle.apis.openai_realtime.wire.live import RealtimeDialect
from auricle.protocol.fields import decode_json
from auricle.server.access.keyring import Keyring
from auricle.server.dialect_session import Handshake, Streams, serve_dialect
from auricle.server.http.body import read_json
from auricle.server.http.openapi import POSTED, answer, json_body, refusals
from auricle.server.http.responses import json_response
from auricle.server.service import Service
from auricle.values.errors import BadRequest

SUBPROTOCOL = "realtime"
MAX_MESSAGE_BYTES = 16 * 2**20
"""Maximum message; OpenAI allows 15 MiB of base64."""
_BETA_SUBPROTOCOL = "openai-beta.realtime-v1"

DEFAULT_TTL_S, BETA_TTL_S = 600, 60
"""OpenAI's defaults, in seconds."""
MAX_CONFIG_CHARACTERS = 4000
"""Many proxies limit a header to 8 KB."""
_MAX_BODY_BYTES = 64 * 1024
_NO_STORE = {"cache-control": "no-store"}

_Ttl = Annotated[int, msgspec.Meta(ge=10, le=7200)]


class _Expiry(msgspec.Struct):
    seconds: _Ttl | None = None


class _SecretFields(msgspec.Struct):
    expires_after: _Expiry | None = None
    session: (
        Annotated[
            msgspec.Raw,
            msgspec.Meta(
                description="As in `session.update`.", extra_json_schema={"type": "object"}
            ),
        ]
        | msgspec.UnsetType
    ) = msgspec.UNSET


class _BetaSecret(msgspec.Struct):
    expires_at: _Expiry | None = None


class _BetaFields(msgspec.Struct):
    client_secret: _BetaSecret | None = None


class _Secret(TypedDict):
    value: str
    expires_at: int
    session: dict[str, Any]


class _BetaSecretBody(TypedDict):
    value: str
    expires_at: int


class _BetaSession(TypedDict):
    id: str
    client_secret: _BetaSecretBody


def routes(service: Service) -> APIRouter:
    """Return the routes of a server."""
    router = APIRouter(default_response_class=Response)
    access, streams = service.access, service.streams
    default = _default_config(service.live.settings.endpoint_ms)
    client_secrets = _ClientSecrets(access.keyring, default)
    pause_s = service.settings.server.body_timeout_s

    async def read_body(request: Request) -> bytes:
        access.admit(request)
        return await read_json(request.receive, max_bytes=_MAX_BODY_BYTES, pause_s=pause_s)

    @router.websocket("/realtime")
    async def realtime(websocket: WebSocket) -> None:
        """Serve an OpenAI Realtime client; unknown query parameters are ignored."""
        read = partial(_read, streams, default)
        await serve_dialect(streams, websocket, "openai-realtime", read)

    @router.post(
        "/realtime/client_secrets",
        summary="Create a client secret for Realtime transcription (OpenAI)",
        responses={200: answer("The secret.", _Secret), **refusals(ErrorResponse, *POSTED)},
        openapi_extra=json_body(_SecretFields),
    )
    async def post_client_secret(request: Request) -> Response:
        """Return a short-lived secret with which a browser can open ``/v1/realtime``."""
        body = await read_body(request)
        return json_response(client_secrets.issue(request.headers, body), headers=_NO_STORE)

    @router.post(
        "/realtime/transcription_sessions",
        summary="Create a Realtime transcription session (OpenAI beta)",
        responses={200: answer("The session.", _BetaSession), **refusals(ErrorResponse, *POSTED)},
        openapi_extra=json_body(_BetaFields),
    )
    async def post_transcription_session(request: Request) -> Response:
        """Return a session with its client secret."""
        body = await read_body(request)
        session = client_secrets.issue_session(request.headers, body)
        return json_response(session, headers=_NO_STORE)

    return router


def _read(streams: Streams, default: RealtimeConfig, websocket: WebSocket) -> Handshake:
    offered = websocket.scope.get("subprotocols", [])
    secret = streams.access.keyring.style.presented(websocket.headers, offered)
    config = _config_of(secret, default)
    query = websocket.query_params
    if model := query.get("deployment") or query.get("model"):  # a deployment, at Azure OpenAI
        config = config.with_model(model)
    is_beta = _BETA_SUBPROTOCOL in offered or "openai-beta" in websocket.headers
    dialect = RealtimeDialect(secrets.token_hex(8), config, is_beta=is_beta)
    chosen = SUBPROTOCOL if SUBPROTOCOL in offered else None
    warnings = streams.models.choose(config.model).warnings
    parameters = msgspec.structs.replace(
        config.parameters(),
        vocabulary=query.get("vocabulary", ""),  # an extension
    )
    return Handshake(dialect, parameters, chosen, warnings)


@dataclass(frozen=True, slots=True)
class _ClientSecrets:
    """Issues client secrets.

    Attributes:
        keyring: Issues their tokens.
        default: The configuration that a secret need not contain.
    """

    keyring: Keyring
    default: RealtimeConfig

    def issue(self, headers: Headers, body: bytes) -> _Secret:
        """Return the answer to a request for a secret.

        Raises:
            BadRequest: A field is invalid, or the configuration is too long.
        """
        fields = decode_json(body, _SecretFields, "body")
        ttl_s = (fields.expires_after and fields.expires_after.seconds) or DEFAULT_TTL_S
        config = self.default.merged(decode_session(fields.session or b"{}"))
        value, expires_at = self._secret(headers, config, ttl_s)
        session = _without_nulls(config.session(f"sess_{secrets.token_hex(8)}"))
        return {"value": value, "expires_at": expires_at, "session": session}

    def issue_session(self, headers: Headers, body: bytes) -> dict[str, Any]:
        """Return the answer to a request for a session of the beta.

        Raises:
            BadRequest: A field is invalid, or the configuration is too long.
        """
        fields = decode_json(body, _BetaFields, "body")
        expiry = fields.client_secret and fields.client_secret.expires_at
        config = self.default.merged(decode_session(body))
        value, expires_at = self._secret(headers, config, (expiry and expiry.seconds) or BETA_TTL_S)
        session = config.beta_session(f"sess_{secrets.token_hex(8)}")
        return session | {"client_secret": {"value": value, "expires_at": expires_at}}

    def _secret(self, headers: Headers, config: RealtimeConfig, ttl_s: int) -> tuple[str, int]:
        """Return a secret, and its expiry in seconds since 1970."""
        now = time.time()
        token = self.keyring.issue_token(headers, ttl_s, now=now)
        session = b"" if config == self.default else msgspec.json.encode(config.session(""))
        packed = base64.urlsafe_b64encode(session).rstrip(b"=").decode()
        if len(packed) > MAX_CONFIG_CHARACTERS:
            raise BadRequest(
                "The prompt and keywords are too long for a secret; use session.update."
            )
        return f"{EPHEMERAL_PREFIX}{token}" + (f"~{packed}" if packed else ""), int(now) + ttl_s


def _without_nulls(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON object without the fields that are null, also in its parts.

    Clients that check the answer accept a field that is missing, but not always one that is null.
    """
    return {
        name: _without_nulls(value) if isinstance(value, dict) else value
        for name, value in fields.items()
        if value is not None
    }


def _default_config(endpoint_ms: int) -> RealtimeConfig:
    return RealtimeConfig(silence_ms=endpoint_ms, default_endpoint_ms=endpoint_ms)


def _config_of(presented: str, default: RealtimeConfig) -> RealtimeConfig:
    """Return the session configuration in a secret; the default for a key.

    Raises:
        BadRequest: The configuration is malformed or invalid.
    """
    packed = presented.partition("~")[2] if presented.startswith(EPHEMERAL_PREFIX) else ""
    if not packed:
        return default
    try:
        session = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
    except (binascii.Error, ValueError):
        raise BadRequest("Malformed client secret; request a new one.") from None
    return default.merged(decode_session(session))
