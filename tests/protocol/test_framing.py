import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.protocol.framing import NumberedPacket, PacketFramer, pack
from auricle.values.errors import LocalProtocolError, RemoteProtocolError
from auricle.values.limits import MAX_PACKET_BYTES
from auricle.values.types import OpusPacket
from tests.support.clips import TESTDATA

pytestmark = pytest.mark.unit

VECTORS: list[dict[str, Any]] = json.loads((TESTDATA / "wire_vectors.json").read_text())
FAULTS = {"length": "Invalid packet length", "truncated": "ends"}
PACKETS = st.binary(min_size=1, max_size=40).map(OpusPacket)
SEQS = st.integers(0, 2**32 - 1)

Received = list[OpusPacket | NumberedPacket]


def pull(framer: PacketFramer, with_seq: bool) -> Iterator[OpusPacket | NumberedPacket]:
    while True:
        packet = framer.next_numbered_packet() if with_seq else framer.next_packet()
        if packet is None:
            return
        yield packet


def receive(chunks: list[bytes], with_seq: bool = False) -> tuple[Received, str | None]:
    """Feed the chunks and the end; return the packets and the error message."""
    framer = PacketFramer(with_seq=with_seq)
    packets: Received = []
    try:
        for chunk in chunks:
            framer.receive_data(chunk)
            packets.extend(pull(framer, with_seq))
        framer.receive_eof()
        packets.extend(pull(framer, with_seq))
    except RemoteProtocolError as exc:
        return packets, str(exc)
    return packets, None


def expected(vector: dict[str, Any]) -> Received:
    return [
        NumberedPacket(OpusPacket(bytes.fromhex(entry["payload"])), entry["seq"])
        if vector["with_seq"]
        else OpusPacket(bytes.fromhex(entry["payload"]))
        for entry in vector["packets"]
    ]


def bytewise(wire: bytes) -> list[bytes]:
    return [wire[at : at + 1] for at in range(len(wire))]


@pytest.mark.parametrize("split", [lambda wire: [wire], bytewise], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_the_wire_format_is_pinned(vector: dict[str, Any], split: Any) -> None:
    packets, fault = receive(split(bytes.fromhex(vector["wire"])), vector["with_seq"])
    assert packets == expected(vector)
    if vector["fault"] is None:
        assert fault is None
    else:
        assert fault is not None
        assert FAULTS[vector["fault"]] in fault


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if v["fault"] is None], ids=lambda v: v["name"]
)
def test_packing_gives_exactly_the_pinned_bytes(vector: dict[str, Any]) -> None:
    packed = b"".join(
        pack(OpusPacket(bytes.fromhex(entry["payload"])), entry.get("seq"))
        for entry in vector["packets"]
    )
    assert packed.hex() == vector["wire"]


@given(
    numbered=st.lists(st.builds(NumberedPacket, PACKETS, SEQS), max_size=8),
    with_seq=st.booleans(),
    data=st.data(),
)
def test_any_split_gives_the_same_packets(
    numbered: list[NumberedPacket], with_seq: bool, data: st.DataObject
) -> None:
    stream = b"".join(pack(p.packet, p.seq if with_seq else None) for p in numbered)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=20).map(sorted))
    chunks = [stream[a:b] for a, b in pairwise([0, *cuts, len(stream)])]
    packets, fault = receive(chunks, with_seq)
    assert fault is None
    assert packets == (numbered if with_seq else [p.packet for p in numbered])


@given(stream=st.binary(max_size=300), with_seq=st.booleans())
def test_garbage_is_cut_or_blamed_on_the_peer_alike_in_any_split(
    stream: bytes, with_seq: bool
) -> None:
    assert receive([stream], with_seq) == receive(bytewise(stream), with_seq)


@given(packets=st.lists(PACKETS, min_size=1, max_size=5), with_seq=st.booleans(), data=st.data())
def test_truncation_anywhere_but_between_packets_is_blamed(
    packets: list[OpusPacket], with_seq: bool, data: st.DataObject
) -> None:
    packed = [pack(p, 1 if with_seq else None) for p in packets]
    stream = b"".join(packed)
    ends = [0]
    for one in packed:
        ends.append(ends[-1] + len(one))
    cut = data.draw(st.integers(0, len(stream)))
    received, fault = receive([stream[:cut]], with_seq)
    assert len(received) == sum(end <= cut for end in ends) - 1
    assert (fault is None) == (cut in ends)


@pytest.mark.parametrize("length", [1, MAX_PACKET_BYTES - 1, MAX_PACKET_BYTES])
def test_packets_up_to_the_limit_pass(length: int) -> None:
    packet = OpusPacket(b"\x48" * length)
    assert receive([pack(packet)]) == ([packet], None)


@pytest.mark.parametrize("length", [0, MAX_PACKET_BYTES + 1, 0xFFFF])
def test_lengths_beyond_the_limits_are_refused_without_waiting_for_the_payload(length: int) -> None:
    framer = PacketFramer()
    framer.receive_data(length.to_bytes(2, "little"))
    with pytest.raises(RemoteProtocolError, match=f"length of {length} bytes"):
        framer.next_packet()


@pytest.mark.parametrize("length", [0, MAX_PACKET_BYTES + 1])
def test_packing_refuses_what_a_framer_would_refuse(length: int) -> None:
    with pytest.raises(LocalProtocolError, match=f"^Cannot frame a packet of {length} bytes"):
        pack(OpusPacket(bytes(length)))


def test_a_sequence_number_wraps_round() -> None:
    assert pack(OpusPacket(b"\x48"), 2**32 + 5) == pack(OpusPacket(b"\x48"), 5)


def test_a_broken_stream_stays_broken_and_holds_no_bytes() -> None:
    framer = PacketFramer()
    framer.receive_data(b"\x00\x00" + b"x" * 100)
    with pytest.raises(RemoteProtocolError):
        framer.next_packet()
    framer.receive_data(pack(OpusPacket(b"\x48")))
    assert framer.buffered_bytes == 0
    with pytest.raises(RemoteProtocolError, match="length of 0 bytes"):
        framer.next_packet()


def test_a_truncated_stream_stays_truncated() -> None:
    framer = PacketFramer()
    framer.receive_data(b"\x05")
    framer.receive_eof()
    for _ in range(2):
        with pytest.raises(RemoteProtocolError, match="ends 1 bytes"):
            framer.next_packet()


def test_no_more_than_one_incomplete_packet_is_held() -> None:
    wire = pack(OpusPacket(b"\x48" * MAX_PACKET_BYTES), 1) * 4
    framer = PacketFramer(with_seq=True)
    for start in range(0, len(wire), 1000):
        framer.receive_data(memoryview(wire)[start : start + 1000])
        list(pull(framer, with_seq=True))
        assert framer.buffered_bytes < 2 + MAX_PACKET_BYTES + 4


def test_data_after_the_end_is_our_own_mistake() -> None:
    framer = PacketFramer()
    framer.receive_eof()
    framer.receive_eof()
    with pytest.raises(LocalProtocolError, match="^receive_data.. after receive_eof..$"):
        framer.receive_data(b"")


def test_numbers_are_only_there_when_the_stream_has_them() -> None:
    with pytest.raises(LocalProtocolError, match="^next_numbered_packet.. without with_seq$"):
        PacketFramer().next_numbered_packet()


def test_numbered_streams_can_be_read_without_the_numbers() -> None:
    framer = PacketFramer(with_seq=True)
    framer.receive_data(pack(OpusPacket(b"\x48"), 9) * 2)
    assert [framer.next_packet() for _ in range(3)] == [b"\x48", b"\x48", None]


def test_a_chunk_of_many_packets_is_cut_in_linear_time() -> None:
    # Moving the rest of the buffer for each packet would move 4 * 10**12 bytes: the test would
    # exceed its timeout.
    count = 400_000
    framer = PacketFramer()
    framer.receive_data(pack(OpusPacket(b"\x48" * 50)) * count)
    assert sum(1 for _ in pull(framer, with_seq=False)) == count
