"""Audio formats of a live session: packets, containers and samples."""

import numpy as np
import pytest

from auricle.audio.opus import find_libopus
from auricle.audio.opus_encoder import OpusPacketEncoder
from auricle.protocol.framing import pack
from auricle.values.commands import Configure, Stop, StreamParameters
from auricle.values.errors import RemoteProtocolError
from auricle.values.events import Closed, Ready, SwitchFormat, WarningCode, Wire
from auricle.values.types import JobKind
from tests.session.live.helpers import (
    DAMAGED,
    PAIR_AND_SILENCE,
    PAIR_PACKETS,
    SECOND,
    SHORT,
    codes,
    pcm_rig,
)
from tests.support.containers import ogg_stream, webm_stream
from tests.support.session import Rig, echo, silence, transcript, utterances

pytestmark = pytest.mark.unit


def test_a_packet_may_come_a_byte_at_a_time_and_two_in_a_message() -> None:
    whole, pieces = Rig(), Rig()
    whole.speak(PAIR_PACKETS)
    for index in range(0, len(PAIR_PACKETS), 2):
        pieces.wait(0.04)
        pair = PAIR_PACKETS[index : index + 2]
        message = b"".join(pack(packet, index + step) for step, packet in enumerate(pair))
        if index % 20:
            pieces.send(message)
        else:
            for byte in message:
                pieces.send(bytes([byte]))
    assert utterances(pieces) == utterances(whole)


def test_one_raw_packet_a_message() -> None:
    framed = Rig(parameters=StreamParameters(language="en"))
    raw = Rig(parameters=StreamParameters(format=Wire.OPUS_MESSAGE, language="en"))
    for packet in PAIR_PACKETS:
        framed.wait(0.02)
        raw.wait(0.02)
        framed.send(pack(packet))
        raw.send(packet)
    assert utterances(raw) == utterances(framed)
    assert len(raw.finals) == 2


@pytest.mark.parametrize("format", [Wire.OGG, Wire.WEBM])
def test_live_containers(format: Wire) -> None:
    stream = (ogg_stream if format is Wire.OGG else webm_stream)(PAIR_PACKETS)
    rig = Rig(parameters=StreamParameters(format=format, language="en"))
    for at in range(0, len(stream), 1500):
        rig.wait(0.25)
        rig.send(stream[at : at + 1500])
    rig.command(Stop())
    assert len(rig.finals) == 2
    assert not rig.of(Ready)[0].resumable
    assert rig.of(Closed)[0].packets == len(PAIR_PACKETS)


@pytest.mark.parametrize(("rate_hz", "channels"), [(16_000, 1), (48_000, 2), (8000, 1)])
def test_samples_at_any_rate(rate_hz: int, channels: int) -> None:
    rig = pcm_rig(sample_rate=rate_hz, channels=channels)
    sent = np.interp(
        np.arange(PAIR_AND_SILENCE.size * rate_hz // SECOND) * SECOND / rate_hz,
        np.arange(PAIR_AND_SILENCE.size),
        PAIR_AND_SILENCE,
    ).astype(np.int16)
    for at in range(0, sent.size, rate_hz // 10):
        rig.wait(0.1)
        rig.send(np.repeat(sent[at : at + rate_hz // 10], channels).tobytes())
    rig.command(Stop())
    assert len(rig.finals) == 2
    assert rig.of(Closed)[0].audio_samples == PAIR_AND_SILENCE.size


def test_samples_with_odd_bytes_in_their_messages() -> None:
    rig, whole = pcm_rig(), pcm_rig()
    whole.speak_pcm(PAIR_AND_SILENCE)
    data = PAIR_AND_SILENCE.tobytes()
    for at in range(0, len(data), 641):
        rig.wait(641 / 32_000)
        rig.send(data[at : at + 641])
    assert utterances(rig) == utterances(whole)


def test_stereo_and_packets_of_another_length_are_reported_once_and_decoded() -> None:
    encoder = OpusPacketEncoder(find_libopus(), 48_000, 2, frame_ms=60, bitrate_bps=64_000)
    sent = np.repeat(np.repeat(PAIR_AND_SILENCE, 3), 2)
    size = encoder.frame_samples * 2
    packets = [encoder.encode(sent[at : at + size]) for at in range(0, sent.size - size, size)]
    rig = Rig()
    rig.speak(packets, frame_ms=60)
    messages = [warned.message for warned in rig.warnings]
    assert codes(rig) == [WarningCode.FORMAT_MISMATCH] * 2
    assert any("last 60 ms" in message for message in messages)
    assert any("stereo" in message for message in messages)
    assert len(rig.finals) == 2
    assert rig.session.received_sample == len(packets) * 960


def test_captions_continue_after_a_switch_to_samples() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS[:150])
    rig.speak([DAMAGED] * 6, 150)
    (switch,) = rig.of(SwitchFormat)
    assert (switch.format, switch.reason) == (
        Wire.PCM16,
        "3 packets in a row could not be decoded",
    )
    assert WarningCode.DECODE_ERRORS in codes(rig)
    rig.command(Configure(format=Wire.PCM16))
    switched_at, before = rig.now, len(rig.finals)
    position = 156 * 320
    assert rig.session.received_sample == position
    rig.speak_pcm(SHORT, position)
    assert rig.partials[-1].end_sample > position
    rig.speak_pcm(silence(0.7), position + SHORT.size)
    assert len(rig.finals) > before
    assert rig.now - switched_at < 3
    rig.command(Stop())
    closed = rig.of(Closed)[0]
    assert (closed.packets, closed.decode_errors) == (156, 6)
    assert rig.marks[-1].received_seq is None


def test_a_format_switch_without_effect_is_requested_again() -> None:
    rig = Rig()
    rig.session.detach(rig.now)
    rig.send(b"".join(pack(DAMAGED, number) for number in range(6)))
    assert rig.of(SwitchFormat) == []
    rig.session.attach(rig.now)
    rig.speak([DAMAGED] * 3, 6)
    assert len(rig.of(SwitchFormat)) == 1


def test_damaged_packets_here_and_there_cost_no_format_and_no_flood() -> None:
    rig = Rig()
    rig.speak([packet if index % 3 else DAMAGED for index, packet in enumerate(PAIR_PACKETS)])
    assert rig.of(SwitchFormat) == []
    assert len(rig.warnings) <= len(PAIR_PACKETS) // 50 + 1
    assert rig.session.received_sample == len(PAIR_PACKETS) * 320


@pytest.mark.parametrize("garbage", [b"\0\0", b"\xa1\x0f", b"\xff" * 100], ids=["0", "4001", "ff"])
def test_a_format_error_is_reported_after_all_valid_audio(garbage: bytes) -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS[:150])
    with pytest.raises(RemoteProtocolError):
        rig.send(pack(PAIR_PACKETS[150], 150) + garbage)
    assert rig.session.received_sample == 151 * 320
    rig.session.detach(rig.now)
    with pytest.raises(RemoteProtocolError):
        rig.send(pack(PAIR_PACKETS[151], 151))  # on the same connection
    rig.session.attach(rig.now, len(rig.finals))
    rig.drain()
    rig.speak(PAIR_PACKETS[151:], 151)
    clean = Rig()
    clean.speak(PAIR_PACKETS)
    assert utterances(rig) == utterances(clean)


def test_a_broken_format_holds_no_final_up() -> None:
    rig = Rig(answer_with=lambda job: None if job.kind is not JobKind.PARTIAL else echo(job))
    rig.speak(PAIR_PACKETS[:170])
    with pytest.raises(RemoteProtocolError):
        rig.send(b"\0\0")
    job = rig.open_jobs[next(iter(rig.open_jobs))]
    rig.answer(job.id, transcript("one", job))
    assert [final.text for final in rig.finals] == ["one"]
