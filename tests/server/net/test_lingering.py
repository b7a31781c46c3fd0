import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from auricle.server.net.http_framing import ServerConnection
from auricle.server.net.lingering import DiscardedBody
from auricle.server.net.uvicorn_overrides import http_connection
from auricle.values.errors import Overloaded
from tests.support.service import Live, head, keys, live, read_answer

pytestmark = pytest.mark.server

JSON = "Content-Type: application/json"
AUDIO = "Content-Type: audio/wav"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path) as started:
        yield started


async def test_an_answer_reaches_a_client_that_reads_only_after_sending_everything(
    service: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auricle.server.net.lingering.LINGER_S", 600.0)
    monkeypatch.setattr("auricle.server.net.lingering.LINGER_PAUSE_S", 600.0)
    service.transcriber.refuse = Overloaded("full", 4)
    size = 20_000_000
    async with await service.connect() as stream:
        await stream.send(head("/utterance", JSON, f"Content-Length: {size}"))
        for _ in range(size // 100_000):  # far more than any socket buffer holds
            await stream.send(bytes(100_000))
        status, headers, _ = await read_answer(stream)
        assert status == 503
        assert headers["retry-after"] == "4"
        assert headers["connection"] == "close"
        with pytest.raises(anyio.EndOfStream):
            await stream.receive()


async def test_the_answer_is_there_before_the_body_is(service: Live) -> None:
    service.transcriber.refuse = Overloaded("full", 4)
    async with await service.connect() as stream:
        await stream.send(head("/utterance", JSON, "Content-Length: 1000000"))
        status, _, body = await read_answer(stream)
        assert status == 503
        assert b"queue_full" in body
    await service.until_at_rest()


async def test_a_refused_client_that_waits_to_be_asked_sends_nothing(service: Live) -> None:
    service.transcriber.refuse = Overloaded("full", 4)
    async with await service.connect() as stream:
        await stream.send(
            head("/utterance", JSON, "Content-Length: 1000000", "Expect: 100-continue")
        )
        status, _, _ = await read_answer(stream)
        assert status == 503  # and not 100
        with pytest.raises(anyio.EndOfStream):
            await stream.receive()


async def test_a_welcome_client_that_waits_to_be_asked_is_asked(service: Live) -> None:
    async with await service.connect() as stream:
        await stream.send(head("/utterance", JSON, "Content-Length: 2", "Expect: 100-continue"))
        assert (await stream.receive()).startswith(b"HTTP/1.1 100 ")
        await stream.send(b"{}")
        status, _, _ = await read_answer(stream)
        assert status == 400


async def test_a_body_above_the_limit_is_refused_by_its_length_alone(service: Live) -> None:
    async with await service.connect() as stream:
        await stream.send(head("/utterance", JSON, "Content-Length: 100000000"))
        status, headers, body = await read_answer(stream)
        assert (status, headers["connection"]) == (413, "close")
        assert b"too_large" in body


async def test_a_body_that_grows_above_the_limit_is_refused_on_the_way(tmp_path: Path) -> None:
    async with live(tmp_path / "small", max_json_mb=0.1) as service:
        async with await service.connect() as stream:
            await stream.send(head("/utterance", JSON, "Transfer-Encoding: chunked"))
            for _ in range(20):
                await stream.send(b"2710\r\n" + bytes(10_000) + b"\r\n")
            status, _, body = await read_answer(stream)
            assert status == 413
            assert b"too_large" in body
        await service.until_at_rest()


async def test_a_wrong_key_is_refused_before_the_upload(tmp_path: Path) -> None:
    async with (
        live(tmp_path / "keys", api_keys=keys("a:secret")) as service,
        await service.connect() as stream,
    ):
        await stream.send(head("/utterance", AUDIO, "Content-Length: 500000000"))
        status, headers, _ = await read_answer(stream)
        assert (status, headers["www-authenticate"]) == (401, "Bearer")


async def test_a_client_that_keeps_sending_is_cut_off_in_the_end(
    service: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auricle.server.net.lingering.LINGER_BYTES", 1_000_000)
    service.transcriber.refuse = Overloaded("full", 4)
    async with await service.connect() as stream:
        await stream.send(head("/utterance", JSON, "Transfer-Encoding: chunked"))
        with pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream)):
            await send_for_ever(stream)


async def test_a_client_that_sends_for_long_is_cut_off_in_the_end(
    service: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auricle.server.net.lingering.LINGER_S", 0.2)
    service.transcriber.refuse = Overloaded("full", 4)
    async with await service.connect() as stream:
        await stream.send(head("/utterance", JSON, "Transfer-Encoding: chunked"))
        with pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream)):
            await send_for_ever(stream, b"1\r\nx\r\n", 0.01)


async def test_what_comes_after_an_answer_is_not_parsed(
    service: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auricle.server.net.lingering.LINGER_S", 600.0)
    monkeypatch.setattr("auricle.server.net.lingering.LINGER_PAUSE_S", 600.0)
    parsed_bytes = 0

    class Counting(ServerConnection):
        def receive_data(self, data: bytes) -> None:
            nonlocal parsed_bytes
            parsed_bytes += len(data)
            super().receive_data(data)

    monkeypatch.setattr(http_connection, "ServerConnection", Counting)
    service.transcriber.refuse = Overloaded("full", 4)
    async with await service.connect() as stream:
        request = head("/utterance", JSON, "Content-Length: 5000000")
        await stream.send(request)
        status, _, _ = await read_answer(stream)
        assert status == 503
        for _ in range(50):
            await stream.send(bytes(100_000))
    await service.until_at_rest()
    assert parsed_bytes == len(request)


async def test_a_client_that_is_gone_already_is_no_fault() -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        found, _ = listener.accept()
    transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, found)
    transport.pause_reading()  # so that asyncio does not notice
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()  # resets the connection
    discarded = DiscardedBody(transport)
    discarded.close()
    assert transport.is_closing()


async def test_a_request_is_over_when_it_is_answered(
    service: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auricle.server.net.lingering.LINGER_S", 600.0)
    monkeypatch.setattr("auricle.server.net.lingering.LINGER_PAUSE_S", 600.0)
    service.transcriber.refuse = Overloaded("full", 4)
    async with await service.connect() as stream:
        await stream.send(head("/utterance", JSON, "Content-Length: 1000000"))
        await read_answer(stream)
        await service.until_at_rest()
        await stream.send(bytes(100_000))  # and what it still sends has no effect


async def send_for_ever(
    stream: anyio.abc.SocketStream,
    part: bytes = b"186a0\r\n" + bytes(100_000) + b"\r\n",
    pause_s: float = 0.0,
) -> None:
    with anyio.fail_after(60):
        while True:
            await stream.send(part)
            await anyio.sleep(pause_s)


async def test_a_connection_is_kept_after_an_answer_to_a_whole_body(service: Live) -> None:
    async with await service.connect() as stream:
        for _ in range(2):
            await stream.send(head("/utterance", JSON, "Content-Length: 2") + b"{}")
            status, headers, _ = await read_answer(stream)
            assert status == 400
            assert "connection" not in headers
