"""The sender against real HTTP servers on this machine."""

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from auricle.webhooks.request import Payload, WebhookRequest, new_request
from auricle.webhooks.sender import MAX_CONCURRENT, WebhookSender
from tests.support.certificates import issued
from tests.support.poll import LIMIT_S
from tests.support.receiver import Receiver, receiver_running

BODY = b'{"type": "job.done"}'


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiver_running() as server:
        yield server


def request_to(url: str, method: str = "POST") -> WebhookRequest:
    payload = Payload(method, BODY)
    return new_request(url, payload, event_id="event", secret=b"secret", timestamp=5)


async def send(url: str, *, allow_private: bool = True, timeout_s: float = LIMIT_S) -> int | None:
    sender = WebhookSender(allow_private=allow_private, timeout_s=timeout_s)
    try:
        return await sender.send(request_to(url))
    finally:
        await sender.aclose()


async def test_a_signed_request_arrives(receiver: Receiver) -> None:
    assert await send(receiver.url("/204")) == 204
    ((path, headers, body),) = receiver.requests

    expected = request_to("").headers
    received = {name.lower(): value for name, value in headers.items()}
    assert (path, body) == ("/204", BODY)
    assert {name: received[name] for name in expected} == expected


async def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    assert await send(receiver.url("/302")) == 302
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
async def test_the_status_of_a_refusal_is_returned(receiver: Receiver, status: int) -> None:
    assert await send(receiver.url(f"/{status}")) == status


async def test_the_body_of_a_response_is_not_read(receiver: Receiver) -> None:
    assert await send(receiver.url("/long")) == 200


async def test_a_receiver_that_hangs_is_left_after_the_deadline(receiver: Receiver) -> None:
    assert await send(receiver.url("/hang"), timeout_s=0.5) is None


async def test_an_answer_that_is_not_http_is_no_answer(receiver: Receiver) -> None:
    assert await send(receiver.url("/garbage")) is None


async def test_a_port_where_nothing_listens_is_no_answer(receiver: Receiver) -> None:
    url = receiver.url()
    receiver.server_close()

    assert await send(url) is None


async def test_a_connection_that_is_closed_mid_way_is_no_answer(receiver: Receiver) -> None:
    assert await send(receiver.url("/close")) is None


@pytest.mark.parametrize("allow_private", [False, True])
@pytest.mark.parametrize("host", ["receiver.invalid", f"{'a' * 64}.invalid", "a..invalid"])
async def test_a_host_name_that_cannot_be_resolved_is_no_answer(
    host: str, allow_private: bool
) -> None:
    assert await send(f"http://{host}/", allow_private=allow_private) is None


async def test_lookups_that_hang_do_not_delay_other_lookups(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookup, end = socket.getaddrinfo, threading.Event()

    def slow_lookup(host: str, *args: Any, **options: Any) -> Any:
        if host == "slow.example":
            end.wait(60)
        return lookup(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow_lookup)
    sender = WebhookSender(allow_private=True, timeout_s=LIMIT_S)
    async with anyio.create_task_group() as group:
        for _ in range(MAX_CONCURRENT - 1):
            group.start_soon(sender.send, request_to("http://slow.example/"))
        await anyio.lowlevel.checkpoint()
        status = await sender.send(request_to(receiver.url(host="localhost")))
        group.cancel_scope.cancel()
    end.set()
    await sender.aclose()

    assert status == 200


async def test_the_method_of_the_request_is_used(receiver: Receiver) -> None:
    sender = WebhookSender(allow_private=True, timeout_s=LIMIT_S)
    await sender.send(request_to(receiver.url(), "PUT"))
    await sender.aclose()

    assert receiver.methods == ["PUT"]


async def test_a_certificate_that_is_not_trusted_is_no_answer(receiver: Receiver) -> None:
    assert await send(receiver.url().replace("http://", "https://")) is None


async def test_a_receiver_with_a_certificate_of_a_trusted_authority_is_used(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = issued(tmp_path / "certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.ca))
    url = receiver.url(host="localhost").replace("http://", "https://")

    assert await send(url) == 200
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1"])
async def test_no_connection_is_made_to_a_private_address(receiver: Receiver, host: str) -> None:
    assert await send(receiver.url(host=host), allow_private=False) is None
    assert receiver.requests == []


async def test_many_requests_are_sent_at_once(receiver: Receiver) -> None:
    sender = WebhookSender(allow_private=True, timeout_s=LIMIT_S)
    statuses: list[int | None] = []

    async def send_one() -> None:
        statuses.append(await sender.send(request_to(receiver.url())))

    async with anyio.create_task_group() as group:
        for _ in range(40):
            group.start_soon(send_one)
    await sender.aclose()

    assert statuses == [200] * 40
