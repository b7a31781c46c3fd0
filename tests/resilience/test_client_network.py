"""LiveClient and a real server in a separate process, over an unreliable network."""

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from auricle.client import ClientRules, Connected, Final, LiveClient, LiveEvent
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from tests.support.clips import CLIPS, words
from tests.support.command import serving
from tests.support.model import CACHE_DIR, bundled_model
from tests.support.tcp_proxy import TcpProxy, proxy_to

pytestmark = [pytest.mark.process, pytest.mark.anyio]

PAIR = CLIPS["pair.wav"]
QUICK = ClientRules(first_delay_s=0.05, max_delay_s=0.2)
CUT_BYTES = 4000
"""A quarter of the pair."""
STEP = SAMPLE_RATE_HZ // 10
STEP_S = 0.02


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("server")) as (_, found):
        yield found


async def speak(client: LiveClient, pcm: Pcm16, proxy: TcpProxy | None) -> None:
    """Send speech at five times real time; cut every connection after a while."""
    for at in range(0, pcm.size, STEP):
        if proxy is not None and proxy.cut_after_bytes is None:
            proxy.cut_after_bytes = CUT_BYTES
        await client.send(pcm[at : at + STEP])
        await anyio.sleep(STEP_S)
    client.finish()


async def hear(url: str, pcm: Pcm16, proxy: TcpProxy | None = None) -> list[LiveEvent]:
    events: list[LiveEvent] = []
    async with LiveClient(url, rules=QUICK) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(speak, client, pcm, proxy)
        events += [event async for event in client]
    return events


def finals(events: list[LiveEvent]) -> list[Final]:
    return [event for event in events if isinstance(event, Final)]


def spans(events: list[LiveEvent]) -> list[tuple[int, str, int, int]]:
    return [(one.id, one.text, one.start_sample, one.end_sample) for one in finals(events)]


@pytest.mark.wall_clock
async def test_a_network_that_breaks_changes_no_transcript(url: str) -> None:
    whole = spans(await hear(url, PAIR.pcm))
    assert [id for id, *_ in whole] == [1, 2]
    async with proxy_to(int(url.rsplit(":", 1)[1])) as proxy:
        events = await hear(proxy.url, PAIR.pcm, proxy)
    returns = [event for event in events if isinstance(event, Connected)]
    assert len(returns) >= 3
    assert all(event.resumed for event in returns[1:])
    assert spans(events) == whole


@pytest.mark.model
@pytest.mark.slow
async def test_speech_is_transcribed_over_a_network_that_breaks(tmp_path: Path) -> None:
    bundled_model()
    real = {
        "engine": "whisper",
        "model": "base",
        "cache_dir": CACHE_DIR,
    }
    with serving(tmp_path, **real) as (_, url):
        async with proxy_to(int(url.rsplit(":", 1)[1])) as proxy:
            events = await hear(proxy.url, PAIR.pcm, proxy)
            assert proxy.connections >= 3
    assert [words(final.text) for final in finals(events)] == [
        words("Please close the window."),
        words("Dinner is on the table."),
    ]
