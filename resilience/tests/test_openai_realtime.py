import json
from typing import Any

import pytest

from stt_resilience.drivers.base import Refused, Text
from stt_resilience.drivers.openai_realtime import OpenAiRealtimeCodec

DONE = "conversation.item.input_audio_transcription.completed"


def received(codec: OpenAiRealtimeCodec, kind: str, **fields: Any) -> list[Text]:
    return list(codec.receive(json.dumps({"type": kind} | fields)))


def test_items_that_are_answered_in_another_order_keep_theirs() -> None:
    codec = OpenAiRealtimeCodec("", {})
    for item in "ab":
        received(codec, "input_audio_buffer.committed", item_id=item)
    later = received(codec, DONE, item_id="b", transcript="two")
    first = received(codec, DONE, item_id="a", transcript="one")
    assert [each.text for each in sorted(later + first, key=lambda each: each.order)] == [
        "one",
        "two",
    ]


def test_a_session_without_audio_to_commit_is_complete_with_the_text_before() -> None:
    codec = OpenAiRealtimeCodec("", {})
    received(codec, "session.updated")
    received(codec, "input_audio_buffer.committed", item_id="a")
    codec.ending()
    received(codec, "error", error={"code": "input_audio_buffer_commit_empty", "message": ""})
    assert not codec.is_complete
    received(codec, DONE, item_id="a", transcript="one")
    assert codec.is_complete


def test_a_commit_at_the_end_may_be_that_of_a_pause_before_it() -> None:
    codec = OpenAiRealtimeCodec("", {})
    received(codec, "session.updated")
    codec.ending()
    assert codec.quiet_s > 0
    for item in "ab":
        received(codec, "input_audio_buffer.committed", item_id=item)
        assert codec.quiet_s == 0
        received(codec, DONE, item_id=item, transcript="one")
        assert (codec.is_complete, codec.quiet_s > 0) == (False, True)


def test_an_error_before_the_session_is_a_refusal() -> None:
    with pytest.raises(Refused, match="no_model"):
        received(OpenAiRealtimeCodec("", {}), "error", error={"code": "no_model", "message": "x"})
