"""Deepgram's results of sessions with random faults."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.apis.deepgram.wire.live import DeepgramDialect
from auricle.apis.deepgram.wire.query import parse_listen
from auricle.apis.deepgram.wire.results import ModelInfo
from auricle.values.events import Final
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
    asked = parse_listen({"punctuate": "true"}.items())
    deepgram = DeepgramDialect(
        asked, request_id="", created="", model=ModelInfo("base", "1", "whisper")
    )
    results = [
        message
        for event in events
        for message in map(json.loads, deepgram.encode(event))
        if message["type"] == "Results" and message["is_final"]
    ]
    texts = [result["channel"]["alternatives"][0]["transcript"] for result in results]
    assert [text for text in texts if text] == words
    assert sum(result["from_finalize"] for result in results) == flushes
    for one, next_one in pairwise(results):
        assert one["start"] + one["duration"] <= next_one["start"] + 0.002  # all three are rounded
