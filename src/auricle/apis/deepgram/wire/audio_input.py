"""The audio of a Deepgram stream: raw samples, packets, or a container that is detected.

Without ``encoding``, the format is detected from the first bytes: Ogg, WebM, WAV, MP3, FLAC or AAC.
"""

from collections.abc import Iterable, Iterator

from auricle.apis.deepgram.wire.frames.flac import FlacSplitter
from auricle.apis.deepgram.wire.frames.mpeg import MpegSplitter
from auricle.apis.deepgram.wire.frames.splitter import FrameSplitter
from auricle.apis.deepgram.wire.query import ALAW, LINEAR16, MULAW, OGG_OPUS, OPUS
from auricle.protocol.detect import detect
from auricle.protocol.dialect import Companded, EncodedFrames, Law, Step
from auricle.protocol.mpeg_header import (
    ADTS_HEADER_BYTES,
    parse_adts_header,
    parse_mp3_header,
)
from auricle.protocol.wav import A_LAW, MU_LAW, PCM, parse_wav_head
from auricle.values.audio_formats import AudioFormat
from auricle.values.commands import Configure
from auricle.values.errors import AudioError
from auricle.values.events import Wire
from auricle.values.limits import MAX_RATE_HZ, MIN_RATE_HZ
from auricle.values.types import SAMPLE_RATE_HZ, CompressedFrame, FrameCodec

SLICE_BYTES = 4096
"""Bytes that are split into frames at once: a message may hold many beginnings that are none."""
MAX_STEP_SAMPLES = SAMPLE_RATE_HZ

SIGNATURE_BYTES = 12
"""Bytes needed to detect the container."""

WIRES = {
    LINEAR16: Wire.PCM16,
    MULAW: Wire.PCM16,
    ALAW: Wire.PCM16,
    OPUS: Wire.OPUS_MESSAGE,
    OGG_OPUS: Wire.OGG,
    None: Wire.PCM16,  # until the first bytes arrive
}
"""The wire format of a session, by ``encoding``."""

_LAWS = {MULAW: Law.MU, ALAW: Law.A}
_WAV_LAWS = {MU_LAW: Law.MU, A_LAW: Law.A}

_FRAMED = {
    AudioFormat.MP3: FrameCodec.MP3,
    AudioFormat.AAC: FrameCodec.AAC,
    AudioFormat.FLAC: FrameCodec.FLAC,
}
_CONTROL_BYTES = 1024


def text_in(data: bytes) -> str | None:
    """Return the text of a binary message that may be a text message: some clients send them so."""
    if not data.startswith(b"{") or len(data) > _CONTROL_BYTES:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


class AudioInput:
    """The audio of one stream.

    Args:
        encoding: The parameter of the query; ``None`` to detect a container.
        channels: Number of channels of the stream.
        is_multichannel: Whether channels are transcribed apart; otherwise they are mixed.

    Attributes:
        is_undecodable: Set once the session can't decode the packets; then audio is rejected.
    """

    def __init__(
        self, encoding: str | None, channels: int = 1, *, is_multichannel: bool = False
    ) -> None:
        self._channels = channels
        self._is_multichannel = is_multichannel
        self._law = _LAWS.get(encoding or "")
        self._head: bytes | None = b"" if encoding is None else None
        self._codec = FrameCodec.MP3
        self._splitter: FrameSplitter | None = None
        self.is_undecodable = False

    def receive(self, data: bytes) -> Iterable[Step]:
        """Return the steps for a binary message.

        Raises:
            AudioError: The audio cannot be decoded.
        """
        if self.is_undecodable:
            raise AudioError("Packets could not be decoded as Opus.")
        if self._head is None:
            return self._audio(data)
        self._head += data
        return self._detect_format(self._head)

    def finish(self) -> Iterable[Step]:
        """Return the steps for the rest of the audio, at its end."""
        if self._splitter is None:
            return ()
        self._splitter.receive_eof()
        return self._frames(self._splitter)

    def _audio(self, data: bytes) -> Iterable[Step]:
        if self._splitter is not None:
            return self._split(self._splitter, data)
        return (data if self._law is None else Companded(data, self._law),)

    def _split(self, splitter: FrameSplitter, data: bytes) -> Iterator[Step]:
        for at in range(0, len(data), SLICE_BYTES):
            splitter.receive_data(data[at : at + SLICE_BYTES])
            yield from self._frames(splitter)

    def _frames(self, splitter: FrameSplitter) -> Iterator[Step]:
        """Return the frames that are complete, in steps; at least one step."""
        frames: list[CompressedFrame] = []
        samples = 0
        while (frame := splitter.next_frame()) is not None:
            if frames and samples + frame.samples > MAX_STEP_SAMPLES:
                yield EncodedFrames(self._codec, splitter.header, tuple(frames))
                frames, samples = [], 0
            frames.append(frame)
            samples += frame.samples
        yield EncodedFrames(self._codec, splitter.header, tuple(frames))

    def _detect_format(self, head: bytes) -> Iterator[Step]:
        """Detect the format of a stream without ``encoding``, and start it."""
        if len(head) < SIGNATURE_BYTES:
            return
        audio_format = detect(head, len(head) + 1)
        if self._is_multichannel and audio_format not in (AudioFormat.WAV, AudioFormat.UNKNOWN):
            raise AudioError("multichannel needs raw samples or WAV.")
        match audio_format:
            case AudioFormat.OGG:
                yield Configure(format=Wire.OGG)
            case AudioFormat.WEBM:
                yield Configure(format=Wire.WEBM)
            case AudioFormat.WAV:
                wav = parse_wav_head(head)
                if wav is None:
                    return
                self._law = _WAV_LAWS.get(wav.code)
                is_known = wav.bits == (8 if self._law else 16) and wav.code in (PCM, *_WAV_LAWS)
                is_usual = MIN_RATE_HZ <= wav.sample_rate_hz <= MAX_RATE_HZ
                if not is_known or not is_usual or wav.channels != self._channels:
                    raise AudioError(
                        "Unsupported WAV; use 16-bit PCM or G.711, and channels=2 for stereo."
                    )
                yield Configure(format=Wire.PCM16, sample_rate=wav.sample_rate_hz)
                head = head[wav.size_bytes :]
            case AudioFormat.MP3 | AudioFormat.AAC | AudioFormat.FLAC:
                self._codec = _FRAMED[audio_format]
                is_flac = audio_format is AudioFormat.FLAC
                self._splitter = FlacSplitter() if is_flac else MpegSplitter(self._codec)
                yield Configure(format=Wire.PCM16, sample_rate=SAMPLE_RATE_HZ)
            case _ if _may_begin_frames(head):
                return
            case _:
                raise AudioError(
                    "Unknown audio format; without encoding, send Ogg or WebM with Opus, WAV, MP3, "
                    "FLAC, or AAC in ADTS. Set encoding and sample_rate for raw samples."
                )
        self._head = None
        if head:
            yield from self._audio(head)


def _may_begin_frames(head: bytes) -> bool:
    """Return whether this is the first frame of MP3 or AAC, without the beginning of the second."""
    for parse in (parse_mp3_header, parse_adts_header):
        first = parse(head)
        if first is not None and len(head) < first.size_bytes + ADTS_HEADER_BYTES:
            return True
    return False
