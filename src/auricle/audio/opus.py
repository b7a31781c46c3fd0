"""Decode Opus packets with libopus, called through ctypes.

Each stream of packets needs its own decoder: the output for a packet depends on earlier packets. It
decodes to 16 kHz mono, for all sample rates and channel counts of the encoder.

libopus is called with ``ctypes.PyDLL``, which keeps the GIL. A packet takes 13 µs; a call that
releases the GIL waits up to 5 ms to get it again when another thread is busy (measured 2026-11).
Keeping it also prevents two threads from using one decoder at once, which would crash the process.
"""

import ctypes
import ctypes.util
import functools
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from auricle.values.errors import AudioError, SetupError
from auricle.values.limits import MAX_PACKET_BYTES, MAX_PACKET_MS, OPUS_FRAME_MS
from auricle.values.types import SAMPLE_RATE_HZ, SAMPLES_PER_MS, OpusPacket, Pcm16

MAX_PACKET_SAMPLES = MAX_PACKET_MS * SAMPLES_PER_MS

CONCEAL_STEP_SAMPLES = SAMPLE_RATE_HZ * 25 // 10_000
"""libopus conceals multiples of 2.5 ms."""

_FRAME_SAMPLES = tuple(int(frame_ms * SAMPLES_PER_MS) for frame_ms in OPUS_FRAME_MS)

_STATE_ALIGNMENT_BYTES = 64
_OPUS_OK = 0
_NO_FEC = 0


@dataclass(frozen=True, slots=True)
class LibOpus:
    """A loaded libopus with all required functions.

    Attributes:
        path: The library's file, or its name where the system resolves it.
        version: The version string that it returns.
        origin: ``setting``, ``PyAV``, ``opuslib-next-bundled`` or ``system``.
        functions: The library, with typed functions that keep the GIL.
    """

    path: str
    version: str
    origin: str
    functions: ctypes.PyDLL = field(repr=False, compare=False)


@functools.lru_cache(maxsize=8)
def find_libopus(path: str | None = None) -> LibOpus:
    """Return the libopus at ``path`` if given, else the first one from packages that loads.

    PyAV's is tried first: it is recent and part of every installation. PyAV itself is not
    imported.

    Raises:
        SetupError: No libopus was found, or the one at ``path`` cannot be used.
    """
    if path is not None:
        library = _load(path, "setting")
        if library is None:
            raise SetupError("The file named as libopus can't be loaded.")
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
                for path in sorted(Path(root, folder).resolve().glob(name)):
                    yield str(path), origin
    system = ctypes.util.find_library("opus")  # last: it may start a process to search
    if system is not None:
        yield system, "system"


def _load(path: str, origin: str) -> LibOpus | None:
    """Return the library with typed functions, or ``None`` if it is not a usable libopus."""
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
            ctypes.c_int,  # 1: decode the redundant copy of the previous packet, if present
        )
        version = functions.opus_get_version_string()
    except (OSError, AttributeError):  # no such file, not a library, or a symbol is missing
        return None
    return LibOpus(path, version.decode("ascii", "replace"), origin, functions)


def packet_samples(packet: OpusPacket) -> int:
    """Return the packet's length in 16 kHz samples, as its header states (RFC 6716 §3.1, §3.2).

    Raises:
        AudioError: It is empty, has no frames, or claims more than 120 ms.
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
    """Decode one stream of Opus packets to 16 kHz mono PCM16, in order.

    Report lost packets with :meth:`conceal`, so that the decoder continues smoothly and the clock
    stays right. The output is delayed by 6.5 ms, as with every Opus decoder that does not apply a
    container's pre-skip. A damaged packet raises an error and leaves the decoder usable. Not
    thread-safe.

    Args:
        library: From :func:`find_libopus`.
    """

    def __init__(self, library: LibOpus) -> None:
        self._functions = library.functions
        # The state is in memory that Python owns: nothing to free or leak.
        size_bytes = self._functions.opus_decoder_get_size(1)
        self._memory = ctypes.create_string_buffer(size_bytes + _STATE_ALIGNMENT_BYTES)
        address = ctypes.addressof(self._memory)
        self._state = address + -address % _STATE_ALIGNMENT_BYTES
        self._pcm = np.empty(MAX_PACKET_SAMPLES, np.int16)
        self._pcm_address = self._pcm.ctypes.data
        self._initial_state = _initial_state(library)
        self.reset()

    def reset(self) -> None:
        """Discard the state: the next packet starts a new stream."""
        ctypes.memmove(self._state, self._initial_state, len(self._initial_state))

    def decode(self, packet: OpusPacket) -> Pcm16:
        """Return the packet's audio: int16, shape [samples], 40 to 1920 samples.

        Raises:
            AudioError: It is empty, too large or damaged.
        """
        return self._decode(_checked(packet), MAX_PACKET_SAMPLES)

    def conceal(self, samples: int) -> Pcm16:
        """Return an estimate of lost audio from what precedes it, usable for about 100 ms.

        Args:
            samples: Length of the loss: a multiple of 40, at most 1920.
        """
        if not 0 < samples <= MAX_PACKET_SAMPLES or samples % CONCEAL_STEP_SAMPLES:
            raise ValueError(f"can't conceal {samples} samples: not a multiple of 40 in 40..1920")
        return self._decode(None, samples)

    def _decode(self, packet: OpusPacket | None, room_samples: int) -> Pcm16:
        size_bytes = 0 if packet is None else len(packet)
        samples = self._functions.opus_decode(
            self._state, packet, size_bytes, self._pcm_address, room_samples, _NO_FEC
        )
        if samples < 0:
            reason = _error_text(self._functions, samples)
            raise AudioError(f"An Opus packet can't be decoded: {reason}.")
        return self._pcm[:samples].copy()


@functools.lru_cache(maxsize=8)
def _initial_state(library: LibOpus) -> bytes:
    """Return the memory of a decoder in its initial state.

    A copy of it is a decoder ("The decoder state is always continuous in memory and only a shallow
    copy is sufficient to copy it", opus.h). ``opus_decoder_init`` detects the CPU's features on
    each call, which takes 50 µs in a virtual machine; a copy takes 1 µs.
    """
    size_bytes = library.functions.opus_decoder_get_size(1)
    memory = ctypes.create_string_buffer(size_bytes + _STATE_ALIGNMENT_BYTES)
    state = ctypes.addressof(memory)
    state += -state % _STATE_ALIGNMENT_BYTES
    result = library.functions.opus_decoder_init(state, SAMPLE_RATE_HZ, 1)
    if result != _OPUS_OK:
        reason = _error_text(library.functions, result)
        raise SetupError(f"libopus can't create a decoder: {reason}.")
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
