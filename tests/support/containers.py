"""Ogg and WebM as live encoders write them, byte by byte under the test's control."""

import io
from collections.abc import Iterable, Sequence
from struct import pack
from typing import Literal

import av
import numpy as np
from av.container import OutputContainer

from auricle.values.types import SAMPLE_RATE_HZ, OpusPacket, Pcm16

CONTINUED, FIRST, LAST = 1, 2, 4
UNKNOWN = -1
XIPH, FIXED, EBML_LACING = 0x02, 0x04, 0x06


def muxed(
    pcm: Pcm16,
    container: str,
    *,
    codec: Literal["libopus", "pcm_s16le"] = "libopus",
    is_live: bool = True,
    with_video: bool = False,
    options: dict[str, str] | None = None,
) -> bytes:
    """Return speech in a container as FFmpeg writes it, to a pipe if it is live."""
    target = io.BytesIO()
    if is_live:
        target.seekable = lambda: False  # type: ignore[method-assign]  # as a pipe is
    with av.open(target, "w", format=container, options=options or {}) as output:
        rate_hz = 48_000 if codec == "libopus" else SAMPLE_RATE_HZ
        sound = output.add_stream(codec, rate=rate_hz)
        assert isinstance(sound, av.AudioStream)
        sound.layout = "mono"
        pictures = _video(output) if with_video else []
        resampler = av.AudioResampler(sound.format, "mono", rate_hz)
        frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        for part in [*resampler.resample(frame), *resampler.resample(None), None]:
            output.mux(sound.encode(part))
        for packets in pictures:
            output.mux(packets)
    return target.getvalue()


def _video(output: OutputContainer) -> list[list["av.Packet[av.VideoStream]"]]:
    video = output.add_stream("libvpx", rate=10, options={"deadline": "realtime"})
    assert isinstance(video, av.VideoStream)
    video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
    rng = np.random.default_rng(1)
    packets = []
    for index in range(3):
        noise = rng.integers(0, 255, (48, 64, 3), np.uint8)
        picture = av.VideoFrame.from_ndarray(noise, format="rgb24")
        picture.pts = index
        packets.append(video.encode(picture))
    return [*packets, video.encode(None)]


def demuxed(data: bytes) -> list[bytes]:
    """Return the packets that FFmpeg finds."""
    with av.open(io.BytesIO(data), "r") as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def opus_head(
    channels: int = 1, pre_skip_ticks: int = 312, version: int = 1, mapping: bytes = b"\0"
) -> bytes:
    return b"OpusHead" + pack("<BBHIh", version, channels, pre_skip_ticks, 48_000, 0) + mapping


def ogg_page(
    parts: Sequence[bytes],
    *,
    flags: int = 0,
    number: int = 0,
    serial: int = 7,
    is_last_open: bool = False,
    granule: int = 0,
) -> bytes:
    """Return a page; the last part has a multiple of 255 bytes if it continues on the next."""
    sizes = b"".join(b"\xff" * (len(part) // 255) + bytes([len(part) % 255]) for part in parts)
    if is_last_open:
        sizes = sizes[:-1]
    head = pack("<4sBBqII", b"OggS", 0, flags, granule, serial, number)
    rest = bytes([len(sizes)]) + sizes + b"".join(parts)
    return head + pack("<I", _ogg_crc(head + bytes(4) + rest)) + rest


def _ogg_crc(data: bytes) -> int:
    """As RFC 3533 words it, a bit at a time."""
    crc = 0
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


def ogg_stream(
    packets: Iterable[OpusPacket], *, serial: int = 7, head: bytes | None = None
) -> bytes:
    """Return a live stream: a page for each packet."""
    pages = [
        ogg_page([opus_head() if head is None else head], flags=FIRST, serial=serial),
        ogg_page([b"OpusTags" + bytes(8)], number=1, serial=serial),
    ]
    bodies = list(packets)
    for index, packet in enumerate(bodies):
        flags = LAST if index == len(bodies) - 1 else 0
        pages.append(ogg_page([packet], flags=flags, number=index + 2, serial=serial))
    return b"".join(pages)


def element(name: int, content: bytes = b"", *, size: int | None = None) -> bytes:
    """Return an EBML element; ``size`` says something else than the content's own."""
    head = name.to_bytes((name.bit_length() + 7) // 8, "big")
    if size == UNKNOWN:
        return head + b"\x01" + b"\xff" * 7 + content
    return head + vint(len(content) if size is None else size, 8) + content


def vint(value: int, size_bytes: int) -> bytes:
    return (value | 1 << 7 * size_bytes).to_bytes(size_bytes, "big")


def track_entry(
    number: int = 1, codec: bytes = b"A_OPUS", private: bytes | None = None, more: bytes = b""
) -> bytes:
    content = element(0xD7, bytes([number])) + element(0x83, b"\x02") + element(0x86, codec)
    content += element(0x63A2, opus_head() if private is None else private) + more
    return element(0xAE, content)


def webm_head(*tracks: bytes, doc_type: bytes = b"webm") -> bytes:
    """Return the start of a recording, as MediaRecorder writes it."""
    info = element(0x1549A966, element(0x2AD7B1, b"\x0f\x42\x40") + element(0x4D80, b"Chrome"))
    header = element(0x1A45DFA3, element(0x4282, doc_type) + element(0x4287, b"\x04"))
    content = info + element(0x1654AE6B, b"".join(tracks or (track_entry(),)))
    return header + element(0x18538067, content, size=UNKNOWN)


def cluster(*blocks: bytes, time_ms: int = 0) -> bytes:
    time = element(0xE7, time_ms.to_bytes(4, "big"))
    return element(0x1F43B675, time + b"".join(blocks), size=UNKNOWN)


def simple_block(payload: bytes, *, number: int = 1, lacing: int = 0, time_ms: int = 0) -> bytes:
    head = vint(number, 1) + pack(">hB", time_ms, 0x80 | lacing)
    return element(0xA3, head + payload)


def block_group(payload: bytes, *, lacing: int = 0, number: int = 1) -> bytes:
    block = element(0xA1, vint(number, 1) + pack(">hB", 0, lacing) + payload)
    return element(0xA0, block + element(0x75A2, b"\x01"))


def webm_stream(packets: Iterable[OpusPacket]) -> bytes:
    """Return a live recording: a block for each packet, a cluster for each ten."""
    bodies = list(packets)
    groups = [bodies[at : at + 10] for at in range(0, len(bodies), 10)]
    clusters = [
        cluster(*map(simple_block, group), time_ms=600 * index)
        for index, group in enumerate(groups)
    ]
    return webm_head() + b"".join(clusters)


def tag_bomb(tags: int = 100_000) -> bytes:
    """Return a small file whose tags keep FFmpeg busy for the square of their number."""
    each = (
        element(0x67C8, element(0x45A3, b"%06x" % number) + element(0x4487, b"x"))
        for number in range(tags)
    )
    return webm_head() + element(0x1254C367, element(0x7373, b"".join(each))) + cluster()
