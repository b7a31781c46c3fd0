"""The items of sessions with random faults."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.apis.openai_realtime.wire.config import RealtimeConfig
from auricle.apis.openai_realtime.wire.live import RealtimeDialect
from auricle.protocol.dialect import End
from auricle.values.events import (
    Final,
)
from tests.session.test_live_properties import FATES, ORDERS, Fate, obey

pytestmark = pytest.mark.unit


@settings(max_examples=20)
@given(orders=ORDERS, fates=st.lists(FATES, max_size=40))
def test_every_word_is_reported_once_and_every_flush_answered(
    orders: list[tuple[float, str]], fates: list[Fate]
) -> None:
    events = obey(orders, fates)
    # Speech that a flush leaves is doubtful, and the fake model has low word probabilities.
    words = [event.text for event in events if isinstance(event, Final) and event.text]
    flushes = [what for _, what in orders].count("flush")
    realtime = RealtimeDialect("name", RealtimeConfig(turn_detection=None))
    messages = [message for event in events for message in map(json.loads, realtime.encode(event))]
    messages += map(json.loads, realtime.closing_messages(End("done", 1000)).texts)
    ids: dict[str, list[str]] = {"committed": [], "completed": []}
    deltas: dict[str, str] = {}
    said: list[str] = []
    for message in messages:
        verb = message["type"].rpartition(".")[2]
        if verb in ids:
            ids[verb].append(message["item_id"])
        if verb == "delta":
            item = message["item_id"]
            deltas[item] = deltas.get(item, "") + message["delta"]
        if verb == "completed":
            assert message["transcript"] == deltas.get(message["item_id"], "")
            said += message["transcript"].split()
    assert sorted(ids["completed"]) == sorted(ids["committed"])  # silence is completed at once
    assert len(ids["committed"]) in (flushes, flushes + 1)  # the uncommitted item comes last
    has_discards = "discard" in [what for _, what in orders]  # of ended utterances too
    assert has_discards or said == words
