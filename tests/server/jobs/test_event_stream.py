"""Server-sent events while a file is transcribed."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest
from starlette.requests import Request
from starlette.types import Message

from auricle.files.transcribe import FileProgress, FileTranscript, OnProgress
from auricle.server.jobs import event_stream
from auricle.server.jobs.event_stream import EventStream
from auricle.server.jobs.intake import UploadContext
from auricle.values.errors import AudioError
from auricle.values.types import Transcript
from tests.support.service import opened

pytestmark = pytest.mark.server

RESULT = FileTranscript(Transcript("one two", "en", 1.0, 32_000), ())
Recognise = Callable[[OnProgress], Awaitable[FileTranscript]]


async def never() -> Message:
    await anyio.sleep_forever()
    raise AssertionError


async def events(folder: Path, recognise: Recognise) -> list[Message]:
    """Return the messages of a response, up to the first error before it began."""
    async with opened(folder) as service:
        scope = {
            "type": "http",
            "app": service.app,
            "method": "POST",
            "path": "/",
            "headers": [],
            "query_string": b"",
            "client": ("127.0.0.1", 1),
            "scheme": "http",
            "state": {},
        }
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        stream = EventStream(
            UploadContext(service.state.uploads, Request(scope, never)),
            recognise,
            encode_delta=str.encode,
            encode_done=lambda result: f"done {result.transcript.text}".encode(),
            encode_error=lambda error: f"error {error}".encode(),
        )
        await stream(scope, never, send)
        return sent


def bodies(messages: list[Message]) -> list[bytes]:
    return [message["body"] for message in messages if message["type"].endswith("body")]


def progress(text: str) -> FileProgress:
    return FileProgress(0.5, text, text)


async def test_text_is_sent_once_and_the_result_last(tmp_path: Path) -> None:
    async def recognise(note: OnProgress) -> FileTranscript:
        note(progress("one"))
        await anyio.wait_all_tasks_blocked()
        return RESULT

    messages = await events(tmp_path, recognise)
    assert messages[0]["status"] == 200
    assert bodies(messages) == [b"one", b" two", b"done one two"]
    assert [message.get("more_body") for message in messages[1:]] == [True, True, False]


async def test_an_error_before_the_first_event_is_raised(tmp_path: Path) -> None:
    async def recognise(note: OnProgress) -> FileTranscript:
        raise AudioError("Broken.")

    with pytest.raises(AudioError):
        await events(tmp_path, recognise)


async def test_a_later_error_is_the_last_event(tmp_path: Path) -> None:
    async def recognise(note: OnProgress) -> FileTranscript:
        note(progress("one"))
        await anyio.wait_all_tasks_blocked()
        raise AudioError("Broken.")

    messages = await events(tmp_path, recognise)
    assert bodies(messages) == [b"one", b"error Broken."]
    assert messages[-1]["more_body"] is False


async def test_comments_keep_a_quiet_stream_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "KEEP_ALIVE_S", 0.0)
    rounds = anyio.Event()

    async def recognise(note: OnProgress) -> FileTranscript:
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        rounds.set()
        return RESULT

    first, *rest = bodies(await events(tmp_path, recognise))
    assert first == b": still working\n\n"
    assert rest[-1] == b"done one two"
