import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.apis.wyoming.wire.framing import (
    MAX_DATA_BYTES,
    MAX_LINE_BYTES,
    MAX_PAYLOAD_BYTES,
    EventFramer,
    WyomingEvent,
    pack_event,
)
from auricle.values.errors import AuricleError, RemoteProtocolError, TooLarge
from tests.apis.wyoming.service import event, read

pytestmark = pytest.mark.unit

EVENTS = st.lists(
    st.builds(
        WyomingEvent,
        type=st.text(min_size=1, max_size=8),
        data=st.dictionaries(st.text(max_size=5), st.integers(0, 99) | st.text(max_size=9)),
        payload=st.binary(max_size=40),
    ),
    max_size=5,
)


def received(chunks: list[bytes]) -> tuple[list[WyomingEvent], str | None]:
    """Feed the chunks; return the events and the error code."""
    framer = EventFramer()
    events: list[WyomingEvent] = []
    try:
        for chunk in chunks:
            framer.receive_data(chunk)
            events.extend(iter(framer.next_event, None))
    except AuricleError as error:
        return events, error.code
    return events, None


@given(EVENTS, st.data())
def test_events_come_out_as_they_went_in_however_they_are_cut(
    events: list[WyomingEvent], data: st.DataObject
) -> None:
    wire = b"".join(event(e.type, e.data, e.payload) for e in events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=9)))
    chunks = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    assert received(chunks) == (events, None)


def test_one_byte_after_the_other_does_as_well() -> None:
    wire = event("audio-chunk", {"rate": 16_000}, b"\n{}\n") + event("audio-stop")
    assert received([bytes([byte]) for byte in wire]) == received([wire])
    assert [e.type for e in received([wire])[0]] == ["audio-chunk", "audio-stop"]


@given(st.binary(max_size=200))
def test_noise_is_an_event_or_a_fault_of_the_peer_s_and_nothing_else(noise: bytes) -> None:
    events, code = received([noise])
    assert code in (None, "protocol_error", "too_large")
    assert all(isinstance(found, WyomingEvent) for found in events)


def test_data_may_stand_in_the_line_and_what_is_behind_it_wins() -> None:
    body = b'{"b":3}'
    line = {"type": "x", "data": {"a": 1, "b": 2}, "data_length": len(body)}
    assert read(json.dumps(line).encode() + b"\n" + body) == [WyomingEvent("x", {"a": 1, "b": 3})]
    nulls = b'{"type":"x","data":null,"data_length":null,"payload_length":null}\n'
    assert read(nulls) == [WyomingEvent("x")]


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/1.1",
        b"",
        b"[]",
        b'{"type":1}',
        b'{"data":{}}',
        b'{"type":"x","data":[]}',
        b'{"type":"x","data_length":-1}',
        b'{"type":"x","payload_length":"9"}',
        b'{"type":"x","payload_length":true}',
        b'{"type":"x","payload_length":1e99}',
        b'{"type":"\xff"}',
        # Deeper than any Python allows (3.13: 10,000), and within a line.
        b'{"type":"x","data":' + b'{"a":' * 10_500 + b"1" + b"}" * 10_501,
        b'{"type":"x","data_length":2}\n[]',
        b'{"type":"x","data_length":2}\n{',
    ],
)
def test_what_is_no_event_is_a_fault_and_what_came_before_it_counts(line: bytes) -> None:
    before = event("ping", {"text": "a"})
    events, code = received([before + line + b"\n"])
    assert (events, code) == ([WyomingEvent("ping", {"text": "a"})], "protocol_error")


def test_lengths_are_not_trusted() -> None:
    for header, limit in (("data_length", MAX_DATA_BYTES), ("payload_length", MAX_PAYLOAD_BYTES)):
        framer = EventFramer()
        framer.receive_data(json.dumps({"type": "x", header: limit}).encode() + b"\n")
        assert framer.next_event() is None
        framer = EventFramer()
        framer.receive_data(json.dumps({"type": "x", header: limit + 1}).encode() + b"\n")
        with pytest.raises(TooLarge, match=header):
            framer.next_event()


def test_a_line_that_never_ends_is_not_waited_for() -> None:
    framer = EventFramer()
    framer.receive_data(b"{" * MAX_LINE_BYTES)
    assert framer.next_event() is None
    framer.receive_data(b"{")
    with pytest.raises(TooLarge, match="line"):
        framer.next_event()


def test_our_messages_are_decoded_as_encoded() -> None:
    assert read(pack_event("pong")) == [WyomingEvent("pong")]
    told = {"text": "grüß dich\n", "language": "de"}
    assert read(pack_event("transcript", told)) == [WyomingEvent("transcript", told)]


def test_half_of_a_character_is_a_fault() -> None:
    with pytest.raises(RemoteProtocolError):
        read(b'{"type":"ping","data":{"text":"\\ud800"}}\n')
