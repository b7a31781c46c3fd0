import msgspec
import pytest

from auricle.values.types import Segment, Transcript
from auricle.workers.kinds.asr.messages import FROM_CHILD, BatchDone, JobDone
from auricle.workers.wire.framing import LENGTH, decode, pack
from auricle.workers.wire.messages import WorkDone

pytestmark = pytest.mark.unit

SEGMENT = Segment(0, 800, " Hi")
BODY = pack(
    WorkDone(1, BatchDone((JobDone("a", Transcript(" Hi", "en", 0.9, 800, (SEGMENT,))),), 0.5))
)[LENGTH.size :]


def with_one_more_field(segment: bytes, value: bytes) -> bytes:
    """Return the segment as a map with a field that a later version might have."""
    assert 0x80 <= segment[0] < 0x8F, "a map of at most 14 fields"
    return bytes([segment[0] + 1]) + segment[1:] + msgspec.msgpack.encode("later") + value


def test_fields_of_later_versions_are_ignored() -> None:
    segment = msgspec.msgpack.encode(SEGMENT)
    body = BODY.replace(segment, with_one_more_field(segment, b"\xc0"))
    assert decode(FROM_CHILD, body) == decode(FROM_CHILD, BODY)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        pytest.param(b" Hi", b" \xcb!", id="no UTF-8"),
        pytest.param(
            msgspec.msgpack.encode(SEGMENT),
            with_one_more_field(msgspec.msgpack.encode(SEGMENT), b"\x91" * 100_000 + b"\xc0"),
            id="too deep",
        ),
    ],
)
def test_whatever_is_wrong_with_a_message_is_one_error(good: bytes, bad: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(FROM_CHILD, BODY.replace(good, bad))
