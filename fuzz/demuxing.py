"""What holds for every demuxer."""

from collections.abc import Callable, Iterable

from auricle.audio.demux.feed import PushDemuxer
from auricle.values.errors import AuricleError, RemoteProtocolError, UnsupportedFormat
from auricle.values.limits import MAX_PACKET_BYTES

Outcome = tuple[list[object], object]


def demuxed(make: Callable[[], PushDemuxer], size_bytes: int, chunks: Iterable[bytes]) -> Outcome:
    """Return the packets, and the fault if there is one; neither may be more than was sent."""
    demuxer = make()
    packets: list[object] = []
    packet_bytes = 0
    try:
        for chunk in (*chunks, None):
            if chunk is None:
                demuxer.receive_eof()
            else:
                demuxer.receive_data(chunk)
            for found in iter(demuxer.next_packet, None):
                packets.append(found)
                packet_bytes += len(found.packet)
                assert 0 < len(found.packet) <= MAX_PACKET_BYTES
                assert found.skip_samples >= 0
                assert found.channels in (1, 2)
        fault = None
    except (RemoteProtocolError, UnsupportedFormat) as error:
        fault = (type(error), str(error))
        _check_dead(demuxer, fault)
    assert packet_bytes <= size_bytes, "more comes out than went in"
    return packets, fault


def _check_dead(demuxer: PushDemuxer, fault: tuple[type, str]) -> None:
    for _ in range(2):
        try:
            demuxer.next_packet()
        except AuricleError as error:
            assert (type(error), str(error)) == fault, "the fault has become another"
        else:
            raise AssertionError("it lives on after a fault")
