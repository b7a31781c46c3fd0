"""A complete live session, with real packets, speech and voice detection."""

import json
from collections.abc import Callable
from itertools import pairwise
from math import inf

import numpy as np
import pytest

from auricle.audio.gate import GRID_SAMPLES
from auricle.audio.opus import find_libopus
from auricle.audio.opus_encoder import OpusPacketEncoder
from auricle.commands import (
    Ack,
    Configure,
    Discard,
    Finalize,
    Flush,
    Keepalive,
    Stop,
    StreamParameters,
    UpdateConfig,
)
from auricle.config.settings import LiveSettings
from auricle.errors import (
    AuricleError,
    BadRequest,
    Overloaded,
    PoisonJob,
    RemoteProtocolError,
    Superseded,
)
from auricle.events import (
    Closed,
    Discarded,
    Event,
    Final,
    Finalized,
    Flushed,
    Ready,
    SpeechEnded,
    SpeechStarted,
    SwitchFormat,
    WarningCode,
    Wire,
)
from auricle.protocol.framing import pack
from auricle.protocol.native.stream import encode_event
from auricle.session.journal import MAX_FINALS
from auricle.session.live import BITE_STEPS, MAX_FLUSHES, MAX_UNFINISHED_SAMPLES
from auricle.types import Job, JobKind, OpusPacket
from tests.support.clips import CLIPS
from tests.support.containers import ogg_stream, webm_stream
from tests.support.opus import encode_packets
from tests.support.session import Answer, Rig, echo, silence, spoken, transcript, utterances

pytestmark = pytest.mark.unit

SECOND = 16_000
PAIR, FELLOW, SHORT = (CLIPS[name].pcm for name in ("pair.wav", "fellow.wav", "short.wav"))
PAIR_AND_SILENCE = np.concatenate([PAIR, silence(1)])
PAIR_PACKETS = encode_packets(PAIR_AND_SILENCE)
DAMAGED = OpusPacket(b"\x03")


def pcm_rig(*, seq: bool = False, **changes: object) -> Rig:
    """Return a rig for PCM16 with changed parameters."""
    values = {"format": Wire.PCM16, "seq": seq, "language": "en"} | changes
    return Rig(parameters=StreamParameters(**values))  # type: ignore[arg-type]  # fields by name


def codes(rig: Rig) -> list[WarningCode]:
    return [warned.code for warned in rig.warnings]


def said_by(text: str) -> Callable[[Job], Answer]:
    """Answer partials with the first words of a text, two per second of audio."""
    words = text.split()

    def answer(job: Job) -> Answer:
        heard = words[: max(1, job.pcm.size * 2 // SECOND)]
        return spoken(" ".join(heard), job)

    return answer


# Events for a client.


def test_two_sentences_become_two_finals_and_an_end() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS)
    rig.command(Stop())
    (ready,) = rig.of(Ready)
    assert (ready.session, ready.resumed, ready.resumable) == ("S", False, True)
    assert [final.id for final in rig.finals] == [1, 2]
    assert len(rig.of(SpeechStarted)) == len(rig.of(SpeechEnded)) == 2
    first, second = rig.finals
    assert first.end_sample <= second.start_sample
    (closed,) = rig.of(Closed)
    assert closed.packets == len(PAIR_PACKETS)
    assert closed.audio_samples == len(PAIR_PACKETS) * 320
    assert rig.events[-1] is closed
    assert rig.session.is_closed


def test_a_final_that_was_foretold_needs_no_other_job() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS)
    assert len(rig.jobs_of(JobKind.SPECULATIVE)) == 2
    assert not rig.jobs_of(JobKind.FINAL)
    assert len(rig.finals) == 2
    assert all(final.latency_ms < 600 for final in rig.finals)


def test_captions_firm_up_and_what_is_firm_only_grows() -> None:
    rig = Rig(answer_with=said_by(CLIPS["fellow.wav"].text))
    rig.speak(encode_packets(np.concatenate([FELLOW, silence(1)])))
    assert len(rig.partials) >= 4
    for before, after in pairwise(rig.partials):
        assert after.stable.startswith(before.stable)
    assert rig.partials[-1].stable.startswith("And so my fellow Americans,")
    (final,) = rig.finals
    assert not final.revised


@pytest.mark.parametrize(("language", "is_sent"), [("de", True), (None, False)])
def test_a_language_that_is_hardly_spoken_is_told_if_it_was_asked_for(
    language: str | None, is_sent: bool
) -> None:
    def answer(job: Job) -> Answer:
        return spoken("so so", job, language_probability=0.001)

    rig = Rig(parameters=StreamParameters(seq=True, language=language), answer_with=answer)
    rig.speak(PAIR_PACKETS)
    assert len(rig.finals) == 2
    assert (WarningCode.LANGUAGE_IMPROBABLE in codes(rig)) is is_sent


def test_a_final_has_the_last_word() -> None:
    guess = said_by(CLIPS["fellow.wav"].text)
    rig = Rig(
        answer_with=lambda job: guess(job) if job.kind is JobKind.PARTIAL else echo(job),
    )
    rig.speak(encode_packets(np.concatenate([FELLOW, silence(1)])))
    (final,) = rig.finals
    assert final.revised


def test_every_event_of_a_session_can_be_told() -> None:
    rig = Rig(parameters=StreamParameters(seq=True, frame_ms=10, word_timestamps=True))
    rig.speak(PAIR_PACKETS[:150])
    rig.speak(PAIR_PACKETS[150:], 170)
    rig.speak([DAMAGED] * 6, 1000)
    rig.command(Stop())
    told = [encode_event(event) for event in rig.events if isinstance(event, Event)]
    kinds = {json.loads(text)["type"] for text in told}
    assert len(told) == len(rig.events)
    assert kinds == {
        "ready",
        "speech_started",
        "speech_ended",
        "final",
        "partial",
        "progress",
        "warning",
        "switch_format",
        "closed",
    }


def test_marks_come_each_second_and_never_go_back() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS)
    rig.command(Stop())
    assert len(rig.marks) >= len(PAIR_PACKETS) // 50
    for before, after in pairwise(rig.marks):
        assert before.received_sample <= after.received_sample
        assert before.safe_sample <= after.safe_sample <= after.received_sample
    for mark in rig.marks[:-1]:
        assert mark.received_sample == (mark.received_seq or 0) * 320 + 320
        assert mark.safe_sample == (-1 if mark.safe_seq is None else mark.safe_seq) * 320 + 320
    last = rig.marks[-1]
    assert last.safe_sample == last.received_sample == len(PAIR_PACKETS) * 320


def test_nothing_is_safe_before_its_final_is_out() -> None:
    rig = Rig(answer_with=lambda job: None)
    rig.speak(PAIR_PACKETS)
    start = rig.jobs[0].pcm.size
    assert start
    assert all(mark.safe_sample <= rig.of(SpeechStarted)[0].at_sample for mark in rig.marks)
    (job,) = [job for job in rig.open_jobs.values() if job.id == "S:1:s1"]
    rig.answer(job.id, transcript("one", job))
    (final,) = rig.finals
    assert rig.of(SpeechStarted)[0].at_sample < rig.marks[-1].safe_sample
    assert rig.marks[-1].safe_sample >= final.end_sample - 320


def test_silence_costs_nothing() -> None:
    rig = Rig()
    rig.speak(encode_packets(silence(20)))
    assert rig.jobs == []
    assert rig.session.wake_at == inf
    assert {type(event).__name__ for event in rig.events} == {"Ready", "AudioProgress"}


def test_without_partials_there_are_none() -> None:
    rig = Rig(parameters=StreamParameters(seq=True, partials=False))
    rig.speak(PAIR_PACKETS)
    assert not rig.jobs_of(JobKind.PARTIAL)
    assert len(rig.finals) == 2


def test_the_jobs_are_asked_as_the_client_and_the_settings_say() -> None:
    parameters = StreamParameters(
        seq=True, language="de", prompt="Namen.", hotwords=("Ohr",), word_timestamps=True
    )
    rig = Rig(parameters=parameters)
    rig.speak(PAIR_PACKETS)
    options = rig.jobs_of(JobKind.SPECULATIVE)[0].options
    assert (options.language, options.initial_prompt, options.hotwords) == (
        "de",
        "Namen.",
        ("Ohr",),
    )
    assert options.beam_size == LiveSettings().live_beam_size
    assert options.word_timestamps
    assert options.prefix_tokens == ()


def test_a_language_that_is_not_known_makes_no_session() -> None:
    with pytest.raises(BadRequest, match="language"):
        Rig(parameters=StreamParameters(language="klingon"))


# Formats.


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


def test_stereo_and_packets_of_another_length_are_told_once_and_decoded() -> None:
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


# Gaps and sequence numbers.


def test_a_gap_is_told_with_its_length_and_keeps_the_clock() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS[:100])
    rig.speak(PAIR_PACKETS[102:], 102)
    (warned,) = rig.warnings
    assert (warned.code, warned.gap_ms) == (WarningCode.AUDIO_GAP, 40)
    rig.command(Stop())
    closed = rig.of(Closed)[0]
    assert (closed.lost_packets, closed.packets) == (2, len(PAIR_PACKETS) - 2)
    assert closed.audio_samples == len(PAIR_PACKETS) * 320


def test_many_gaps_are_told_once_a_second_with_all_that_is_missing() -> None:
    rig = Rig()
    for index in range(0, 200, 2):  # every other packet is lost
        rig.wait(0.04)
        rig.send(pack(PAIR_PACKETS[index], index))
    rig.command(Stop())
    assert 4 <= len(rig.warnings) <= 5
    assert sum(warned.gap_ms or 0 for warned in rig.warnings) == 99 * 20


def test_numbers_that_repeat_or_go_back_are_dropped_and_told_once_a_second() -> None:
    rig, clean = Rig(), Rig()
    clean.speak(PAIR_PACKETS)
    for index, packet in enumerate(PAIR_PACKETS):
        rig.wait(0.02)
        rig.send(pack(packet, index))
        rig.send(pack(PAIR_PACKETS[index // 2], index // 2))
    assert utterances(rig) == utterances(clean)
    assert set(codes(rig)) == {WarningCode.AUDIO_DROPPED}
    assert len(rig.warnings) <= len(PAIR_PACKETS) // 50 + 1


def test_numbers_wrap_round_in_mid_word() -> None:
    rig, clean = Rig(), Rig()
    clean.speak(PAIR_PACKETS)
    for index, packet in enumerate(PAIR_PACKETS):
        rig.wait(0.02)
        rig.send(pack(packet, 2**32 - 100 + index))
    assert utterances(rig) == utterances(clean)
    assert rig.warnings == []
    assert rig.marks[-1].received_seq == (rig.marks[-1].received_sample // 320 - 101) % 2**32


def test_a_gap_of_an_hour_is_no_hour_of_work() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS[:150])
    rig.speak(PAIR_PACKETS, 150 + 50 * 3500)
    assert rig.session.received_sample == (150 + 50 * 3500 + len(PAIR_PACKETS)) * 320
    assert len(rig.finals) == 3
    assert rig.warnings[0].gap_ms == 3500 * 1000


def test_positions_that_jump_go_back_and_overlap() -> None:
    rig = pcm_rig(seq=True)
    rig.speak_pcm(PAIR[:16_000], 0)
    rig.speak_pcm(PAIR[8000:24_000], 8000)
    rig.speak_pcm(PAIR[:320], 0)
    assert rig.session.received_sample == 24_000
    rig.speak_pcm(PAIR[32_000:48_000], 32_000)
    assert rig.session.received_sample == 48_000
    gaps = [w.gap_ms for w in rig.warnings if w.code is WarningCode.AUDIO_GAP]
    assert gaps == [500]
    assert WarningCode.AUDIO_DROPPED in codes(rig)


# Undecodable audio.


def test_captions_go_on_after_a_switch_to_samples() -> None:
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


def test_a_switch_that_was_not_heard_is_asked_for_again() -> None:
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
def test_what_breaks_the_format_is_told_after_all_that_was_good(garbage: bytes) -> None:
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


# Commands.


def test_finalize_ends_the_utterance_at_once() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS[:50])
    rig.command(Finalize())
    (final,) = rig.finals
    assert final.end_sample == 50 * 320
    assert rig.marks[-1].safe_sample == 50 * 320
    rig.speak(PAIR_PACKETS[50:], 50)
    assert [final.utterance for final in rig.finals] == [1, 2, 3]
    assert rig.finals[1].start_sample == 50 * 320  # no sample is lost or processed twice


@pytest.mark.parametrize("packets", [0, 1, 20])
def test_finalize_with_nothing_to_finalize(packets: int) -> None:
    rig = Rig()
    rig.speak(encode_packets(silence(packets / 50)))
    for _ in range(3):
        rig.command(Finalize())
    assert rig.jobs == []
    assert rig.marks[-1].received_sample == packets * 320
    rig.speak(PAIR_PACKETS, packets)
    assert len(rig.finals) == 2


def test_finalize_again_and_again_makes_no_empty_job() -> None:
    rig = Rig()
    for index, packet in enumerate(PAIR_PACKETS):
        rig.wait(0.02)
        rig.send(pack(packet, index))
        rig.command(Finalize())
        rig.command(Finalize())
    spans = [(final.start_sample, final.end_sample) for final in rig.finals]
    assert all(start < end for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_what_is_configured_in_mid_word_holds_from_the_next_utterance_on() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS[:50])
    rig.command(Configure(language="de", prompt="Namen."))
    rig.speak(PAIR_PACKETS[50:], 50)
    first, second = rig.jobs_of(JobKind.SPECULATIVE)
    assert (first.options.language, first.options.initial_prompt) == ("en", None)
    assert (second.options.language, second.options.initial_prompt) == ("de", "Namen.")
    rig.command(Configure(language=None, prompt=None))
    rig.speak(PAIR_PACKETS, len(PAIR_PACKETS))
    options = rig.jobs_of(JobKind.SPECULATIVE)[-1].options
    assert (options.language, options.initial_prompt) == (None, None)


def test_a_language_that_is_not_known_changes_nothing() -> None:
    rig = Rig()
    with pytest.raises(BadRequest, match="language"):
        rig.session.receive_command(Configure(language="klingon", endpoint_ms=5000), rig.now)
    rig.speak(PAIR_PACKETS)
    assert len(rig.finals) == 2
    assert rig.jobs[-1].options.language == "en"


def test_another_silence_ends_utterances_from_the_next_one_on() -> None:
    ends_after = []
    for endpoint_ms in (200, 3000):
        rig = Rig()
        rig.command(Configure(endpoint_ms=endpoint_ms))
        rig.speak(PAIR_PACKETS)
        ends_after.append(len(rig.finals))
    assert ends_after[0] >= 2
    assert ends_after[1] == 0
    late = Rig()
    late.speak(PAIR_PACKETS[:50])
    late.command(Configure(endpoint_ms=3000))
    late.speak(PAIR_PACKETS[50:], 50)
    assert len(late.finals) == 1


@pytest.mark.parametrize(("setting_ms", "client_ms", "finals"), [(3000, None, 0), (3000, 500, 2)])
def test_the_setting_ends_utterances_unless_the_client_sets_another_silence(
    setting_ms: int, client_ms: int | None, finals: int
) -> None:
    parameters = StreamParameters(seq=True, language="en", endpoint_ms=client_ms)
    rig = Rig(parameters, settings=LiveSettings(endpoint_ms=setting_ms))
    rig.speak(PAIR_PACKETS)
    assert len(rig.finals) == finals


def test_another_format_in_mid_word_loses_no_sample() -> None:
    plain = pcm_rig(seq=True)
    plain.speak_pcm(PAIR_AND_SILENCE, 0)
    rig = pcm_rig(seq=True)
    rig.speak_pcm(PAIR_AND_SILENCE[:16_000], 0)
    rig.command(Configure(sample_rate=16_000, format=Wire.PCM16))
    rig.speak_pcm(PAIR_AND_SILENCE[16_000:], 16_000)
    assert utterances(rig) == utterances(plain)
    rig = pcm_rig(seq=True)
    rig.speak_pcm(PAIR_AND_SILENCE[:16_000], 0)
    rig.command(Configure(format=Wire.OPUS))
    rig.speak(PAIR_PACKETS[50:], 50)
    assert rig.session.received_sample == plain.session.received_sample // 320 * 320 + 320
    starts = [np.array([final.start_sample for final in it.finals]) for it in (rig, plain)]
    assert np.abs(starts[0] - starts[1]).max() <= 1024  # one or two windows: Opus is lossy


def test_keepalive_and_acknowledgements_tell_nothing() -> None:
    rig = Rig()
    before = len(rig.events)
    rig.command(Keepalive())
    rig.command(Ack(0))
    rig.command(Ack(2**53))
    assert len(rig.events) == before


def test_stop_flushes_what_is_open() -> None:
    rig = Rig(answer_with=lambda job: None)
    rig.speak(PAIR_PACKETS[:50])
    rig.command(Stop())
    assert rig.session.is_stopping
    assert rig.of(Closed) == []
    (job,) = [job for job in rig.open_jobs.values() if job.kind is JobKind.FINAL]
    rig.answer(job.id, transcript("last words", job))
    assert rig.finals[-1].text == "last words"
    assert isinstance(rig.events[-1], Closed)


def test_stop_waits_behind_the_audio_before_it() -> None:
    rig = pcm_rig()
    sent = np.concatenate([PAIR_AND_SILENCE] * 3)
    rig.session.receive_data(sent.tobytes(), rig.now)
    rig.session.receive_command(Stop(), rig.now)
    assert not rig.session.is_stopping
    rig.drain()
    assert rig.session.is_closed
    assert rig.of(Closed)[0].audio_samples == sent.size
    assert len(rig.finals) == 6


def test_after_stop_audio_and_commands_are_ignored() -> None:
    rig = pcm_rig()
    rig.session.receive_data(PAIR_AND_SILENCE.tobytes(), rig.now)
    rig.session.receive_command(Stop(), rig.now)
    rig.session.receive_data(PAIR_AND_SILENCE.tobytes(), rig.now)
    rig.session.receive_command(Finalize(), rig.now)
    rig.session.receive_command(Stop(), rig.now)
    rig.drain()
    rig.speak_pcm(PAIR_AND_SILENCE)
    assert rig.of(Closed)[0].audio_samples == PAIR_AND_SILENCE.size
    assert len(rig.of(Closed)) == 1
    assert len(rig.finals) == 2


def test_stop_without_audio() -> None:
    rig = Rig()
    rig.command(Stop())
    closed = rig.of(Closed)[0]
    assert (closed.audio_samples, closed.packets) == (0, 0)
    assert rig.jobs == []


def test_the_last_word_is_heard_though_its_window_is_not_full() -> None:
    rig = pcm_rig()
    cut = 20_077  # in the middle of a word
    rig.speak_pcm(PAIR[:cut])
    rig.command(Stop())
    (final,) = rig.finals
    assert cut <= final.end_sample < cut + 512
    assert rig.marks[-1].safe_sample == rig.marks[-1].received_sample == cut
    assert all(mark.safe_sample <= cut for mark in rig.marks)


# Resuming.


def test_a_session_goes_on_over_connections() -> None:
    clean = Rig()
    clean.speak(PAIR_PACKETS)
    rig = Rig()
    rig.speak(PAIR_PACKETS[:70])
    rig.wait(5.0)
    rig.reconnect(0)
    first, second = rig.of(Ready)
    assert (second.session, second.secret, second.resumed) == (first.session, first.secret, True)
    assert second.received_sample == 70 * 320
    rig.speak(PAIR_PACKETS[60:], 60)  # a part of it again
    assert utterances(rig) == utterances(clean)
    assert rig.warnings == []


def test_finals_that_were_missed_are_told_once_and_in_order() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS * 2)
    finals = rig.finals
    assert [final.id for final in finals] == [1, 2, 3, 4]
    rig.command(Ack(1))
    rig.events.clear()
    rig.reconnect(2)
    assert isinstance(rig.events[0], Ready)
    assert rig.finals == finals[2:]
    rig.events.clear()
    rig.reconnect()  # without last_result, a client gets all finals that it has not acknowledged
    assert rig.finals == finals[2:]
    rig.command(Ack(4))
    rig.events.clear()
    rig.reconnect(0)
    assert rig.finals == []


def test_finals_that_come_while_nobody_is_there_are_kept() -> None:
    rig = Rig(answer_with=lambda job: None)
    rig.speak(PAIR_PACKETS)
    rig.session.detach(rig.now)
    rig.wait(3.0)
    events = len(rig.events)
    for job in list(rig.open_jobs.values()):
        rig.answer(job.id, transcript(job.id, job))
    assert len(rig.events) == events
    assert [final.utterance for final in rig.session.unacknowledged] == [1, 2]
    rig.session.attach(rig.now, 0)
    rig.drain()
    ready = rig.of(Ready)[-1]
    assert ready.safe_sample <= rig.finals[0].start_sample  # they may be lost in transit too
    assert [final.id for final in rig.finals] == [1, 2]
    assert rig.marks[-1].safe_sample > rig.finals[1].start_sample


def test_what_is_safe_counts_only_what_the_client_has() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS)
    rig.reconnect(1)
    assert rig.of(Ready)[-1].safe_sample <= rig.finals[1].start_sample
    rig.reconnect(2)
    assert rig.of(Ready)[-1].safe_sample == rig.session.safe_sample > rig.finals[1].start_sample


def test_a_finished_session_tells_its_last_finals_and_its_end_again() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS)
    rig.command(Stop())
    closed = rig.of(Closed)[0]
    for _ in range(2):
        rig.events.clear()
        rig.reconnect(1)
        assert [type(event) for event in rig.events] == [
            Ready,
            *[type(event) for event in rig.events[1:-2]],
            type(rig.marks[-1]),
            Closed,
        ]
        assert [final.id for final in rig.finals] == [2]
        assert rig.events[-1] == closed
        assert rig.of(Ready)[0].received_sample == len(PAIR_PACKETS) * 320
        rig.speak(PAIR_PACKETS, len(PAIR_PACKETS))
        assert [final.id for final in rig.finals] == [2]
    assert rig.session.is_closed


def test_an_end_is_told_when_somebody_is_there_again() -> None:
    rig = Rig(answer_with=lambda job: None)
    rig.speak(PAIR_PACKETS[:50])
    rig.command(Stop())
    rig.session.detach(rig.now)
    for job in list(rig.open_jobs.values()):
        rig.answer(job.id, transcript("one", job))
    assert not rig.session.is_closed
    rig.session.attach(rig.now, 0)
    rig.drain()
    assert rig.session.is_closed
    assert isinstance(rig.events[-1], Closed)


def test_a_second_connection_takes_over_in_the_middle_of_a_packet() -> None:
    rig, clean = Rig(), Rig()
    clean.speak(PAIR_PACKETS)
    rig.speak(PAIR_PACKETS[:70])
    rig.send(pack(PAIR_PACKETS[70], 70)[:15])
    rig.session.attach(rig.now, 0)  # without detach
    rig.drain()
    assert rig.of(Ready)[-1].received_sample == 70 * 320
    rig.speak(PAIR_PACKETS[70:], 70)
    assert utterances(rig) == utterances(clean)


def test_what_the_old_connection_was_not_told_yet_is_not_told_to_the_new_one() -> None:
    rig = Rig()
    rig.session.receive_data(pack(PAIR_PACKETS[0], 0), rig.now)
    rig.session.receive_command(Finalize(), rig.now)  # emits marks
    rig.session.attach(rig.now, 0)
    assert isinstance(rig.session.next_output(), Ready)
    assert rig.session.next_output() is None


def test_what_was_not_worked_off_is_asked_for_again() -> None:
    rig = Rig()
    rig.session.receive_data(
        b"".join(pack(packet, index) for index, packet in enumerate(PAIR_PACKETS)), rig.now
    )
    assert not rig.session.wants_data
    taken = rig.session.received_sample
    assert taken < len(PAIR_PACKETS) * 320
    rig.session.detach(rig.now)
    rig.session.attach(rig.now, 0)
    rig.drain()
    assert rig.of(Ready)[-1].received_sample == taken
    assert rig.session.wants_data
    rig.speak(PAIR_PACKETS[taken // 320 :], taken // 320)
    clean = Rig()
    clean.speak(PAIR_PACKETS)
    assert utterances(rig) == utterances(clean)


def test_warnings_wait_until_somebody_is_there() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS[:50])
    rig.session.detach(rig.now)
    rig.send(pack(PAIR_PACKETS[60], 60))
    rig.session.attach(rig.now)
    rig.drain()
    rig.speak(PAIR_PACKETS[61:], 61)
    (warned,) = rig.warnings
    assert warned.gap_ms == 200


def test_a_new_session_starts_its_clock_where_it_is_told() -> None:
    start_sample = 20 * GRID_SAMPLES
    rig = Rig(parameters=StreamParameters(seq=True, start_sample=start_sample, language="en"))
    ready = rig.of(Ready)[0]
    assert (ready.received_sample, ready.safe_sample) == (start_sample, start_sample)
    rig.speak(PAIR_PACKETS, 500)
    rig.command(Stop())
    clean = Rig()
    clean.speak(PAIR_PACKETS)
    assert [
        (start - start_sample, end - start_sample, text) for start, end, text in utterances(rig)
    ] == (utterances(clean))
    assert rig.of(Closed)[0].audio_samples == len(PAIR_PACKETS) * 320
    assert rig.marks[-1].received_seq == 499 + len(PAIR_PACKETS)


def test_what_a_new_session_hears_only_to_tune_in_is_not_told() -> None:
    clean = pcm_rig(seq=True)
    clean.speak_pcm(PAIR_AND_SILENCE, 0)
    border = clean.finals[0].end_sample
    rig = pcm_rig(seq=True, safe_sample=border)
    assert rig.of(Ready)[0].safe_sample == border
    rig.speak_pcm(PAIR_AND_SILENCE, 0)
    assert utterances(rig) == utterances(clean)[1:]
    short = pcm_rig(seq=True, safe_sample=border)
    short.speak_pcm(PAIR_AND_SILENCE[: border // 2], 0)
    short.command(Stop())
    assert utterances(short) == []
    assert all(mark.safe_sample >= border for mark in [*rig.marks, *short.marks])


# Load, files and limits.


def test_a_backlog_of_minutes_is_of_the_file_class_and_what_follows_it_is_live() -> None:
    rig = pcm_rig(start_sample=16_000)
    for _ in range(60):  # minutes
        rig.send(PAIR_AND_SILENCE.tobytes())
    backlog = [job.kind for job in rig.jobs if job.kind in (JobKind.FINAL, JobKind.FILE)]
    assert backlog[-1] is JobKind.FILE
    assert backlog.count(JobKind.FILE) > backlog.count(JobKind.FINAL)
    rig.speak_pcm(PAIR_AND_SILENCE)
    rig.speak_pcm(PAIR_AND_SILENCE)
    rig.jobs.clear()
    rig.speak_pcm(PAIR_AND_SILENCE)
    assert not rig.session.is_ahead
    assert JobKind.FILE not in {job.kind for job in rig.jobs}
    assert rig.partials


def test_a_file_that_is_piped_in_is_of_the_file_class_until_time_has_caught_up() -> None:
    rig = pcm_rig()
    for _ in range(3):
        rig.send(PAIR_AND_SILENCE.tobytes())
    assert rig.session.is_ahead
    kinds = [job.kind for job in rig.jobs]
    assert kinds[-1] is JobKind.FILE
    assert kinds.count(JobKind.FILE) >= 3
    assert {*kinds[-3:]} == {JobKind.FILE}
    rig.wait(60)
    rig.session.poll(rig.now)
    assert not rig.session.is_ahead
    rig.jobs.clear()
    rig.speak_pcm(PAIR_AND_SILENCE)
    assert JobKind.FILE not in {job.kind for job in rig.jobs}
    assert rig.partials


def test_a_file_says_what_live_speech_says() -> None:
    live, file = pcm_rig(), pcm_rig()
    sent = np.concatenate([PAIR_AND_SILENCE] * 3)
    live.speak_pcm(sent)
    file.send(sent.tobytes())
    assert utterances(file) == utterances(live)


def test_load_ends_speculation_first_then_guesses_and_never_finals() -> None:
    kinds = {}
    for load in (0.0, 0.6, 0.95, 7.0):
        rig = Rig()
        rig.session.set_load(load)
        rig.speak(PAIR_PACKETS)
        kinds[load] = {job.kind for job in rig.jobs}
        assert len(rig.finals) == 2
    assert kinds[0.0] == {JobKind.PARTIAL, JobKind.SPECULATIVE}
    assert kinds[0.6] == {JobKind.PARTIAL, JobKind.FINAL}
    assert kinds[0.95] == kinds[7.0] == {JobKind.FINAL}


def test_unfinished_audio_is_bounded_by_not_reading_on() -> None:
    rig = pcm_rig()
    rig.answer_with = lambda job: None
    sent = 0
    while rig.session.wants_data:
        rig.send(PAIR_AND_SILENCE.tobytes())
        sent += PAIR_AND_SILENCE.size
        assert sent < 10 * MAX_UNFINISHED_SAMPLES
    held = sum(job.pcm.size for job in rig.open_jobs.values() if job.kind is not JobKind.PARTIAL)
    assert held <= MAX_UNFINISHED_SAMPLES + 30 * SECOND
    assert rig.session.wake_at > rig.now  # no busy loop meanwhile
    taken = rig.session.received_sample
    for _ in range(20):
        rig.command(Keepalive())
    assert rig.session.received_sample == taken  # commands do not advance it either
    rig.answer_with = echo
    for job in list(rig.open_jobs.values()):
        rig.answer(job.id, transcript("late", job))
    assert rig.session.wants_data
    rig.command(Stop())
    assert rig.of(Closed)[0].audio_samples == sent


def test_a_message_of_hours_in_a_few_bytes_is_worked_off_in_bites() -> None:
    rig = Rig()
    longest = OpusPacket(b"\xfb\x06")  # six empty frames of 20 ms
    data = b"".join(pack(longest, number) for number in range(500))  # a minute in 4 kB
    rig.session.receive_data(data, rig.now)
    assert rig.session.received_sample <= 2 * SECOND
    assert not rig.session.wants_data
    assert rig.session.wake_at == rig.now
    rig.drain()
    assert rig.session.received_sample == 60 * SECOND
    assert rig.session.wants_data


def test_packets_without_audio_are_worked_off_in_bites_too() -> None:
    rig = Rig()
    rig.session.receive_data(pack(PAIR_PACKETS[0], 0) * (3 * BITE_STEPS), rig.now)
    assert not rig.session.wants_data
    rig.drain()
    assert rig.session.wants_data
    assert rig.session.received_sample == 320


def test_finals_that_nobody_acknowledges_are_bounded() -> None:
    rig = Rig(parameters=StreamParameters(seq=True, partials=False))
    number = 0
    while len(rig.finals) < MAX_FINALS + 5:
        for packet in PAIR_PACKETS[20:30]:
            rig.send(pack(packet, number))
            number += 1
        rig.command(Finalize())
    assert len(rig.session.unacknowledged) == MAX_FINALS


def test_two_sessions_at_one_transcriber_have_jobs_of_their_own() -> None:
    first, second = Rig(name="A"), Rig(name="B")
    for rig in (first, second):
        rig.speak(PAIR_PACKETS)
    assert not {job.id for job in first.jobs} & {job.id for job in second.jobs}
    assert not {job.utterance for job in first.jobs} & {job.utterance for job in second.jobs}
    assert utterances(first) == utterances(second)


# Failed jobs.


def refuse(kinds: set[JobKind], error: AuricleError, times: float = inf) -> Callable[[Job], Answer]:
    left = [times]

    def answer(job: Job) -> Answer:
        if job.kind in kinds and left[0] > 0:
            left[0] -= 1
            return error
        return echo(job)

    return answer


def test_an_overload_costs_guesses_and_time_and_no_word() -> None:
    clean = Rig()
    clean.speak(PAIR_PACKETS)
    rig = Rig(answer_with=refuse(set(JobKind), Overloaded("full", 1), times=12))
    rig.speak(PAIR_PACKETS)
    rig.wait(30)
    assert utterances(rig) == utterances(clean)


def test_what_kills_the_engine_is_tried_as_a_final_and_told_with_an_error() -> None:
    died = Superseded("a worker died of it")

    def answer(job: Job) -> Answer:
        if not job.utterance.endswith(":1"):
            return echo(job)
        return PoisonJob("twice") if job.kind is JobKind.FINAL else died

    rig = Rig(answer_with=answer)
    rig.speak(PAIR_PACKETS)
    rig.wait(5)
    first, second = rig.finals
    assert (first.text, first.error, first.utterance) == ("", "poison_job", 1)
    assert (second.error, second.utterance) == (None, 2)
    assert len([job for job in rig.jobs_of(JobKind.FINAL) if job.utterance == "S:1"]) == 1
    rig.command(Stop())
    assert rig.session.is_closed


def test_poison_stops_the_guesses_at_its_own_utterance_only() -> None:
    rig = Rig(
        answer_with=lambda job: (
            PoisonJob("twice")
            if job.kind is JobKind.PARTIAL and job.utterance == "S:1"
            else echo(job)
        )
    )
    rig.speak(encode_packets(np.concatenate([FELLOW, silence(1), FELLOW, silence(1)])))
    guesses = [job.utterance for job in rig.jobs_of(JobKind.PARTIAL)]
    assert guesses.count("S:1") == 1
    assert guesses.count("S:2") >= 4
    assert [final.error for final in rig.finals] == [None, None]


def test_an_engine_that_says_nothing_gives_an_empty_final() -> None:
    rig = Rig(answer_with=lambda job: transcript("", job, segments=()))
    rig.speak(PAIR_PACKETS)
    assert [(final.text, final.error) for final in rig.finals] == [("", None)] * 2
    assert rig.partials == []


def test_an_answer_that_nobody_waits_for_is_ignored() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS)
    before = len(rig.events)
    for job in rig.jobs:
        rig.answer(job.id, transcript("again", job))
    assert len(rig.events) == before


def test_time_that_goes_back_is_no_trouble() -> None:
    rig = Rig()
    for index, packet in enumerate(PAIR_PACKETS):
        rig.session.receive_data(pack(packet, index), 100.0 + index * 0.02 - (index % 7))
        rig.now = 100.0 + index * 0.02
        rig.drain()
    assert len(rig.finals) == 2


# Commands that only dialects send.


def story(rig: Rig) -> list[type]:
    """Return the types of events about utterances, in order."""
    kinds = (SpeechStarted, SpeechEnded, Final, Flushed, Finalized, Discarded)
    return [type(event) for event in rig.events if isinstance(event, kinds)]


def test_a_flush_ends_the_utterance_and_says_when_its_words_are_out() -> None:
    rig = pcm_rig()
    rig.answer_with = lambda job: None
    rig.speak_pcm(FELLOW[: 2 * SECOND])
    rig.command(Flush())
    assert story(rig) == [SpeechStarted, SpeechEnded, Flushed]
    assert rig.of(Flushed) == [Flushed(2 * SECOND, ended_utterance=True)]
    rig.speak_pcm(FELLOW[2 * SECOND : 4 * SECOND])  # by then, the next one is open
    (job,) = rig.jobs_of(JobKind.FINAL)
    rig.answer(job.id, transcript("words", job))
    assert story(rig)[-3:] == [SpeechStarted, Final, Finalized]
    assert rig.of(Finalized) == [Finalized(2 * SECOND)]


def test_a_flush_waits_for_finals_of_utterances_that_had_ended_before() -> None:
    rig = pcm_rig()
    rig.answer_with = lambda job: None
    rig.speak_pcm(PAIR_AND_SILENCE)
    assert story(rig).count(SpeechEnded) == 2
    rig.command(Flush())
    assert rig.of(Flushed) == [Flushed(PAIR_AND_SILENCE.size, ended_utterance=False)]
    early = rig.jobs_of(JobKind.SPECULATIVE)
    for job in reversed(early):
        assert not rig.of(Finalized)
        rig.answer(job.id, transcript("words", job))
    assert story(rig)[-3:] == [Final, Final, Finalized]


def test_every_flush_is_answered_in_turn_also_when_nothing_was_said() -> None:
    rig = pcm_rig()
    rig.command(Flush())
    rig.speak_pcm(silence(1))
    rig.command(Flush())
    rig.command(Flush())
    assert story(rig) == [Flushed, Finalized] * 3
    assert [event.at_sample for event in rig.of(Finalized)] == [0, SECOND, SECOND]


def test_a_client_that_flushes_without_end_is_not_read() -> None:
    rig = pcm_rig()
    rig.answer_with = lambda job: None
    rig.speak_pcm(FELLOW[: 2 * SECOND])
    for _ in range(MAX_FLUSHES):
        assert rig.session.wants_data
        rig.command(Flush())
    assert not rig.session.wants_data
    (job,) = rig.jobs_of(JobKind.FINAL)
    rig.answer(job.id, transcript("words", job))
    assert rig.session.wants_data
    assert len(rig.of(Finalized)) == MAX_FLUSHES


def test_what_is_discarded_is_never_told_and_what_follows_is() -> None:
    rig = pcm_rig()
    rig.speak_pcm(FELLOW[: 2 * SECOND])
    assert story(rig) == [SpeechStarted]
    rig.command(Discard())
    assert story(rig) == [SpeechStarted, Discarded]
    assert rig.of(Discarded) == [Discarded(2 * SECOND)]
    rig.speak_pcm(FELLOW[2 * SECOND :])
    rig.command(Flush())
    assert story(rig)[2:] == [SpeechStarted, SpeechEnded, Flushed, Final, Finalized]
    (final,) = rig.finals
    assert final.start_sample >= 2 * SECOND


def test_discarding_gives_up_guesses_and_keeps_finals_of_what_had_ended() -> None:
    rig = pcm_rig()
    rig.answer_with = lambda job: None
    rig.speak_pcm(PAIR_AND_SILENCE[: PAIR_AND_SILENCE.size - 2 * SECOND])
    ended = story(rig).count(SpeechEnded)
    assert ended == 1
    guesses = [job.id for job in rig.open_jobs.values() if job.kind is JobKind.PARTIAL]
    rig.command(Discard())
    assert guesses
    assert set(guesses) <= set(rig.cancelled)
    for job in rig.jobs_of(JobKind.SPECULATIVE):
        rig.answer(job.id, transcript("words", job))
    rig.wait(5)
    for job in rig.jobs_of(JobKind.FINAL):
        rig.answer(job.id, transcript("words", job))
    assert [final.utterance for final in rig.finals] == [1]


def test_hotwords_can_change_from_the_next_utterance_on() -> None:
    rig = pcm_rig(hotwords=("Auricle",))
    rig.speak_pcm(FELLOW[: 2 * SECOND])
    rig.command(UpdateConfig(hotwords=("Whisper",), prompt="before"))
    rig.command(Flush())
    rig.speak_pcm(FELLOW[2 * SECOND :])
    rig.command(Flush())
    assert len(rig.finals) == 2
    first, last = rig.jobs_of(JobKind.FINAL)[0].options, rig.jobs[-1].options
    assert (first.hotwords, last.hotwords) == (("Auricle",), ("Whisper",))
    assert (first.initial_prompt, last.initial_prompt) == (None, "before")


def test_a_flush_hears_what_the_resampler_held_back_and_the_clock_stays_exact() -> None:
    rig = pcm_rig(sample_rate=8000)
    for _ in range(3):
        rig.send(bytes(2 * 8000 + 1))  # half a sample stays with the next message
        rig.command(Flush())
    assert [event.at_sample for event in rig.of(Flushed)] == [
        SECOND,
        2 * SECOND + 2,
        3 * SECOND + 2,
    ]


def test_what_rings_after_a_flush_is_no_utterance() -> None:
    rig = pcm_rig()
    rig.speak_pcm(FELLOW[: 2 * SECOND])
    rig.command(Flush())
    rig.speak_pcm(silence(3))
    rig.command(Flush())
    assert len(rig.finals) == 1
    assert story(rig)[-2:] == [Flushed, Finalized]
