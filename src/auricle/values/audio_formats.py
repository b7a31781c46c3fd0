"""The audio formats of files: how each is recognised, named and decoded, in one table."""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass


class AudioFormat(enum.StrEnum):
    """Detected audio formats; the values are those of the API's ``audio_format``."""

    OPUS = "opus"
    """Framed Opus packets."""
    OGG = "ogg"
    WEBM = "webm"
    """WebM or other Matroska."""
    WAV = "wav"
    """RIFF; RF64 above 4 GB."""
    FLAC = "flac"
    MP3 = "mp3"
    M4A = "m4a"
    """MP4 of any brand."""
    AAC = "aac"
    """AAC in ADTS, as in radio streams."""
    UNKNOWN = "unknown"
    """Raw PCM, a raw Opus stream, text, noise: bytes without a recognisable format."""


@dataclass(frozen=True, slots=True)
class Container:
    """A format that FFmpeg decodes.

    Attributes:
        title: Its name in messages.
        bytes_per_s: Typical bit rate of speech in it, in bytes.
        demuxer: FFmpeg's name of its demuxer.
        codecs: FFmpeg's names of the decoders of its audio.
        media_types: The types that files of it are sent with.
        suffixes: Suffixes of files.
        signature: A regular expression of its first bytes; ``None`` if it has none.
        is_certain: Whether no raw samples or packets start with the signature by chance.
        has_exact_length: Whether the length in its header is exact and in samples.
        is_option: Whether it is a value of ``audio_format``.
    """

    title: str
    bytes_per_s: int
    demuxer: str
    codecs: tuple[str, ...]
    media_types: tuple[str, ...]
    suffixes: tuple[str, ...]
    signature: re.Pattern[bytes] | None = None
    is_certain: bool = True
    has_exact_length: bool = True
    is_option: bool = True


def _starts_with(expression: bytes) -> re.Pattern[bytes]:
    return re.compile(expression, re.DOTALL)


_PCM = (
    *("pcm_u8", "pcm_s8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le"),
    *("pcm_s32be", "pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be", "pcm_alaw", "pcm_mulaw"),
)
_MPEG = ("mp3", "mp3float", "mp2", "mp2float", "mp1float")

CONTAINERS: Mapping[AudioFormat, Container] = {
    AudioFormat.WAV: Container(
        title="WAV",
        bytes_per_s=32_000,  # 16 kHz mono PCM16
        demuxer="wav",
        codecs=(*_PCM, "adpcm_ima_wav", "adpcm_ms", "gsm_ms"),
        media_types=("audio/wav", "audio/x-wav"),
        suffixes=(".wav",),
        signature=_starts_with(rb"(RIFF|RF64)....WAVE"),
        has_exact_length=False,  # programs that write it first may leave any length in it
    ),
    AudioFormat.FLAC: Container(
        title="FLAC",
        bytes_per_s=16_000,  # half of WAV
        demuxer="flac",
        codecs=("flac",),
        media_types=("audio/flac",),
        suffixes=(".flac",),
        signature=_starts_with(rb"fLaC"),
    ),
    AudioFormat.MP3: Container(
        title="MP3",
        bytes_per_s=8_000,  # 64 kbit/s
        demuxer="mp3",
        codecs=_MPEG,
        media_types=("audio/mpeg",),
        suffixes=(".mp3",),
        signature=_starts_with(rb"ID3"),  # a tag before MP3; FFmpeg detects other contents
        is_certain=False,
        has_exact_length=False,  # estimated from the bit rate
    ),
    AudioFormat.M4A: Container(
        title="M4A (MP4)",
        bytes_per_s=8_000,
        demuxer="mov,mp4,m4a,3gp,3g2,mj2",
        codecs=("aac", "alac", "ac3", "eac3", "amrnb", "amrwb"),
        media_types=("audio/mp4", "video/mp4"),
        suffixes=(".m4a", ".mp4"),
        signature=_starts_with(rb"....ftyp"),  # ISO/IEC 14496-12 §4.3: [uint32_be size]["ftyp"]
    ),
    AudioFormat.OGG: Container(
        title="Ogg",
        bytes_per_s=4_000,  # 32 kbit/s
        demuxer="ogg",
        codecs=("opus", "libopus", "vorbis", "speex", "flac"),
        media_types=("audio/ogg", "application/ogg"),
        suffixes=(".ogg", ".oga", ".opus"),
        signature=_starts_with(rb"OggS"),
    ),
    AudioFormat.WEBM: Container(
        title="WebM",
        bytes_per_s=4_000,
        demuxer="matroska,webm",
        codecs=("opus", "libopus", "vorbis", "aac", "flac"),
        media_types=("audio/webm", "video/webm"),
        suffixes=(".webm", ".mka", ".mkv"),
        signature=_starts_with(rb"\x1a\x45\xdf\xa3"),  # RFC 8794 §11.2.1: the EBML header's id
    ),
    AudioFormat.AAC: Container(
        title="AAC",
        bytes_per_s=8_000,
        demuxer="aac",
        codecs=("aac",),
        media_types=("audio/aac",),
        suffixes=(".aac",),
        is_certain=False,
        has_exact_length=False,
        is_option=False,
    ),
}
"""Messages and documents list the formats in this order."""

OPUS_BYTES_PER_S = 4_000
"""Bit rate of Opus packets without a container, in bytes: 32 kbit/s."""

FORMAT_OPTIONS = (
    *("pcm16", AudioFormat.OPUS.value),
    *(name.value for name, container in CONTAINERS.items() if container.is_option),
    "auto",
)
"""The values of the API's ``audio_format``."""

FILE_NAMES = " ".join(
    suffix.removeprefix(".") for container in CONTAINERS.values() for suffix in container.suffixes
)
"""The endings of files, as help texts list them."""
