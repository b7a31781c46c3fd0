from collections.abc import Iterable
from dataclasses import replace

import pytest

from auricle.apis.readers.feed import (
    MAX_AT_ONCE,
    MAX_CHARACTERS,
    MAX_FINALS,
    MAX_RECENT,
    MAX_TOKEN_CHARACTERS,
    MAX_WITHDRAWN,
    SPARE_SEGMENTS,
    FeedCursor,
    SessionFeed,
)
from auricle.apis.readers.wire.events import FeedEvent
from auricle.values.errors import BadRequest, NotFound
from auricle.values.events import (
    AudioProgress,
    Final,
    FinalSpeakers,
    Partial,
    Ready,
    SpeakerRevision,
    SpeakerSegment,
    SpeechStarted,
)
from auricle.values.types import ANONYMOUS, SAMPLE_RATE_HZ, Speaker

pytestmark = pytest.mark.unit


def final(number: int, text: str = "") -> Final:
    at = number * SAMPLE_RATE_HZ
    return Final(
        number, number, text or f"final {number}.", at, at + 8000, "en", None, 300.0, False
    )


def partial(utterance: int, text: str = "so", channel: int | None = None) -> Partial:
    return Partial(utterance, text, "", 0, 16_000, channel)


def new_feed(start_sample: int = 0) -> SessionFeed:
    return SessionFeed("s1", ANONYMOUS, "native", 1_700_000_000.0, start_sample)


class Shown:
    """Encodes events as short texts, and counts how often."""

    def __init__(self) -> None:
        self.encoded = 0

    def __call__(self, number: int, event: FeedEvent) -> bytes:
        self.encoded += 1
        match event:
            case Final():
                return f"F{event.id} ".encode()
            case Partial():
                return f"{event.stable} ".encode()
            case _:
                return f"{type(event).__name__} ".encode()


def read(cursor: FeedCursor) -> list[str]:
    got = cursor.next_bytes()
    while cursor.is_behind:
        got += cursor.next_bytes()
    return got.decode().split()


def test_each_event_is_encoded_once_for_all_readers_and_not_without_any() -> None:
    feed, shown = new_feed(), Shown()
    feed.publish(partial(1))
    assert shown.encoded == 0
    cursors = [feed.cursor(shown, 0) for _ in range(100)]
    feed.publish(final(1))
    assert [read(cursor) for cursor in cursors] == [["F1"]] * 100
    assert shown.encoded == 1
    assert read(cursors[0]) == []


def test_what_concerns_the_speaker_alone_is_left_out() -> None:
    feed, shown = new_feed(), Shown()
    feed.publish(
        Ready("s1", "secret", resumed=False, resumable=True, received_sample=0, safe_sample=0)
    )
    feed.publish(AudioProgress(1, 0))
    feed.publish(SpeechStarted(0))
    assert read(feed.cursor(shown, 0)) == ["SpeechStarted"]
    assert feed.last_number == 1


def test_a_slow_reader_gets_every_final_and_the_newest_partial_of_each_channel() -> None:
    feed, shown = new_feed(), Shown()
    cursor = feed.cursor(shown, 0)
    for event in (
        *(partial(1, "a1", 0), partial(2, "b1", 1), partial(1, "a2", 0), final(1)),
        *(partial(2, "b2", 1), partial(3, "a3", 0), final(2), partial(3, "a4", 0)),
    ):
        feed.publish(event)
    assert read(cursor) == ["F1", "F2", "a4"]


def test_a_reader_that_stalls_costs_nothing_and_gets_all_finals_later() -> None:
    feed, shown = new_feed(), Shown()
    cursor = feed.cursor(shown, 0)
    for number in range(1, MAX_RECENT):
        feed.publish(final(number))
        feed.publish(partial(number + 1, f"p{number}"))
    got = read(cursor)
    assert got == [*(f"F{number}" for number in range(1, MAX_RECENT)), f"p{MAX_RECENT - 1}"]
    assert read(cursor) == []


def test_a_reader_gets_much_in_parts_and_the_end_with_the_last() -> None:
    feed, shown = new_feed(), Shown()
    cursor = feed.cursor(shown, 0)
    for number in range(1, 2 * MAX_AT_ONCE + 1):
        feed.publish(final(number))
    feed.end("closed")
    counts = []
    while not cursor.is_done:
        counts.append(len(cursor.next_bytes().split()))
        assert cursor.is_behind is not cursor.is_done
    assert counts == [MAX_AT_ONCE, MAX_AT_ONCE, 1]


def test_what_is_kept_is_bounded_in_finals_and_in_text() -> None:
    feed, shown = new_feed(), Shown()
    for number in range(1, MAX_FINALS + 3):
        feed.publish(final(number))
    assert [each.id for each in feed.finals] == list(range(3, MAX_FINALS + 3))
    assert read(feed.cursor(shown, 0))[0] == "F3"
    for number in (1000, 1001):
        feed.publish(final(number, "x" * (MAX_CHARACTERS // 2 + 1)))
    assert [each.id for each in feed.finals] == [1001]


def test_a_new_reader_gets_as_many_earlier_finals_as_it_requests() -> None:
    feed, shown = new_feed(), Shown()
    assert feed.number_before(5) == 0
    for number in (1, 2, 3):
        feed.publish(partial(number))
        feed.publish(final(number))
    feed.publish(partial(4, "now"))
    for finals, got in ((0, []), (1, ["F3", "now"]), (2, ["F2", "F3", "now"])):
        assert read(feed.cursor(shown, feed.number_before(finals))) == got
    assert read(feed.cursor(shown, feed.number_before(99))) == ["F1", "F2", "F3", "now"]


@pytest.mark.parametrize("number", [2, 10**15])
def test_a_reader_continues_after_the_number_that_it_has(number: int) -> None:
    feed, shown = new_feed(), Shown()
    for each in (1, 2, 3):
        feed.publish(final(each))
    cursor = feed.cursor(shown, number)
    assert read(cursor) == (["F3"] if number == 2 else [])
    feed.publish(final(4))
    assert read(cursor) == ["F4"]


def test_revised_speakers_are_an_event_and_change_what_later_readers_get() -> None:
    feed, shown = new_feed(), Shown()
    cursor = feed.cursor(shown, 0)
    feed.publish(final(1))
    assert read(cursor) == ["F1"]
    segments = (SpeakerSegment(16_000, 24_000, "final 1.", 2),)
    feed.publish(SpeakerRevision((FinalSpeakers(1, 2, segments), FinalSpeakers(9, 0, ()))))
    assert read(cursor) == ["SpeakerRevision"]
    assert list(feed.finals) == [replace(final(1), speaker=2, segments=segments)]
    known = (Speaker(2, "Ann"),)
    feed.publish(SpeakerRevision((FinalSpeakers(1, 2, segments, known),)))
    (named,) = feed.finals
    assert named.speakers == known


def test_the_end_is_the_last_event_and_comes_once() -> None:
    feed, shown = new_feed(), Shown()
    cursor = feed.cursor(shown, 0)
    feed.publish(final(1))
    assert not feed.is_ended
    feed.end("closed")
    feed.end("speaker_left")
    assert (read(cursor), cursor.is_done) == (["F1", "Ended"], True)


def test_a_segment_is_listed_once_all_speech_in_it_is_final() -> None:
    feed = new_feed()
    feed.publish(final(2))
    feed.finals_until(6 * SAMPLE_RATE_HZ - 1)
    assert list(feed.segments) == []
    feed.finals_until(6 * SAMPLE_RATE_HZ)
    feed.finals_until(0)  # no way back
    assert list(feed.segments) == [0]
    assert b"final 2." in feed.segment(0)
    with pytest.raises(NotFound):
        feed.segment(1)
    assert b"captions/0.vtt?token=t\n" in feed.playlist("?token=t")
    feed.finals_until(7 * SAMPLE_RATE_HZ)
    feed.end("closed")
    assert list(feed.segments) == [0, 1]
    assert feed.playlist("").endswith(b"#EXTINF:1.000,\ncaptions/1.vtt\n#EXT-X-ENDLIST\n")


def test_only_the_newest_segments_are_kept_of_a_long_session() -> None:
    feed = new_feed()
    for number in range(30):
        feed.finals_until((number + 1) * 6 * SAMPLE_RATE_HZ)
        feed.segment(number)
    assert list(feed.segments) == list(range(20, 30))
    assert sorted(feed._segments) == list(range(20 - SPARE_SEGMENTS, 30))
    with pytest.raises(NotFound):
        feed.segment(20 - SPARE_SEGMENTS - 1)
    assert feed.segment(20 - SPARE_SEGMENTS)


def test_a_session_that_continues_another_one_begins_where_its_audio_does() -> None:
    feed = new_feed(13 * SAMPLE_RATE_HZ)
    assert list(feed.segments) == []
    feed.finals_until(19 * SAMPLE_RATE_HZ)
    assert list(feed.segments) == [2]
    assert b"2023-11-14T22:13:19.000+00:00" in feed.playlist(
        ""
    )  # 13 s before the start, and 12 s on


def test_only_a_reading_token_of_the_session_can_be_withdrawn() -> None:
    feed = new_feed()
    tokens = ("", "key", "tok2.1.s2.x", "tok1.1.x", "tok2.x.s1.x", f"tok2.{'1' * 5000}.s1.x")
    for wrong in (*tokens, "tok2.1.s1." + "x" * MAX_TOKEN_CHARACTERS):
        with pytest.raises(BadRequest, match="not a reading token of this session"):
            feed.withdraw(wrong)
        assert not feed.is_withdrawn(wrong)


def test_no_withdrawn_token_reads_again_however_many_there_are() -> None:
    feed = new_feed()
    tokens = [f"tok2.{2000 + number * 7 % 300}.s1.{number}" for number in range(300)]
    for token in tokens:
        feed.withdraw(token)
        feed.withdraw(token)
    assert all(feed.is_withdrawn(token) for token in tokens)
    assert len(feed._withdrawn) == MAX_WITHDRAWN
    for expires_at, is_refused in ((2043, True), (2044, False), (2400, False)):
        assert feed.is_withdrawn(f"tok2.{expires_at}.s1.other") == is_refused
    assert not feed.is_withdrawn("")


SAID = [f"word{number}" for number in range(30)]
LONG = replace(final(1, " ".join(SAID)), end_sample=13 * SAMPLE_RATE_HZ)
"""A final in three segments of HLS."""
_MIDDLE = 6 * SAMPLE_RATE_HZ
OTHER_SPEAKERS = SpeakerRevision(
    (
        FinalSpeakers(
            1,
            0,
            (
                SpeakerSegment(SAMPLE_RATE_HZ, _MIDDLE, " ".join(SAID[:15]), 0),
                SpeakerSegment(_MIDDLE, 13 * SAMPLE_RATE_HZ, " ".join(SAID[15:]), 1),
            ),
        ),
    )
)


def shown_words(segments: Iterable[bytes]) -> list[str]:
    """Return the words that a player shows, which has each cue once."""
    cues = {cue for segment in segments for cue in segment.decode().split("\n\n")[1:]}
    return sorted(word for cue in cues for word in cue.split() if word.startswith("word"))


def test_a_sentence_over_two_segments_is_shown_once_although_its_speakers_change() -> None:
    feed = new_feed()
    feed.publish(LONG)
    feed.finals_until(18 * SAMPLE_RATE_HZ)
    segments = [feed.segment(0)]
    feed.publish(OTHER_SPEAKERS)
    segments += [feed.segment(1), feed.segment(2)]
    assert shown_words(segments) == sorted(SAID)


def named(number: int, *names: str) -> Final:
    speakers = tuple(Speaker(n, name) for n, name in enumerate(names))
    return replace(final(number), speaker=0, speakers=speakers)


def speakers_of(number: int, event: FeedEvent) -> bytes:
    """Encode the names of an event."""
    finals = event.finals if isinstance(event, SpeakerRevision) else (event,)
    return repr([e.speakers for e in finals if isinstance(e, Final | FinalSpeakers)]).encode()


def test_a_name_is_changed_in_all_that_readers_can_get() -> None:
    feed = new_feed()
    feed.publish(named(1, "Ann", "Bob"))
    feed.publish(named(2, "Cem"))
    feed.publish(SpeakerRevision((FinalSpeakers(2, 0, (), (Speaker(0, "Ann"),)),)))
    feed.finals_until(6 * SAMPLE_RATE_HZ)
    assert b"Ann" in feed.segment(0)
    before = feed.cursor(speakers_of, 0).next_bytes()
    assert before.count(b"Ann") == 2
    last = feed.last_number
    feed.rename_known("Ann", "Anna")
    assert feed.cursor(speakers_of, 0).next_bytes() == before.replace(b"'Ann'", b"'Anna'")
    assert [[each.label for each in final.speakers] for final in feed.finals] == [
        ["Anna", "Bob"],
        ["Anna"],
    ]
    assert b"Anna" in feed.segment(0)
    feed.rename_known("Anna", None)
    assert b"Anna" not in feed.cursor(speakers_of, 0).next_bytes()
    assert [[each.label for each in final.speakers] for final in feed.finals] == [["Bob"], []]
    assert b"Ann" not in feed.segment(0)
    assert feed.last_number == last


def test_another_name_changes_nothing() -> None:
    feed, shown = new_feed(), Shown()
    feed.publish(named(1, "Ann"))
    feed.cursor(shown, 0).next_bytes()
    feed.rename_known("Bob", None)
    feed.cursor(shown, 0).next_bytes()
    assert shown.encoded == 1
