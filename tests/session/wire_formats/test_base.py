"""Properties that all wire formats share."""

from collections.abc import Callable

import pytest

from auricle.audio.opus import find_libopus
from auricle.session.wire_formats.base import StreamCounts, WireFormat
from auricle.session.wire_formats.container import ContainerWire
from auricle.session.wire_formats.opus import OpusWire
from auricle.session.wire_formats.pcm import PcmWire
from auricle.values.commands import StreamParameters
from auricle.values.events import Wire

pytestmark = pytest.mark.unit

OPUS, PCM, OGG, WEBM = (
    StreamParameters(format=wire) for wire in (Wire.OPUS, Wire.PCM16, Wire.OGG, Wire.WEBM)
)
MAKERS: list[Callable[[], WireFormat]] = [
    lambda: OpusWire(find_libopus(), OPUS, StreamCounts()),
    lambda: PcmWire(PCM, 0),
    lambda: ContainerWire(find_libopus(), OGG, StreamCounts()),
    lambda: ContainerWire(find_libopus(), WEBM, StreamCounts()),
]


@pytest.mark.parametrize("make", MAKERS, ids=["opus", "pcm16", "ogg", "webm"])
def test_every_format_is_silent_until_it_has_data_and_holds_nothing_back_at_its_end(
    make: Callable[[], WireFormat],
) -> None:
    wire = make()
    assert wire.next_decoded() is None
    wire.receive_data(b"")
    assert wire.next_decoded() is None
    assert wire.finish() is None
    wire.reconnect()
    assert wire.next_decoded() is None
    assert wire.received_seq is None
    assert not wire.is_resumable
