"""The audio of a Deepgram stream: raw samples, packets, or a container that is detected.

Without ``encoding``, the format is detected from the first bytes: Ogg, WebM or WAV.
"""

from collections.abc import Iterable, Iterator

from auricle.audio_formats import AudioFormat
from auricle.commands import Configure
from auricle.errors import AudioError
from auricle.events import Wire
from auricle.limits import MAX_RATE_HZ, MIN_RATE_HZ
from auricle.protocol.deepgram.query import ALAW, LINEAR16, MULAW, OGG_OPUS, OPUS
from auricle.protocol.detect import detect
from auricle.protocol.dialect import Companded, Law, Step
from auricle.protocol.wav import A_LAW, MU_LAW, PCM, parse_wav_head

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
        self.is_undecodable = False

    def receive(self, data: bytes) -> Iterable[Step]:
        """Return the steps for a binary message.

        Raises:
            AudioError: The audio cannot be decoded.
        """
        if self.is_undecodable:
            raise AudioError("Packets could not be decoded as Opus.")
        if self._head is None:
            return (self._audio(data),)
        self._head += data
        return self._detect_format(self._head)

    def _audio(self, data: bytes) -> Step:
        return data if self._law is None else Companded(data, self._law)

    def _detect_format(self, head: bytes) -> Iterator[Step]:
        """Detect the format of a stream without ``encoding``, and start it."""
        if len(head) < SIGNATURE_BYTES:
            return
        match detect(head, len(head) + 1):
            case AudioFormat.OGG | AudioFormat.WEBM if self._is_multichannel:
                raise AudioError("multichannel needs raw samples or WAV.")
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
            case _:
                raise AudioError(
                    "Unknown audio format; without encoding, send Ogg or WebM with Opus, or WAV. "
                    "Set encoding and sample_rate for raw samples."
                )
        self._head = None
        if head:
            yield self._audio(head)
