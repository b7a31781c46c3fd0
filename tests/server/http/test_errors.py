import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import LogCapture

from auricle.server.http.errors import (
    CLIENT_LEFT_STATUS,
    ErrorBoundaryMiddleware,
    error_body,
    error_response,
)
from auricle.values import errors
from auricle.values.errors import AuricleError, Overloaded, RateLimited

pytestmark = pytest.mark.unit

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
SECRET = "what somebody said"

# status and code by class, as native-protocol.md has them
TABLE = {
    errors.BadRequest: (400, "bad_request"),
    errors.Unauthorized: (401, "unauthorized"),
    errors.TokenExpired: (401, "token_expired"),
    errors.ForbiddenOrigin: (403, "forbidden_origin"),
    errors.ForbiddenHost: (421, "forbidden_host"),
    errors.NotFound: (404, "not_found"),
    errors.ModelNotFound: (404, "model_not_found"),
    errors.MethodNotAllowed: (405, "method_not_allowed"),
    errors.IdleTimeout: (408, "idle_timeout"),
    errors.TakenOver: (409, "taken_over"),
    errors.JobConflict: (409, "job_conflict"),
    errors.TooLarge: (413, "too_large"),
    errors.HeadTooLarge: (431, "head_too_large"),
    errors.TooLong: (413, "too_long"),
    errors.UnsupportedFormat: (415, "unsupported_format"),
    errors.UnsupportedOption: (400, "unsupported_option"),
    errors.RateLimited: (429, "rate_limited"),
    errors.AudioError: (422, "bad_audio"),
    errors.EmptyAudio: (422, "empty_audio"),
    errors.OpusWithoutBoundaries: (422, "opus_without_boundaries"),
    errors.Overloaded: (503, "queue_full"),
    errors.ServerFull: (503, "server_full"),
    errors.NoWorkerReady: (503, "no_worker_ready"),
    errors.ModelUnavailable: (503, "model_unavailable"),
    errors.Draining: (503, "draining"),
    errors.LedgerUnavailable: (503, "ledger_unavailable"),
    errors.LedgerFailed: (503, "ledger_failed"),
    errors.LedgerFull: (503, "ledger_full"),
    errors.DeadlineExceeded: (504, "deadline_exceeded"),
    errors.PoisonJob: (500, "poison_job"),
    errors.AudioMissing: (500, "audio_missing"),
    errors.ApiUnavailable: (500, "api_unavailable"),
    errors.RemoteProtocolError: (400, "protocol_error"),
}


def all_classes(base: type[AuricleError] = AuricleError) -> Iterator[type[AuricleError]]:
    yield base
    for sub in base.__subclasses__():
        if sub.__module__ == errors.__name__:
            yield from all_classes(sub)


def make(cls: type[AuricleError], message: str = "Do this.") -> AuricleError:
    if issubclass(cls, errors.ServerFull):
        return cls(message, 7, speakers=3, capacity=4)
    return cls(message, 7) if issubclass(cls, Overloaded | RateLimited) else cls(message)


def test_each_error_for_clients_is_in_a_reference() -> None:
    pages = [(REFERENCE / name).read_text() for name in ("http-api.md", "protocol.md")]
    rows = re.findall(r"^\| \d{3,4} \| (`\w+`.*?) \|", "\n".join(pages), re.MULTILINE)
    listed = {code for row in rows for code in re.findall(r"`(\w+)`", row)}
    assert {code for _, code in TABLE.values()} <= listed


@pytest.mark.parametrize("cls", TABLE)
def test_each_error_for_clients_has_its_status_code_and_words(cls: type[AuricleError]) -> None:
    response = error_response(make(cls))
    body = json.loads(bytes(response.body))["error"]
    assert (response.status_code, body["code"]) == TABLE[cls]
    assert body["message"] == "Do this."
    assert body["retryable"] is cls.retryable
    if cls.retryable:
        assert body["retry_after_s"] >= 1
        assert response.headers["retry-after"] == str(body["retry_after_s"])
    else:
        assert body["retry_after_s"] is None
        assert "retry-after" not in response.headers


@pytest.mark.parametrize(
    "cls", [cls for cls in all_classes() if cls not in TABLE and cls is not errors.RequestError]
)
def test_every_other_error_is_internal_and_reveals_nothing(cls: type[AuricleError]) -> None:
    response = error_response(make(cls, SECRET))
    assert response.status_code == 500
    assert error_body(make(cls, SECRET))["code"] == "internal"
    assert SECRET.encode() not in bytes(response.body)


@pytest.mark.parametrize(("asked_s", "sent"), [(0, "1"), (1, "1"), (7, "7")])
def test_overload_says_in_whole_seconds_when_to_retry(asked_s: int, sent: str) -> None:
    response = error_response(Overloaded("full", asked_s))
    assert response.headers["retry-after"] == sent
    assert json.loads(bytes(response.body))["error"]["retry_after_s"] == int(sent)


def test_a_full_server_says_how_many_speak_and_how_many_it_holds() -> None:
    body = error_body(errors.ServerFull("full", 7, speakers=3, capacity=4))
    assert (body["speakers"], body["capacity"], body["retryable"]) == (3, 4, True)
    assert not {"speakers", "capacity"} & error_body(Overloaded("full", 7)).keys()


def test_a_permanent_error_has_no_retry_after() -> None:
    response = error_response(errors.BadRequest("no"))
    assert "retry-after" not in response.headers
    assert json.loads(bytes(response.body))["error"]["retry_after_s"] is None


def foreign(error: BaseException, request_id: str) -> Response:
    return Response(type(error).__name__, 418)


REFUSALS = {"/foreign/": foreign}


async def through_shield(
    error: BaseException | None, *, starts: bool = False, path: str = "/native"
) -> list[Message]:
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if starts:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        if error is not None:
            raise error

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    application = SimpleNamespace(state=SimpleNamespace(refusals=REFUSALS))
    scope = {"type": "http", "headers": [], "path": path, "app": application}
    await ErrorBoundaryMiddleware(app)(scope, receive, send)
    return sent


async def test_a_bug_is_answered_as_internal_and_logged_without_its_message(
    logged: LogCapture,
) -> None:
    sent = await through_shield(ValueError(SECRET))
    assert sent[0]["status"] == 500
    assert SECRET.encode() not in sent[1]["body"]
    assert logged.entries[0]["error"] == "ValueError"
    assert any("test_errors.py" in frame for frame in logged.entries[0]["frames"])
    assert SECRET not in str(logged.entries)


async def test_an_auricle_error_in_a_group_is_answered_as_itself() -> None:
    sent = await through_shield(ExceptionGroup("", [KeyError(SECRET), Overloaded("full", 3)]))
    assert sent[0]["status"] == 503


async def test_a_dialect_gets_errors_in_its_own_shape() -> None:
    sent = await through_shield(Overloaded("full", 3), path="/foreign/path")
    assert (sent[0]["status"], sent[1]["body"]) == (418, b"Overloaded")


async def test_a_client_that_left_gets_no_error_in_the_logs(logged: LogCapture) -> None:
    sent = await through_shield(ClientDisconnect())
    assert sent[0]["status"] == CLIENT_LEFT_STATUS
    assert logged.entries == []


async def test_half_an_answer_is_not_ended_as_if_it_were_whole() -> None:
    with pytest.raises(ValueError, match=SECRET):
        await through_shield(ValueError(SECRET), starts=True)
