"""Opus packets to speech, with libopus called in place through ctypes.

One decoder for one stream of packets: what it gives for a packet depends on those before. It
decodes straight to 16 kHz mono, whatever the encoder's rate and channels were.

libopus is called with ``ctypes.PyDLL``, which keeps the GIL: a packet takes 13 µs, and a call that
lets go of the GIL waits up to 5 ms to get it back beside a busy thread (measured 2026-11). It also
means that two threads can't be inside one decoder at once, which would crash the process.
"""

import ctypes
import ctypes.util
import functools
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from auricle.errors import AudioError, SetupError
from auricle.types import SAMPLE_RATE_HZ, OpusPacket, Pcm16

MAX_PACKET_SAMPLES = SAMPLE_RATE_HZ * 120 // 1000
"""RFC 6716 §3.4 [R5]: a packet lasts at most 120 ms."""

MAX_PACKET_BYTES = 4000
"""As in the wire format: padding alone could make a packet of a megabyte."""

CONCEAL_STEP_SAMPLES = SAMPLE_RATE_HZ * 25 // 10_000
"""libopus conceals multiples of 2.5 ms."""

# RFC 6716 §3.1, table 2: frame sizes by configuration, in 16 kHz samples.
_SILK = (160, 320, 640, 960)
_HYBRID = (160, 320)
_CELT = (40, 80, 160, 320)
_FRAME_SAMPLES = _SILK * 3 + _HYBRID * 2 + _CELT * 4

_STATE_ALIGNMENT_BYTES = 64
_OPUS_OK = 0


@dataclass(frozen=True, slots=True)
class LibOpus:
    """A libopus that is loaded and has what we need.

    Attributes:
        path: The library's file, or its name where the system resolves it.
        version: What it says of itself.
        origin: ``setting``, ``PyAV``, ``opuslib-next-bundled`` or ``system``.
        functions: The library; its functions are typed and keep the GIL.
    """

    path: str
    version: str
    origin: str
    functions: ctypes.PyDLL = field(repr=False, compare=False)


@functools.lru_cache(maxsize=8)
def find_libopus(path: str | None = None) -> LibOpus:
    """Return the first libopus that loads: ``path`` alone if given, else those that packages bring.

    PyAV's comes first: it is a recent one, and there in every installation. PyAV itself is not
    imported.

    Raises:
        SetupError: There is none, or the one at ``path`` can't be used.
    """
    if path is not None:
        library = _load(path, "setting")
        if library is None:
            raise SetupError("The file that is named as libopus is not one that can be loaded.")
        return library
    for candidate, origin in _candidates():
        library = _load(candidate, origin)
        if library is not None:
            return library
    raise SetupError(
        "No libopus was found. Install the package av again, or libopus from your system "
        "(Debian: apt install libopus0)."
    )


def _candidates() -> Iterator[tuple[str, str]]:
    places = (
        ("av", "PyAV", ("../av.libs/libopus-*.so*", ".dylibs/libopus*", "../av.libs/*opus*.dll")),
        ("opuslib_next", "opuslib-next-bundled", ("_native/libopus.*", "_native/opus.dll")),
    )
    for package, origin, patterns in places:
        spec = importlib.util.find_spec(package)
        for root in (spec and spec.submodule_search_locations) or ():
            for pattern in patterns:
                folder, _, name = pattern.rpartition("/")
                for found in sorted(Path(root, folder).resolve().glob(name)):
                    yield str(found), origin
    system = ctypes.util.find_library("opus")  # last: it may start a process to look
    if system is not None:
        yield system, "system"


def _load(path: str, origin: str) -> LibOpus | None:
    """Return the library with its functions typed, or ``None`` if it isn't a usable libopus."""
    try:
        functions = ctypes.PyDLL(path)
        functions.opus_get_version_string.restype = ctypes.c_char_p
        functions.opus_strerror.restype = ctypes.c_char_p
        functions.opus_strerror.argtypes = (ctypes.c_int,)
        functions.opus_decoder_get_size.argtypes = (ctypes.c_int,)
        functions.opus_decoder_init.argtypes = (ctypes.c_void_p, ctypes.c_int32, ctypes.c_int)
        functions.opus_decode.argtypes = (
            ctypes.c_void_p,  # the decoder's state
            ctypes.c_char_p,  # the packet; NULL conceals
            ctypes.c_int32,
            ctypes.c_void_p,  # where the samples go
            ctypes.c_int,
            ctypes.c_int,  # 1: decode the copy of the packet before, if there is one
        )
        version = functions.opus_get_version_string()
    except (OSError, AttributeError):  # no such file, not a library, or a symbol is missing
        return None
    return LibOpus(path, version.decode("ascii", "replace"), origin, functions)


def packet_samples(packet: OpusPacket) -> int:
    """Return how many 16 kHz samples the packet says it holds (RFC 6716 §3.1 and §3.2).

    Raises:
        AudioError: It is empty, has no frames, or says that it lasts more than 120 ms.
    """
    if not packet:
        raise AudioError("An Opus packet is empty.")
    frame_samples = _FRAME_SAMPLES[packet[0] >> 3]
    match packet[0] & 3:
        case 0:
            return frame_samples
        case 1 | 2:
            return 2 * frame_samples
        case _:
            frames = packet[1] & 0x3F if len(packet) > 1 else 0
            if not 0 < frames * frame_samples <= MAX_PACKET_SAMPLES:
                raise AudioError("An Opus packet has an impossible number of frames.")
            return frames * frame_samples


class OpusPacketDecoder:
    """Decodes one stream of Opus packets to 16 kHz mono PCM16, in order.

    Tell it of what is lost, with :meth:`conceal` or :meth:`recover`: then it goes on smoothly and
    the clock stays right. What it gives is 6.5 ms late, as any Opus decoder without the pre-skip of
    a container. A damaged packet raises and leaves the decoder usable. Not to be shared by threads.

    Args:
        library: As :func:`find_libopus` gives it.
    """

    def __init__(self, library: LibOpus) -> None:
        self._functions = library.functions
        # The state lives in our own memory: nothing to free, nothing to leak.
        size_bytes = self._functions.opus_decoder_get_size(1)
        self._memory = ctypes.create_string_buffer(size_bytes + _STATE_ALIGNMENT_BYTES)
        address = ctypes.addressof(self._memory)
        self._state = address + -address % _STATE_ALIGNMENT_BYTES
        self._pcm = np.empty(MAX_PACKET_SAMPLES, np.int16)
        self._pcm_address = self._pcm.ctypes.data
        self._initial_state = _initial_state(library)
        self.reset()

    def reset(self) -> None:
        """Forget all packets: the next one starts a new stream."""
        ctypes.memmove(self._state, self._initial_state, len(self._initial_state))

    def decode(self, packet: OpusPacket) -> Pcm16:
        """Return the packet's speech: int16, shape [samples], 40 to 1920 of them.

        Raises:
            AudioError: It is empty, too large or damaged.
        """
        return self._decode(_checked(packet), MAX_PACKET_SAMPLES, fec=False)

    def conceal(self, samples: int) -> Pcm16:
        """Return a guess at lost speech, from what came before: good for some 100 ms.

        Args:
            samples: How much was lost: a multiple of 40, at most 1920.
        """
        _check_lost(samples)
        return self._decode(None, samples, fec=False)

    def recover(self, next_packet: OpusPacket, samples: int) -> Pcm16:
        """Return lost speech from the copy that the packet after it may carry; else conceal it.

        Decode ``next_packet`` itself afterwards.

        Args:
            next_packet: The first packet after the loss.
            samples: How much was lost: a multiple of 40, at most 1920.

        Raises:
            AudioError: ``next_packet`` is empty, too large or damaged.
        """
        _check_lost(samples)
        return self._decode(_checked(next_packet), samples, fec=True)

    def _decode(self, packet: OpusPacket | None, room_samples: int, *, fec: bool) -> Pcm16:
        size_bytes = 0 if packet is None else len(packet)
        samples = self._functions.opus_decode(
            self._state, packet, size_bytes, self._pcm_address, room_samples, fec
        )
        if samples < 0:
            reason = _error_text(self._functions, samples)
            raise AudioError(f"An Opus packet can't be decoded: {reason}.")
        return self._pcm[:samples].copy()


@functools.lru_cache(maxsize=8)
def _initial_state(library: LibOpus) -> bytes:
    """Return the memory of a decoder that has decoded nothing.

    A copy of it is a decoder ("The decoder state is always continuous in memory and only a shallow
    copy is sufficient to copy it", opus.h). ``opus_decoder_init`` asks the processor what it can do
    each time, which takes 50 µs in a virtual machine; a copy takes 1 µs.
    """
    size_bytes = library.functions.opus_decoder_get_size(1)
    memory = ctypes.create_string_buffer(size_bytes + _STATE_ALIGNMENT_BYTES)
    state = ctypes.addressof(memory)
    state += -state % _STATE_ALIGNMENT_BYTES
    result = library.functions.opus_decoder_init(state, SAMPLE_RATE_HZ, 1)
    if result != _OPUS_OK:
        reason = _error_text(library.functions, result)
        raise SetupError(f"libopus can't make a decoder: {reason}.")
    return ctypes.string_at(state, size_bytes)


def _error_text(functions: ctypes.PyDLL, result: int) -> str:
    text: bytes = functions.opus_strerror(result)
    return text.decode("ascii", "replace")


def _checked(packet: OpusPacket) -> OpusPacket:
    if not packet:  # libopus would conceal a loss instead
        raise AudioError("An Opus packet is empty.")
    if len(packet) > MAX_PACKET_BYTES:
        raise AudioError(
            f"An Opus packet has {len(packet)} bytes; at most {MAX_PACKET_BYTES} are allowed."
        )
    return packet


def _check_lost(samples: int) -> None:
    if not 0 < samples <= MAX_PACKET_SAMPLES or samples % CONCEAL_STEP_SAMPLES:
        raise ValueError(f"{samples} samples can't be concealed: not a multiple of 40 in 40..1920")
