"""Framed packets: ``[flags][stream]``; bit 0 of the flags: packets are numbered."""

from collections.abc import Iterable, Iterator
from random import Random

from auricle.protocol.framing import PacketFramer, pack
from auricle.values.errors import RemoteProtocolError
from auricle.values.limits import MAX_PACKET_BYTES
from fuzz.checks import same_in_any_split
from fuzz.grammars import join_packets, split_packets
from fuzz.material import PACKETS
from fuzz.mutation import Grammar
from fuzz.target import Blind, Target

MODULES = ("auricle.protocol.framing",)
_MAX_HELD_BYTES = 2 + MAX_PACKET_BYTES + 4

Outcome = tuple[list[bytes], str | None]


def _pull(framer: PacketFramer, wire: list[bytes], *, with_seq: bool) -> None:
    while True:
        if with_seq:
            numbered = framer.next_numbered_packet()
            if numbered is None:
                break
            wire.append(pack(numbered.packet, numbered.seq))
        else:
            packet = framer.next_packet()
            if packet is None:
                break
            wire.append(pack(packet))
    assert framer.buffered_bytes < _MAX_HELD_BYTES, "more than one packet is held"


def _outcome(chunks: Iterable[bytes], *, with_seq: bool) -> Outcome:
    framer = PacketFramer(with_seq=with_seq)
    wire: list[bytes] = []
    try:
        for chunk in chunks:
            framer.receive_data(chunk)
            _pull(framer, wire, with_seq=with_seq)
        framer.receive_eof()
        _pull(framer, wire, with_seq=with_seq)
    except RemoteProtocolError as error:
        _check_dead(framer, str(error))
        return wire, str(error)
    return wire, None


def _check_dead(framer: PacketFramer, reason: str) -> None:
    for _ in range(2):
        try:
            framer.next_packet()
        except RemoteProtocolError as error:
            assert str(error) == reason, "the fault has become another"
        else:
            raise AssertionError("it lives on after a fault")
        assert not framer.buffered_bytes, "bytes are held after a fault"


def run(data: bytes) -> None:
    """Cut, and frame what was cut again."""
    with_seq, stream = bool(data[:1] and data[0] & 1), data[1:]
    wire, fault = same_in_any_split(lambda chunks: _outcome(chunks, with_seq=with_seq), stream)
    packed = b"".join(wire)
    assert stream.startswith(packed), "packets are not what was sent"
    assert fault is not None or packed == stream, "bytes are missing without an error"


def seeds() -> Iterator[bytes]:
    """Give real packets, numbered and not."""
    yield b"\0" + join_packets(PACKETS)
    yield b"\1" + b"".join(pack(packet, 2**32 - 3 + n) for n, packet in enumerate(PACKETS))


_GRAMMAR = Grammar(split_packets, join_packets)


def _mutate(data: bytes, rng: Random, change: Blind) -> bytes:
    return data[:1] + _GRAMMAR.mutate(data[1:], rng, change)


TARGET = Target(run, seeds, _mutate, loop_bytes=2**20)
