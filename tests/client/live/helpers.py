"""What the tests of live share."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import anyio

from auricle.client import ClientRules, LiveClient, LiveEvent
from auricle.values.errors import AuricleError
from auricle.values.events import Final
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from tests.support.opus import tone
from tests.support.poll import poll_until

QUICK = ClientRules(first_delay_s=0.02, max_delay_s=0.2, silence_s=60, keepalive_s=0.5)
IMPATIENT = replace(QUICK, silence_s=0.5)
"""On a busy machine it may leave a connection that is not dead."""
STEP = 1600


def speech(seconds: float) -> Pcm16:
    return tone(300, int(seconds * SAMPLE_RATE_HZ))


@dataclass
class Listener:
    """Collects all events of a client."""

    events: list[LiveEvent] = field(default_factory=list)
    failure: Exception | None = None
    is_done: bool = False

    async def listen(self, client: LiveClient) -> None:
        try:
            async for event in client:
                self.events.append(event)
        except Exception as exc:
            self.failure = exc
        self.is_done = True

    @property
    def finals(self) -> list[Final]:
        return [event for event in self.events if isinstance(event, Final)]

    @property
    def texts(self) -> list[str]:
        return [final.text for final in self.finals]

    def of(self, kind: type[LiveEvent]) -> list[LiveEvent]:
        return [event for event in self.events if isinstance(event, kind)]


async def run(client: LiveClient, listener: Listener, pcm: Pcm16) -> None:
    """Send the speech in steps and wait for the end."""
    async with client, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.listen, client)
        with contextlib.suppress(AuricleError):  # the listener gets the error too
            for at in range(0, pcm.size, STEP):
                await client.send(pcm[at : at + STEP])
                await anyio.sleep(0.001)
        client.finish()
        await poll_until(lambda: listener.is_done, "the end of the stream")


async def run_in_parts(
    client: LiveClient, listener: Listener, first: Pcm16, rest: Pcm16, between: Callable[[], object]
) -> None:
    """Send the first part, wait for its finals (one each second), and send the rest."""
    async with client, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.listen, client)
        await client.send(first)
        finals = first.size // SAMPLE_RATE_HZ
        await poll_until(lambda: len(listener.finals) == finals, f"{finals} finals")
        between()
        await client.send(rest)
        client.finish()
        await poll_until(lambda: listener.is_done, "the end of the stream")


def spans(texts: list[str]) -> list[tuple[int, int]]:
    return [(int(start), int(end)) for start, _, end in (text.partition("-") for text in texts)]


def assert_complete(listener: Listener, pcm: Pcm16) -> None:
    """Check that the finals cover all of the speech, each sample once, in order."""
    assert listener.failure is None
    final_spans = spans(listener.texts)
    assert final_spans[0][0] == 0
    for (_, end), (start, _) in zip(final_spans, final_spans[1:], strict=False):
        assert start == end
    assert 0 <= final_spans[-1][1] - pcm.size < 800  # the last frame is padded
    assert [final.id for final in listener.finals] == list(range(1, len(final_spans) + 1))
