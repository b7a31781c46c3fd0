"""What seeds are made of."""

from auricle.values.types import OpusPacket
from fuzz.grammars import split_packets
from tests.support.clips import TESTDATA

PACKETS = [
    OpusPacket(packet)
    for packet in split_packets((TESTDATA / "fellow.opus-packets").read_bytes())[60:66]
]
"""Speech, 20 ms each."""
