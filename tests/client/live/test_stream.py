"""Audio sent, finals received, and parameters."""

import re

import numpy as np
import pytest

from auricle.apis.native.wire.stream import Start
from auricle.client import Connected, LiveClient
from auricle.values.commands import StreamParameters
from auricle.values.events import Closed, Wire
from tests.client.live.helpers import QUICK, Listener, assert_complete, run, speech
from tests.support.live_server import live_server

pytestmark = [pytest.mark.process, pytest.mark.anyio]


async def test_speech_goes_up_as_opus_and_finals_come_down() -> None:
    pcm = speech(3.5)
    async with live_server() as server:
        client, listener = LiveClient(server.url, rules=QUICK), Listener()
        await run(client, listener, pcm)
    assert_complete(listener, pcm)
    assert listener.texts[:3] == ["0-16000", "16000-32000", "32000-48000"]
    [session] = server.sessions
    assert (session.missing, session.repeated) == (0, 0)
    decoded = session.heard()[104:]  # libopus adds 6.5 ms
    loud = np.abs(decoded[: pcm.size].astype(float)).mean()
    assert loud == pytest.approx(np.abs(pcm.astype(float)).mean(), rel=0.1)
    [start] = server.openings
    assert isinstance(start, Start)
    assert (start.format, start.seq, start.channels, start.frame_ms) == (Wire.OPUS, True, 1, 20)
    assert isinstance(listener.events[0], Connected)
    assert isinstance(listener.events[-1], Closed)


async def test_parameters_and_the_key_are_given() -> None:
    parameters = StreamParameters(
        language="de", endpoint_ms=300, hotwords=("Opus",), partials=False
    )
    async with live_server() as server:
        client = LiveClient(server.url, parameters, api_key="secret-key", rules=QUICK)
        await run(client, Listener(), speech(0.5))
    [start] = server.openings
    assert isinstance(start, Start)
    assert (start.language, start.endpoint_ms, start.hotwords) == ("de", 300, ("Opus",))
    assert not start.partials
    [handshake] = server.handshakes
    assert handshake.headers["Authorization"] == "Bearer secret-key"
    assert re.fullmatch(r"/v1/stream\?waiter=\w+", handshake.path)


async def test_pcm16_carries_positions() -> None:
    pcm = speech(2.2)
    async with live_server() as server:
        client = LiveClient(server.url, StreamParameters(format=Wire.PCM16), rules=QUICK)
        await run(client, Listener(), pcm)
    [session] = server.sessions
    assert session.is_pcm
    assert np.array_equal(session.heard()[: pcm.size], pcm)


async def test_a_clock_that_starts_later_stays_so() -> None:
    pcm = speech(1.5)
    async with live_server() as server:
        client = LiveClient(server.url, StreamParameters(start_sample=160_016), rules=QUICK)
        await run(client, listener := Listener(), pcm)
    assert listener.finals[0].start_sample == 160_016
    assert server.sessions[0].missing == 0
