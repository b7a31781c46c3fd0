import msgspec
import pytest

from auricle.workers.wire.framing import LENGTH, decode, pack

pytestmark = pytest.mark.unit


class Note(msgspec.Struct):
    text: str


DECODER = msgspec.msgpack.Decoder(Note)


def test_a_message_follows_its_length() -> None:
    packed = pack(Note("hello"))
    assert LENGTH.unpack_from(packed) == (len(packed) - LENGTH.size,)
    assert decode(DECODER, memoryview(packed)[LENGTH.size :]) == Note("hello")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x81\xa4text\xa1\xc3", id="no UTF-8"),
        pytest.param(b"\x81\xa4more" + b"\x91" * 100_000, id="too deep"),
        pytest.param(b"\x81\xa4text\x01", id="a wrong type"),
    ],
)
def test_whatever_is_wrong_with_a_body_is_one_error(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(DECODER, body)
