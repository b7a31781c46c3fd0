from stt_resilience.cases.base import connection_line, delay_line, words_line
from stt_resilience.client import Event, Take
from stt_resilience.words import count


def test_only_what_happened_to_words_is_said() -> None:
    assert words_line(count("a b c", "a b c", "a b c")) == "no word lost of 3"
    assert words_line(count("a b c", "a b c", "a x"), "neighbour: ") == (
        "neighbour: 1 lost, 1 changed of 3"
    )


def test_an_utterance_without_a_final_is_counted_separately() -> None:
    assert delay_line([2.0, None, 1.0, 4.0]) == "delay p50 2.0 s, max 4.0 s, 1 never"
    assert delay_line([None]) == "no final"


def test_a_connection_that_was_resumed_is_said_with_its_failed_attempts() -> None:
    assert connection_line(Take(events=[Event(0, "opened"), Event(9, "complete")])) == ""
    events = [Event(0, "opened"), Event(5.0, "lost", "reset"), Event(5.5, "unreachable")]
    events += [Event(6.0, "unreachable"), Event(6.5, "refused", "HTTP 503"), Event(8.0, "resumed")]
    assert connection_line(Take(events=events)) == (
        "connection lost: reset; resumed after 3.0 s; unreachable 2 times; refused: HTTP 503"
    )
    events[-1] = Event(9.0, "opened")
    assert "new session after 4.0 s" in connection_line(Take(events=events))
