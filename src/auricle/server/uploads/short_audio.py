"""Decodes short audio without a decode worker: PCM16 and Opus packets.

Opus is decoded on the event loop's thread, a few milliseconds at a time; libopus holds the GIL, so
another thread would not help. Resampling and voice activity detection release the GIL and run in
threads. Audio longer than an utterance is left to a decode worker.
"""

from collections.abc import Iterator

import anyio
import numpy as np
from anyio import to_thread

from auricle.audio.opus import LibOpus, OpusPacketDecoder, packet_samples
from auricle.audio.pipeline import OpusPacketDecodingPipeline
from auricle.audio.resample import resample
from auricle.protocol.detect import detect, walk_packets
from auricle.protocol.framing import PacketFramer
from auricle.server.access.admission import MAX_UTTERANCE_S
from auricle.server.uploads.params import TranscriptionParams
from auricle.values.audio_formats import AudioFormat
from auricle.values.errors import AudioError, EmptyAudio, OpusWithoutBoundaries, RemoteProtocolError
from auricle.values.types import SAMPLE_BYTES, SAMPLE_RATE_HZ, OpusPacket, Pcm16

DIRECT_FORMATS = frozenset({"pcm16", "opus"})

MAX_DIRECT_BYTES = 6 * 2**20
"""Just above 30 s of PCM16 at 96 kHz, the largest possible utterance."""

_MAX_SAMPLES = int(MAX_UTTERANCE_S * SAMPLE_RATE_HZ)
_SLICE_PACKETS = 100  # 1.3 ms at 13 µs a packet
_SLICE_BYTES = 64 * 1024

_HOW_TO_FRAME = (
    "The Opus packets have no framing. Send each as [uint16 little-endian length][packet], send an "
    "Ogg or WebM file, or set `opus_packet_bytes` to their constant size."
)


def audio_format_of(params: TranscriptionParams, head: bytes, total_bytes: int) -> str:
    """Return the format to decode the audio as: the requested one, unless its bytes contradict it.

    Args:
        params: The request's parameters.
        head: The first ``DETECT_HEAD_BYTES`` of the audio, or all of it.
        total_bytes: Size of the audio.

    Raises:
        EmptyAudio: There are no bytes.
        AudioError: The audio ends in the middle of an Opus packet.
        OpusWithoutBoundaries: The requested format is Opus, and the packets aren't framed.
    """
    if not total_bytes:
        raise EmptyAudio("The request contains no audio.")
    if params.opus_packet_bytes and params.audio_format in ("opus", "auto"):
        return "opus"
    if params.audio_format not in ("opus", "auto", "pcm16"):
        return params.audio_format
    detected = detect(head, total_bytes)
    match params.audio_format, detected:
        case "pcm16", AudioFormat.WAV:  # read as PCM, the header would be noise
            return detected.value
        case "pcm16", _:
            return "pcm16"
        case _, AudioFormat.UNKNOWN if params.audio_format == "opus":
            raise _not_framed(head)
        case _, AudioFormat.UNKNOWN | AudioFormat.AAC:
            return "auto"
        case _:
            return detected.value


def _not_framed(head: bytes) -> AudioError:
    walk = walk_packets(head)
    if walk.ticks and walk.is_cut:
        return AudioError("The audio ends in the middle of an Opus packet.")
    return OpusWithoutBoundaries(_HOW_TO_FRAME)


async def decode_short(
    params: TranscriptionParams, audio_format: str, audio: bytes, libopus: LibOpus
) -> Pcm16 | None:
    """Return the samples of an utterance, or ``None`` if a decode worker must decode the audio.

    Raises:
        AudioError: The audio can't be decoded.
        EmptyAudio: The audio has no samples.
    """
    match audio_format:
        case "pcm16":
            return await _decode_pcm16(audio, params.sample_rate_hz)
        case "opus":
            return await _decode_opus(audio, params.opus_packet_bytes, libopus)
        case _:
            return None


async def _decode_pcm16(audio: bytes, rate_hz: int) -> Pcm16 | None:
    if len(audio) % SAMPLE_BYTES:
        raise AudioError("PCM16 has two bytes per sample, but the audio has an odd size.")
    if len(audio) > MAX_UTTERANCE_S * rate_hz * SAMPLE_BYTES:
        return None
    pcm = np.frombuffer(audio, "<i2").astype(np.int16, copy=False)
    if rate_hz == SAMPLE_RATE_HZ:
        return pcm
    return await to_thread.run_sync(resample, pcm, rate_hz)


async def _decode_opus(audio: bytes, packet_bytes: int | None, libopus: LibOpus) -> Pcm16 | None:
    packets: list[OpusPacket] = []
    samples = 0
    for slice_ in _cut_constant(audio, packet_bytes) if packet_bytes else _cut_framed(audio):
        packets += slice_
        samples += sum(map(_samples, slice_))
        if samples > _MAX_SAMPLES:
            return None
        await anyio.lowlevel.checkpoint()
    if not packets:
        raise EmptyAudio("The audio contains no Opus packets.")
    return await _decode_packets(packets, libopus)


def _samples(packet: OpusPacket) -> int:
    try:
        return packet_samples(packet)
    except AudioError:
        return 0  # the pipeline conceals it


def _cut_framed(audio: bytes) -> Iterator[list[OpusPacket]]:
    framer = PacketFramer()
    try:
        for start in range(0, len(audio), _SLICE_BYTES):
            framer.receive_data(audio[start : start + _SLICE_BYTES])
            while packets := _next_packets(framer):
                yield packets
        framer.receive_eof()
        framer.next_packet()
    except RemoteProtocolError as error:
        raise AudioError(str(error)) from error


def _next_packets(framer: PacketFramer) -> list[OpusPacket]:
    packets: list[OpusPacket] = []
    while len(packets) < _SLICE_PACKETS and (packet := framer.next_packet()) is not None:
        packets.append(packet)
    return packets


def _cut_constant(audio: bytes, packet_bytes: int) -> Iterator[list[OpusPacket]]:
    if len(audio) % packet_bytes:
        raise AudioError(f"The audio's size is not a multiple of {packet_bytes} bytes.")
    slice_bytes = packet_bytes * _SLICE_PACKETS
    for start in range(0, len(audio), slice_bytes):
        end = min(start + slice_bytes, len(audio))
        yield [OpusPacket(audio[at : at + packet_bytes]) for at in range(start, end, packet_bytes)]


async def _decode_packets(packets: list[OpusPacket], libopus: LibOpus) -> Pcm16:
    pipeline = OpusPacketDecodingPipeline(OpusPacketDecoder(libopus))
    parts: list[Pcm16] = []
    for start in range(0, len(packets), _SLICE_PACKETS):
        parts += map(pipeline.receive_packet, packets[start : start + _SLICE_PACKETS])
        await anyio.lowlevel.checkpoint()
    statistics = pipeline.statistics
    if 2 * statistics.failures > statistics.packets:
        raise AudioError("Most of the Opus packets can't be decoded.")
    pcm = np.concatenate(parts)
    if not pcm.size:
        raise EmptyAudio("The Opus packets contain no audio.")
    return pcm
