"""A server is killed and stays away for long while speech continues."""

from pathlib import Path

import anyio
import numpy as np
import pytest

from auricle.client import (
    CatchingUp,
    ClientRules,
    Connected,
    Disconnected,
    Final,
    Gap,
    LiveClient,
    LiveEvent,
)
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from tests.support.clips import CLIPS
from tests.support.command import serving
from tests.support.poll import poll_until

pytestmark = [pytest.mark.process, pytest.mark.wall_clock, pytest.mark.anyio]

PAUSE = np.zeros(SAMPLE_RATE_HZ, np.int16)
TURN = np.concatenate([CLIPS["pair.wav"].pcm, PAUSE])
TURNS = 12
"""Longer than a minute: the excess is transcribed at file priority."""
STEP = SAMPLE_RATE_HZ // 10


def rules(max_kept_s: float = ClientRules().max_kept_s) -> ClientRules:
    return ClientRules(first_delay_s=0.05, max_delay_s=0.2, max_kept_s=max_kept_s)


class Talk:
    """A client and all its events."""

    def __init__(self, url: str, rules: ClientRules) -> None:
        self.client = LiveClient(url, rules=rules)
        self.events: list[LiveEvent] = []
        self.is_over = False

    async def listen(self) -> None:
        async for event in self.client:
            self.events.append(event)
        self.is_over = True

    def push(self, pcm: Pcm16) -> None:
        for at in range(0, pcm.size, STEP):
            self.client.push(pcm[at : at + STEP])

    @property
    def finals(self) -> list[tuple[int, str, int, int]]:
        found = [event for event in self.events if isinstance(event, Final)]
        return [(one.id, one.text, one.start_sample, one.end_sample) for one in found]

    def of(self, kind: type[LiveEvent]) -> list[LiveEvent]:
        return [event for event in self.events if isinstance(event, kind)]


async def survive(folder: Path, rules: ClientRules, turns: int) -> Talk:
    """Stream to a server that is killed after the first words, and to one that starts later."""
    with serving(folder) as (first, url):
        talk = Talk(url, rules)
        async with talk.client, anyio.create_task_group() as tasks:
            tasks.start_soon(talk.listen)
            talk.push(TURN)
            await poll_until(lambda: len(talk.finals) == 2, "the first words")
            first.process.kill()
            first.wait()
            await poll_until(lambda: bool(talk.of(Disconnected)), "the end of the connection")
            for _ in range(turns):
                talk.push(TURN)
            with serving(folder, port=int(url.rsplit(":", 1)[1])):
                talk.client.finish()
                await poll_until(lambda: talk.is_over, "the last words")
    return talk


async def test_speech_of_a_long_outage_is_captioned_once_a_server_is_there(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, url):
        whole = Talk(url, rules())
        async with whole.client, anyio.create_task_group() as tasks:
            tasks.start_soon(whole.listen)
            for _ in range(1 + TURNS):
                await whole.client.send(TURN)
            whole.client.finish()
    talk = await survive(tmp_path, rules(), TURNS)
    assert len(whole.finals) == 2 * (1 + TURNS)
    assert talk.finals == whole.finals
    assert talk.of(Gap) == []
    assert talk.of(Connected) == [Connected(False), Connected(False)]
    behind = [event.behind_s for event in talk.of(CatchingUp) if isinstance(event, CatchingUp)]
    assert behind[0] > TURNS * TURN.size / SAMPLE_RATE_HZ - 5
    assert behind == sorted(behind, reverse=True)


@pytest.mark.slow
async def test_what_a_small_buffer_loses_is_one_gap_of_its_true_length(tmp_path: Path) -> None:
    talk = await survive(tmp_path, rules(max_kept_s=TURN.size / SAMPLE_RATE_HZ), 6)
    assert len(talk.finals) >= 4  # before the outage and after it
    [gap] = talk.of(Gap)
    assert isinstance(gap, Gap)
    assert gap.code == "unreachable"
    assert abs(gap.start_sample - TURN.size) < 2 * SAMPLE_RATE_HZ
    assert abs(gap.end_sample - 6 * TURN.size) < SAMPLE_RATE_HZ
