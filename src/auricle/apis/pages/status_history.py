"""The route of the history, ``/health/history``, and what the history observes of a server."""

import time
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from auricle.apis.pages.history import History, Snapshot
from auricle.protocol.errors import ErrorResponse
from auricle.server.http.openapi import answer, refusals
from auricle.server.http.responses import json_response
from auricle.server.service import Service


def routes(service: Service, history: History) -> APIRouter:
    """Return the route of a server's history."""
    router = APIRouter(default_response_class=Response)
    keyring = service.access.keyring

    @router.get(
        "/health/history",
        summary="History of the last 15 minutes",
        responses={
            200: answer("The current state.", dict[str, Any]),
            **refusals(ErrorResponse),
        },
    )
    async def get_history(request: Request) -> Response:
        """Return the last 15 minutes; crash stacks only with the operator's key."""
        is_operator = keyring.is_operator(request.headers)
        body = history.body(time.monotonic(), time.time(), with_stacks=is_operator)
        return json_response(body)

    return router


def observe(service: Service, history: History) -> None:
    """Add a snapshot to the history of a server, once the use of its host is known."""
    recognition, live, metrics = service.recognition, service.live, service.metrics
    if (host := service.host.last) is None:
        return
    snapshot = Snapshot(
        asr=recognition.transcriber.stats(),
        decode=recognition.decoder.stats(),
        connected=live.connected,
        waiting=live.waiting,
        errors=metrics.errors.copy(),
        final_delays_s=metrics.live.take_final_delays(),
        host=host,
    )
    history.observe(snapshot, time.monotonic(), time.time())
