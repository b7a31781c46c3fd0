"""A live stream without an event loop, with a scripted server in another thread."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from anyio.from_thread import start_blocking_portal

from auricle.client.api.live_stream import LiveStream
from auricle.values.commands import Configure, Finalize, StreamParameters
from auricle.values.errors import Unreachable
from auricle.values.events import Closed, Final
from tests.support.live_server import LiveServer, live_server

pytestmark = pytest.mark.process


@pytest.fixture
def scripted() -> Iterator[LiveServer]:
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(live_server()) as server,
    ):
        yield server


def test_one_thread_sends_while_another_reads(scripted: LiveServer) -> None:
    with LiveStream(scripted.url, "key", StreamParameters(language="de")) as stream:

        def speak() -> None:
            for _ in range(5):
                stream.send(np.zeros(8_000, np.int16))
            stream.configure(Configure(language="en"))
            stream.finalize()
            stream.finish()

        thread = threading.Thread(target=speak)
        thread.start()
        events = list(stream)
        thread.join()
    texts = [event.text for event in events if isinstance(event, Final)]
    assert texts[:2] == ["0-16000", "16000-32000"]
    assert isinstance(events[-1], Closed)
    [session] = scripted.sessions
    assert session.start.language == "de"
    kinds = [type(command) for command in session.commands]
    assert kinds.index(Configure) < kinds.index(Finalize)


def test_a_server_that_does_not_answer_is_reported() -> None:
    with pytest.raises(Unreachable), LiveStream("http://127.0.0.1:1", None, StreamParameters()):
        raise AssertionError("it connected")
