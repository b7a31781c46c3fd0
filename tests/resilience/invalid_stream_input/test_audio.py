"""Audio that differs from its declaration: rates, gaps, positions."""

from struct import pack

import numpy as np
import opuslib_next
import pytest

from auricle.values.types import OpusPacket
from tests.resilience.invalid_stream_input.helpers import (
    SECOND,
    OtherClient,
    alone,
    codes,
    finals_of,
    told_of,
)
from tests.support.opus import encode_packets
from tests.support.service import Live
from tests.support.stream import PACKETS, SPEECH, call, framed, pcm

pytestmark = pytest.mark.server


async def test_opus_at_48_khz_in_stereo_is_decoded_with_a_warning(
    service: Live, other_client: OtherClient
) -> None:
    encoder = opuslib_next.Encoder(48_000, 2, opuslib_next.APPLICATION_AUDIO)
    stereo = np.repeat(np.repeat(SPEECH[: 2 * 16_000], 3), 2).reshape(-1, 1920)
    packets = [OpusPacket(bytes(encoder.encode(frame.tobytes(), 960))) for frame in stereo]
    async with other_client(service.port), call(service.port, format="opus", seq=1) as caller:
        await caller.send(framed(packets, 0))
        (final,) = await finals_of(caller)
        assert codes(caller, "warning") == {"format_mismatch"}
        assert "stereo" in caller.of("warning")[0]["message"]
        assert final["end_s"] <= 2.1


async def test_pcm_at_48_khz_in_stereo_sounds_slow_and_harms_no_other_job(
    service: Live, other_client: OtherClient
) -> None:
    stereo = np.repeat(np.repeat(SPEECH, 3), 2)
    async with other_client(service.port), call(service.port, format="pcm16") as caller:
        for message in np.array_split(stereo, 6):
            await caller.send(pcm(message))
        await finals_of(caller)
        assert caller.received[-1]["audio_s"] == pytest.approx(6 * SPEECH.size / 16_000)


async def test_numbers_that_jump_are_a_gap_that_is_reported(
    service: Live, other_client: OtherClient
) -> None:
    async with other_client(service.port), call(service.port, format="opus", seq=1) as caller:
        await caller.send(framed(SECOND, 0))
        await caller.send(framed(SECOND, 75))
        await finals_of(caller)
        gaps = [w["gap_ms"] for w in caller.of("warning") if w["code"] == "audio_gap"]
        assert gaps == [500]
        closed = caller.received[-1]
        assert (closed["audio_s"], closed["packets"], closed["lost_packets"]) == (2.5, 100, 25)


async def test_numbers_that_jump_by_hours_end_with_1002(
    service: Live, other_client: OtherClient
) -> None:
    async with other_client(service.port), call(service.port, format="opus", seq=1) as caller:
        await caller.send(framed(SECOND, 0))
        await caller.send(framed(SECOND, 2**30))
        assert await caller.until_closed() == (1002, "protocol_error")


async def test_numbers_that_repeat_or_go_back_are_dropped(
    service: Live, other_client: OtherClient
) -> None:
    expected = await alone(service, PACKETS)
    async with other_client(service.port), call(service.port, format="opus", seq=1) as caller:
        for start in range(0, len(PACKETS), 10):
            for first in (start, start, max(0, start - 10)):
                await caller.send(framed(PACKETS[first : first + 10], first))
        assert await finals_of(caller) == expected
        assert codes(caller, "warning") == {"audio_dropped"}
        assert caller.received[-1]["packets"] == len(PACKETS)


async def test_numbers_that_wrap_continue(service: Live, other_client: OtherClient) -> None:
    expected = await alone(service, PACKETS)
    async with other_client(service.port), call(service.port, format="opus", seq=1) as caller:
        await caller.send(framed(PACKETS, 2**32 - 100))
        assert await finals_of(caller) == expected
        assert caller.of("warning") == []
        assert caller.of("progress")[-1]["received_seq"] == len(PACKETS) - 101


async def test_pcm_positions_that_jump_and_repeat_are_reported(
    service: Live, other_client: OtherClient
) -> None:
    async with other_client(service.port), call(service.port, format="pcm16", seq=1) as caller:
        for position in (0, 16_000, 0, 24_000):
            await caller.send(pack("<Q", position) + pcm(SPEECH[position : position + 8000]))
        await finals_of(caller)
        assert codes(caller, "warning") == {"audio_gap", "audio_dropped"}
        assert caller.received[-1]["audio_s"] == 2.0


async def test_finalize_with_no_audio_does_nothing(
    service: Live, other_client: OtherClient
) -> None:
    async with other_client(service.port), call(service.port, format="opus", seq=1) as caller:
        for _ in range(3):
            await caller.tell("finalize")
        await caller.send(framed(encode_silence(), 0))
        await caller.tell("finalize")
        await caller.send(framed(SECOND, 10))
        finals = await finals_of(caller)
        assert [final["id"] for final in finals] == [1]
        assert caller.of("error") == caller.of("warning") == []


def encode_silence() -> list[OpusPacket]:
    return encode_packets(np.zeros(3200, np.int16))


async def test_configure_in_mid_word_changes_what_comes_after_it(
    service: Live, other_client: OtherClient
) -> None:
    async with other_client(service.port), call(service.port, format="opus", seq=1) as caller:
        for start in range(0, 200, 20):
            await caller.send(framed(PACKETS[start : start + 20], start))
            await caller.tell("configure", language="es", prompt="so", endpoint_ms=300)
        await caller.tell("configure", language="klingon")
        await caller.tell("configure", format="mp3")
        await caller.tell("configure", format="pcm16", sample_rate=48_000)
        await caller.send(pack("<Q", 3 * 64_000) + pcm(np.repeat(SPEECH[64_000:], 3)))
        finals = await finals_of(caller)
        assert [event["code"] for event in caller.of("error")] == ["bad_request"] * 2
        assert caller.of("warning") == []
        assert caller.received[-1]["audio_s"] == pytest.approx(len(SPEECH) / 16_000)
        assert finals[-1]["language"] == "es"


async def test_a_finished_session_can_be_asked_for_twice_but_not_with_a_wrong_secret(
    service: Live, other_client: OtherClient
) -> None:
    async with other_client(service.port):
        async with call(service.port, format="opus", seq=1) as caller:
            ready = await caller.until("ready")
            await caller.send(framed(PACKETS, 0))
            expected = await finals_of(caller)
        for _ in range(2):
            async with call(service.port) as again:
                await again.tell("resume", session=ready["session"], secret=ready["secret"])
                assert (await again.until("ready"))["resumed"] is True
                await again.send(framed(PACKETS, 0))  # too late
                assert await again.until_closed() == (1000, "done")
                assert [told_of(final) for final in again.of("final")] == expected
        for secret in ("wrong", "", "x" * 200, ready["session"]):
            async with call(service.port) as other:
                await other.tell("resume", session=ready["session"], secret=secret)
                assert (await other.until("ready"))["resumed"] is False
                assert await finals_of(other) == []
        for secret in ("x" * 201, 5, None, "\ud800"):
            async with call(service.port) as other:
                await other.tell("resume", session=ready["session"], secret=secret)
                assert await other.until_closed() == (1008, "bad_request")
