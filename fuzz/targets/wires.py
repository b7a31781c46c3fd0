"""The wires of a live session: ``[format][options][messages]``, messages as steps of a script."""

from collections.abc import Iterator
from functools import partial
from itertools import chain
from random import Random
from struct import pack as packed

from auricle.audio.opus import find_libopus
from auricle.protocol.framing import pack
from auricle.session.wire_formats.base import Audio, Lost, StreamCounts, WireFormat
from auricle.session.wire_formats.container import ContainerWire
from auricle.session.wire_formats.opus import MAX_GAP_S, OpusWire
from auricle.session.wire_formats.pcm import PcmWire
from auricle.values.commands import StreamParameters
from auricle.values.errors import (
    AudioError,
    LocalProtocolError,
    RemoteProtocolError,
    UnsupportedFormat,
)
from auricle.values.events import SwitchFormat, Warned, Wire
from auricle.values.types import SAMPLE_RATE_HZ, OpusPacket
from fuzz.checks import pieces
from fuzz.grammars import (
    join_elements,
    join_packets,
    join_pages,
    join_steps,
    split_elements,
    split_packets,
    split_pages,
    split_steps,
)
from fuzz.material import PACKETS
from fuzz.mutation import Grammar, blind
from fuzz.target import Blind, Target
from tests.support.containers import ogg_stream, webm_stream

MODULES = (
    "auricle.session.wire_formats.opus",
    "auricle.session.wire_formats.container",
    "auricle.session.wire_formats.pcm",
    "auricle.session.wire_formats.packets",
)
_FORMATS = (Wire.OPUS, Wire.OPUS_MESSAGE, Wire.PCM16, Wire.OGG, Wire.WEBM)
_STREAMS = (Wire.OPUS, Wire.OGG, Wire.WEBM)
_RATES_HZ = (8000, 16_000, 24_000, 44_100, 48_000, 96_000)
_MAX_MESSAGES = 8
_MAX_GAP_SAMPLES = MAX_GAP_S * SAMPLE_RATE_HZ
_LIBRARY = find_libopus()


def _parameters(data: bytes) -> StreamParameters:
    return StreamParameters(
        format=(format := _FORMATS[data[0] % len(_FORMATS)]),
        seq=bool(data[1] & 1),
        channels=1 + (data[1] >> 1 & 1),
        multichannel=format is Wire.PCM16 and data[0] >= 128,
        sample_rate=_RATES_HZ[(data[1] >> 2) % len(_RATES_HZ)],
    )


def _wire(parameters: StreamParameters, counts: StreamCounts) -> WireFormat:
    match parameters.format:
        case Wire.PCM16:
            return PcmWire(parameters, 0)
        case Wire.OGG | Wire.WEBM:
            return ContainerWire(_LIBRARY, parameters, counts)
        case _:
            return OpusWire(_LIBRARY, parameters, counts)


def _decoded(parameters: StreamParameters, messages: Iterator[bytes]) -> object:
    """Return what is decoded, and the fault if there is one."""
    counts = StreamCounts()
    wire = _wire(parameters, counts)
    sound = bytearray()
    notices: list[object] = []
    lost_samples = 0
    fault: object = None
    try:
        for message in messages:
            wire.receive_data(message)
            for item in iter(wire.next_decoded, None):
                match item:
                    case Audio(pcm):
                        assert pcm.shape[-1] <= SAMPLE_RATE_HZ, "more than a second at once"
                        sound += pcm.T.tobytes()
                    case Lost(samples, pcm):
                        assert pcm.size <= samples <= _MAX_GAP_SAMPLES, "a gap of more than an hour"
                        lost_samples += samples
                    case Warned() | SwitchFormat():
                        notices.append(item)
        rest = wire.finish()
        sound += rest.pcm.T.tobytes() if isinstance(rest, Audio) else b""
    except (RemoteProtocolError, AudioError, UnsupportedFormat) as error:
        fault = type(error), str(error)
    assert counts.decode_errors <= counts.packets
    return bytes(sound), notices, lost_samples, counts, fault


def run(data: bytes) -> None:
    """Decode messages; in a stream of bytes it makes no difference where they are cut."""
    if len(data) < 2:
        return
    parameters = _parameters(data)
    messages = [step[1:] for step in split_steps(data[2:])[:_MAX_MESSAGES]]
    try:
        whole = _decoded(parameters, iter(messages))
        if parameters.format in _STREAMS or (
            parameters.format is Wire.PCM16 and not parameters.seq
        ):
            parted = _decoded(parameters, chain.from_iterable(map(pieces, messages)))
            assert whole == parted, "another split gives something else"
    except LocalProtocolError as error:
        raise AssertionError("a client can make us do what we must not") from error


def _numbered(packet: OpusPacket, seq: int) -> bytes:
    return packet + packed("<I", seq)


def seeds() -> Iterator[bytes]:
    """Give good streams in each format, with gaps and repetitions where there can be any."""
    framed = b"".join(map(pack, PACKETS))
    numbered = b"".join(pack(packet, n) for n, packet in zip((5, 6, 9, 9), PACKETS, strict=False))
    singles = [_numbered(packet, n) for n, packet in zip((5, 6, 9, 9), PACKETS, strict=False)]
    pcm = [packed("<Q", at) + bytes(80) for at in (0, 40, 100, 60)]
    streams: list[tuple[int, int, list[bytes]]] = [
        (0, 0, [framed]),
        (0, 1, [numbered, numbered]),
        (1, 0, list(PACKETS)),
        (1, 1, singles),
        (2, 0b1_00, [bytes(99), bytes(1), bytes(300)]),
        (2, 0b100_11, pcm),
        (3, 0, [ogg_stream(PACKETS[:2])]),
        (4, 0, [webm_stream(PACKETS[:2])]),
        (0, 0, [pack(OpusPacket(b"\xff\xff"))] * 8),
    ]
    for format, options, messages in streams:
        yield bytes([format, options]) + join_steps([b"\0" + message for message in messages])


_CONTENTS = {
    Wire.OPUS: Grammar(split_packets, join_packets),
    Wire.OGG: Grammar(split_pages, join_pages),
    Wire.WEBM: Grammar(split_elements, join_elements),
}


def _change(format: Wire, record: bytes, rng: Random, change: Blind) -> bytes:
    grammar = _CONTENTS.get(format)
    mutate = blind if grammar is None else grammar.mutate
    return record[:1] + mutate(record[1:], rng, change)


def _mutate(data: bytes, rng: Random, change: Blind) -> bytes:
    if len(data) < 2 or rng.random() < 0.1:
        return change(data)
    change_record = partial(_change, _parameters(data).format)
    messages = Grammar(split_steps, join_steps, change_record)
    return data[:2] + messages.mutate(data[2:], rng, change)


TARGET = Target(run, seeds, _mutate, max_bytes=700, loop_bytes=2**16)
