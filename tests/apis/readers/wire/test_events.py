import json

import pytest

from auricle.apis.readers.wire.events import (
    Ended,
    KeepAlive,
    encode_feed_event,
    encode_start,
)
from auricle.values.events import Final, Partial

pytestmark = pytest.mark.unit

FINAL = Final(3, 4, "line\none & <two>", 16_000, 32_000, "en", None, 310.0, False)


def fields(event: bytes) -> dict[str, str]:
    assert event.endswith(b"\n\n")
    lines = event.decode().removesuffix("\n\n").split("\n")
    return dict(line.split(": ", 1) for line in lines)


def test_an_event_is_a_message_of_the_native_protocol_on_one_line() -> None:
    sent = fields(encode_feed_event(7, FINAL))
    assert sent["id"] == "7"
    message = json.loads(sent["data"])
    assert (message["type"], message["text"], message["start_s"]) == ("final", FINAL.text, 1.0)
    partial = json.loads(fields(encode_feed_event(8, Partial(5, "so", "me", 0, 1600)))["data"])
    assert (partial["stable"], partial["unstable"]) == ("so", "me")


def test_the_last_event_says_why() -> None:
    sent = fields(encode_feed_event(9, Ended("draining")))
    assert json.loads(sent["data"]) == {"type": "ended", "reason": "draining"}


def test_a_comment_keeps_the_connection_and_has_no_number() -> None:
    assert encode_feed_event(9, KeepAlive()).startswith(b":")
    assert b"id" not in encode_feed_event(9, KeepAlive())


def test_a_stream_begins_with_the_session() -> None:
    sent = fields(encode_start("a-1f", "native", 1_700_000_000.12345))
    assert sent["retry"] == "2000"
    assert json.loads(sent["data"]) == {
        "type": "session",
        "session": "a-1f",
        "source": "native",
        "started_at": 1_700_000_000.123,
    }
