"""Encode audio to Opus packets with the libopus that also decodes, for clients and tests.

The settings are those of Auricle's web client: voice at 32 kbit/s without discontinuous
transmission, which would omit packets without a gap in time.

``opus_encoder_ctl`` is variadic in C. Only the fixed arguments are typed here, so that ctypes
passes the others as the platform requires (on Apple's arm64 they are passed differently).
"""

import ctypes

import numpy as np

from auricle.audio.opus import LibOpus
from auricle.values.errors import SetupError
from auricle.values.limits import DEFAULT_PACKET_MS, MAX_PACKET_BYTES
from auricle.values.types import SAMPLE_RATE_HZ, OpusPacket, Pcm16

DEFAULT_BITRATE_BPS = 32_000
"""At 24 kbit/s the codec loses words: docs/decisions/040."""
RATES_HZ = (8_000, 12_000, 16_000, 24_000, 48_000)
FRAMES_MS = (2.5, 5, 10, 20, 40, 60, 80, 100, 120)  # opus_encode in opus.h

# opus_defines.h
_APPLICATION_VOIP = 2048
_SET_BITRATE, _SET_COMPLEXITY, _SET_DTX, _SET_SIGNAL = 4002, 4010, 4016, 4024
_SIGNAL_VOICE = 3001

_COMPLEXITY = 5  # as in the web client; 0.10 ms for a packet, against 0.13 at 10
_STATE_ALIGNMENT_BYTES = 64
_OPUS_OK = 0


class OpusPacketEncoder:
    """Encode one stream of PCM16 to Opus packets of equal length. Not thread-safe.

    Args:
        library: From :func:`~auricle.audio.opus.find_libopus`.
        sample_rate_hz: One of :data:`RATES_HZ`.
        channels: 1 or 2.
        frame_ms: Length of each packet; one of :data:`FRAMES_MS`.
        bitrate_bps: 500 to 512 000.

    Raises:
        ValueError: Opus does not support the rate, channels, frame length or bit rate.
        SetupError: This libopus can't encode.
    """

    def __init__(
        self,
        library: LibOpus,
        sample_rate_hz: int = SAMPLE_RATE_HZ,
        channels: int = 1,
        frame_ms: float = DEFAULT_PACKET_MS,
        bitrate_bps: int = DEFAULT_BITRATE_BPS,
    ) -> None:
        if sample_rate_hz not in RATES_HZ or channels not in (1, 2) or frame_ms not in FRAMES_MS:
            raise ValueError(
                f"Opus does not support {sample_rate_hz} Hz, {channels} channels, {frame_ms} ms"
            )
        if not 500 <= bitrate_bps <= 512_000:
            raise ValueError(f"bitrate_bps is {bitrate_bps}; Opus supports 500 to 512000")
        self.frame_samples = int(sample_rate_hz * frame_ms / 1000)
        """Number of samples of each channel in a packet."""
        self._channels = channels
        self._functions = _typed(library.functions)
        # The state is in memory that Python owns: nothing to free or leak.
        size_bytes = self._functions.opus_encoder_get_size(channels)
        self._memory = ctypes.create_string_buffer(size_bytes + _STATE_ALIGNMENT_BYTES)
        address = ctypes.addressof(self._memory)
        self._state = address + -address % _STATE_ALIGNMENT_BYTES
        self._packet = ctypes.create_string_buffer(MAX_PACKET_BYTES)
        self._check(
            self._functions.opus_encoder_init(
                self._state, sample_rate_hz, channels, _APPLICATION_VOIP
            )
        )
        for request, value in (
            (_SET_BITRATE, bitrate_bps),
            (_SET_COMPLEXITY, _COMPLEXITY),
            (_SET_SIGNAL, _SIGNAL_VOICE),
            (_SET_DTX, 0),
        ):
            self._check(
                self._functions.opus_encoder_ctl(self._state, request, ctypes.c_int32(value))
            )

    def encode(self, pcm: Pcm16) -> OpusPacket:
        """Return the packet for the stream's next frame.

        Args:
            pcm: int16, ``frame_samples`` samples; two channels interleaved or as columns.
        """
        if pcm.dtype != np.int16 or pcm.size != self.frame_samples * self._channels:
            raise ValueError(f"pcm is {pcm.dtype} {pcm.shape}, not int16 [{self.frame_samples}]")
        frame = np.ascontiguousarray(pcm)
        size_bytes = self._functions.opus_encode(
            self._state, frame.ctypes.data, self.frame_samples, self._packet, MAX_PACKET_BYTES
        )
        self._check(min(size_bytes, _OPUS_OK))
        return OpusPacket(self._packet.raw[:size_bytes])

    def _check(self, result: int) -> None:
        if result != _OPUS_OK:
            words: bytes = self._functions.opus_strerror(result)
            raise SetupError(f"libopus can't encode: {words.decode('ascii', 'replace')}.")


def _typed(functions: ctypes.PyDLL) -> ctypes.PyDLL:
    try:
        functions.opus_encoder_get_size.argtypes = (ctypes.c_int,)
        functions.opus_encoder_init.argtypes = (
            ctypes.c_void_p,
            ctypes.c_int32,
            ctypes.c_int,
            ctypes.c_int,
        )
        functions.opus_encoder_ctl.argtypes = (ctypes.c_void_p, ctypes.c_int)
        functions.opus_encode.argtypes = (
            ctypes.c_void_p,
            ctypes.c_void_p,
            ctypes.c_int,
            ctypes.c_char_p,
            ctypes.c_int32,
        )
    except AttributeError as exc:
        raise SetupError("The libopus that was found can only decode.") from exc
    return functions
