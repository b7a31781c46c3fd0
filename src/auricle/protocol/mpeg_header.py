"""Headers of frames: MP3 (ISO/IEC 11172-3 §2.4.2.3, 13818-3), and AAC in ADTS (13818-7 §6.2)."""

from dataclasses import dataclass

MP3_HEADER_BYTES = 4
ADTS_HEADER_BYTES = 7

# Bit rates of layer III in kbit/s, for MPEG-1 and for MPEG-2 and 2.5; index 0 is "free" and 15 is
# forbidden.
_MPEG1_KBPS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
_MPEG2_KBPS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)
_MPEG1_HZ = (44_100, 48_000, 32_000)
_ADTS_HZ = (
    *(96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000),
    *(22_050, 16_000, 12_000, 11_025, 8_000, 7_350),
)
_AAC_BLOCK_SAMPLES = 1024


@dataclass(frozen=True, slots=True)
class MpegHeader:
    """The header of a frame.

    Attributes:
        size_bytes: Size of the frame with its header.
        rate_hz: Sample rate.
        samples: Samples of each channel in the frame, at that rate.
    """

    size_bytes: int
    rate_hz: int
    samples: int


def parse_mp3_header(head: bytes) -> MpegHeader | None:
    """Return the header of the MP3 frame at the start, or ``None`` if there is none."""
    if len(head) < MP3_HEADER_BYTES or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:  # sync, layer III
        return None
    version, rate_index, padding = head[1] >> 3 & 3, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or rate_index == 3:  # both reserved
        return None
    is_mpeg1 = version == 3
    kbps = (_MPEG1_KBPS if is_mpeg1 else _MPEG2_KBPS)[head[2] >> 4]
    if not kbps:
        return None
    rate_hz = _MPEG1_HZ[rate_index] // {3: 1, 2: 2, 0: 4}[version]
    size_bytes = (144 if is_mpeg1 else 72) * kbps * 1000 // rate_hz + padding
    return MpegHeader(size_bytes, rate_hz, 1152 if is_mpeg1 else 576)


def parse_adts_header(head: bytes) -> MpegHeader | None:
    """Return the header of the ADTS frame at the start, or ``None`` if there is none."""
    if len(head) < ADTS_HEADER_BYTES or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return None
    size_bytes = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    rate_index = head[2] >> 2 & 15
    if rate_index >= len(_ADTS_HZ) or size_bytes <= ADTS_HEADER_BYTES:
        return None
    blocks = (head[6] & 3) + 1
    return MpegHeader(size_bytes, _ADTS_HZ[rate_index], blocks * _AAC_BLOCK_SAMPLES)
