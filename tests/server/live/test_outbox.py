import pytest

from auricle.protocol.dialect import OutboundItem, Reply
from auricle.server.live.outbox import MAX_EVENTS, MAX_WAITING, SLOW, Outbox
from auricle.values.events import (
    AudioProgress,
    Event,
    Final,
    Partial,
    SpeechEnded,
    SpeechStarted,
    SwitchFormat,
    Wire,
)

pytestmark = pytest.mark.unit


def final(number: int) -> Final:
    return Final(number, number, "text", 0, 16_000, "en", None, 300.0, False)


def partial(utterance: int, text: str = "so") -> Partial:
    return Partial(utterance, text, "", 0, 16_000)


def drained(outbox: Outbox) -> list[OutboundItem]:
    return list(iter(outbox.next_event, None))


def filled(*events: Event) -> Outbox:
    outbox = Outbox()
    for event in events:
        outbox.put(event)
    return outbox


def test_events_come_out_in_their_order() -> None:
    events: list[Event] = [
        SpeechStarted(0),
        partial(1),
        SpeechEnded(9),
        final(1),
        AudioProgress(10, 9),
    ]
    outbox = Outbox()
    told: list[OutboundItem] = []
    for event in events:
        outbox.put(event)
        told += drained(outbox)
    assert told == events
    assert drained(filled(*events[2:])) == events[2:]


def test_only_the_newest_partial_waits_and_the_client_is_warned_once() -> None:
    outbox = filled(*(partial(1, f"guess {number}") for number in range(5)))
    assert drained(outbox) == [SLOW, partial(1, "guess 4")]
    assert outbox.dropped_partials == 4
    outbox.put(partial(1, "later"))
    assert drained(outbox) == [partial(1, "later")]


def test_a_final_replaces_its_partial_but_not_that_of_a_later_utterance() -> None:
    assert drained(filled(partial(1), final(1))) == [final(1)]
    assert drained(filled(partial(2), final(1))) == [partial(2), final(1)]


def test_only_the_newest_marks_wait_and_never_before_their_final() -> None:
    outbox = filled(
        AudioProgress(1, 0), final(1), AudioProgress(2, 1), final(2), AudioProgress(3, 2)
    )
    assert drained(outbox) == [final(1), final(2), AudioProgress(3, 2)]


def test_news_that_can_be_done_without_is_left_out_when_much_waits() -> None:
    outbox = filled(*map(final, range(MAX_WAITING)), SpeechStarted(1), SpeechEnded(2))
    switch = SwitchFormat(Wire.PCM16, "why")
    outbox.put(switch)
    assert drained(outbox) == [*map(final, range(MAX_WAITING)), switch]


def test_results_are_never_left_out_silently() -> None:
    outbox = Outbox()
    outbox.limit()
    for number in range(MAX_EVENTS):
        outbox.put(final(number))
    assert not outbox.is_overrun
    outbox.put(final(MAX_EVENTS))
    assert outbox.is_overrun


def test_finals_that_are_sent_again_don_t_count() -> None:
    outbox = filled(*map(final, range(3 * MAX_EVENTS)))
    outbox.limit()
    assert not outbox.is_overrun
    for number in range(MAX_EVENTS + 1):
        outbox.put(final(number))
    assert outbox.is_overrun


def test_essential_events_are_kept_for_clients() -> None:
    outbox = Outbox(keeps_all=True)
    events = [SpeechStarted(number) for number in range(MAX_WAITING + 10)]
    for event in events:
        outbox.put(event)
    outbox.put(Reply(("text",)))
    assert drained(outbox) == [*events, Reply(("text",))]
