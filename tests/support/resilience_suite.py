"""A talk by a driver of the resilience suite, faster than speech."""

import numpy as np

from stt_resilience import drivers
from stt_resilience.drivers.base import Driver, Session
from stt_resilience.servers import Protocol
from tests.support.stream import SPEECH, silence

CHUNK = 1600
PCM = np.concatenate([SPEECH, np.frombuffer(silence(2), np.int16)])


def live_driver(name: str, url: str) -> Driver:
    driver = drivers.live(Protocol(name, url))
    assert driver is not None
    return driver


async def say(session: Session, start: int = 0, end: int = PCM.size) -> None:
    for at in range(start, end, CHUNK):
        await session.send(PCM[at : min(at + CHUNK, end)], at)


async def finals(session: Session) -> list[str]:
    return [text.text async for text in session.texts() if text.kind == "final"]


async def finals_of(name: str, url: str) -> list[str]:
    """Return the finals of the speech by a driver."""
    session = await live_driver(name, url).open()
    await say(session)
    await session.end_utterance()
    await session.finish()
    texts = await finals(session)
    await session.close()
    return texts
