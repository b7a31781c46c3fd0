"""The feed of a live session: ``[script]``; what is said, and readers that come, read and stall.

The first step of a script may be a credential: none but the right one reads a session.
"""

import contextlib
from collections.abc import Iterator

import msgspec
from pydantic import SecretStr
from starlette.datastructures import Headers

from auricle.apis.readers.feed import FeedCursor, SessionFeed
from auricle.apis.readers.wire.events import KeepAlive, encode_feed_event
from auricle.apis.readers.wire.hls import SEGMENT_MS
from auricle.apis.readers.wire.webvtt import encode_cues
from auricle.server.access.keyring import Keyring
from auricle.values.errors import NotFound, TokenExpired, Unauthorized
from auricle.values.events import (
    Final,
    FinalSpeakers,
    Partial,
    SpeakerRevision,
    SpeakerSegment,
    SpeechStarted,
)
from auricle.values.types import ANONYMOUS, SAMPLE_RATE_HZ
from fuzz.grammars import join_steps, split_steps
from fuzz.mutation import Grammar
from fuzz.target import Target
from fuzz.transcripts import count_cues

MODULES = (
    "auricle.apis.readers.wire",
    "auricle.apis.readers.feed",
    "auricle.server.access.tokens",
)
_PARTIAL, _FINAL, _REVISION, _OTHER, _PROGRESS, _END, _READ, _ENTER, _CREDENTIAL = range(9)
_MAX_STEPS = 30
_MAX_READERS = 6
_NOW, _SESSION = 1_700_000_000.0, "a-5e1a90c2"
_KEYS = Keyring([SecretStr("alice:secret")])
_TOKEN = _KEYS.issue_reading_token(
    Headers({"authorization": "Bearer secret"}), _SESSION, 60, now=_NOW
)


class _Reader:
    """Checks all that one reader gets."""

    def __init__(self, feed: SessionFeed, number: int) -> None:
        self._feed = feed
        self._events: FeedCursor = feed.cursor(encode_feed_event, number)
        self._cues: FeedCursor = feed.cursor(encode_cues, number)
        self._number = self._final = 0
        self._final_utterances: set[int] = set()
        self._is_over = False

    def read(self, last_final: int) -> None:
        """Read all that there is."""
        count_cues(_whole(self._cues))
        sent = _whole(self._events)
        assert not sent or sent.endswith("\n\n")
        assert not (sent and self._is_over), "something follows the end"
        for event in sent.split("\n\n")[:-1]:
            self._take(event)
        assert self._final == last_final or not self._final, "a final is missing at the end"

    def _take(self, event: str) -> None:
        if event.startswith(":"):
            return
        number, data = event.split("\n")
        assert int(number.removeprefix("id: ")) > self._number, "events are not in order"
        self._number = int(number.removeprefix("id: "))
        message = msgspec.json.decode(data.removeprefix("data: "))
        match message["type"]:
            case "final":
                is_next = message["id"] == self._final + 1
                oldest = next(self._feed.finals).id
                assert is_next or not self._final or message["id"] <= oldest, "one is missing"
                self._final = message["id"]
                self._final_utterances.add(message["utterance"])
            case "partial":
                assert message["utterance"] not in self._final_utterances, "it is out of date"
            case "ended":
                self._is_over = True
            case _:
                pass


def _whole(cursor: FeedCursor) -> str:
    sent = cursor.next_bytes()
    while cursor.is_behind:
        sent += cursor.next_bytes()
    return sent.decode()


class _Script:
    """A session that says what the steps say, and its readers."""

    def __init__(self) -> None:
        self._feed = SessionFeed(_SESSION, ANONYMOUS, "native", _NOW)
        self._readers: list[_Reader] = []
        self._last_final = self._sample = 0

    def take(self, kind: int, payload: bytes) -> None:
        """Take one step."""
        first = payload[0] if payload else 0
        text = payload[1:].decode(errors="replace")
        match kind % 9:
            case _ if kind % 9 < _PROGRESS and self._feed.is_ended:
                pass  # the session is over
            case 0:
                utterance = self._last_final + 1 + first % 3
                channel = None if first < 128 else first % 2
                self._feed.publish(Partial(utterance, text, text, 0, self._sample, channel))
            case 1:
                for _ in range(first + 1 if not text else 1):
                    self._say(text, None if first < 128 else first % 3)
            case 2:
                parts = (SpeakerSegment(0, 1, text, first), SpeakerSegment(1, 2, text, None))
                final = FinalSpeakers(max(1, self._last_final - first % 4), first, parts)
                self._feed.publish(SpeakerRevision((final,)))
            case 3:
                self._feed.publish(KeepAlive() if first % 2 else SpeechStarted(self._sample))
            case 4:
                self._sample += first * SAMPLE_RATE_HZ // 4
                self._feed.finals_until(self._sample)
                self._play()
            case 5:
                self._feed.end("closed")
                self._play()
            case 6 if self._readers:
                self._readers[first % len(self._readers)].read(self._last_final)
            case 7 if len(self._readers) < _MAX_READERS:
                after = self._feed.number_before(first) if first < 128 else first - 128
                self._readers.append(_Reader(self._feed, after))
            case 8:
                _present(payload.decode("latin-1"))
            case _:
                pass

    def _say(self, text: str, speaker: int | None) -> None:
        self._last_final += 1
        start, self._sample = self._sample, self._sample + 8000
        id = self._last_final
        self._feed.publish(
            Final(id, id, text, start, self._sample, "en", None, 1.0, False, speaker=speaker)
        )

    def finish(self) -> None:
        """Let all readers read to the end."""
        self._feed.end("speaker_left")
        for reader in self._readers:
            reader.read(self._last_final)

    def _play(self) -> None:
        playlist = self._feed.playlist("?token=t").decode()
        assert playlist.count("#EXTINF") == len(self._feed.segments)
        for number in self._feed.segments:
            assert f"\ncaptions/{number}.vtt?token=t\n" in playlist
            count_cues(self._feed.segment(number).decode())
        with contextlib.suppress(NotFound):
            self._feed.segment(self._sample * 1000 // SAMPLE_RATE_HZ // SEGMENT_MS + 1)
            raise AssertionError("a segment is served before its time")


def _present(credential: str) -> None:
    try:
        headers = Headers({"authorization": f"Bearer {credential}"})
        reader = _KEYS.identify_reader(headers, _SESSION, credential, now=_NOW)
    except (Unauthorized, TokenExpired):
        assert credential.strip() != _TOKEN
        return
    assert reader.client == "alice"
    assert credential.strip() in (_TOKEN, "secret"), "another credential is accepted"


def run(data: bytes) -> None:
    """Play a script."""
    script = _Script()
    for step in split_steps(data)[:_MAX_STEPS]:
        script.take(step[0], step[1:])
    script.finish()


def seeds() -> Iterator[bytes]:
    """Give sessions with readers of all kinds, and credentials."""
    talk = [
        bytes([_PARTIAL, 0]) + b"so it",
        bytes([_READ, 0]),
        bytes([_FINAL, 200]) + b"So it is. --> <b>\n\nAnd more.",
        bytes([_REVISION, 1]) + b"So it is.",
        bytes([_OTHER, 0]),
        bytes([_OTHER, 1]),
    ]
    enter = [bytes([_ENTER, 0]), bytes([_ENTER, 9]), bytes([_ENTER, 130])]
    progress = bytes([_PROGRESS, 200])
    yield join_steps([*enter, *talk, progress, *enter, *talk, bytes([_READ, 1]), progress])
    yield join_steps([*talk, *enter, bytes([_END]), *enter, progress])
    flood = bytes([_FINAL, 255])
    yield join_steps([*enter, flood, flood, bytes([_READ, 1]), progress, bytes([_PARTIAL, 0])])
    for credential in (_TOKEN, "secret", _TOKEN[:-1], "tok2.1.a-5e1a90c2.x", "tok1.9999999999.x"):
        yield join_steps([bytes([_CREDENTIAL]) + credential.encode()])


TARGET = Target(
    run,
    seeds,
    Grammar(
        split_steps,
        join_steps,
        spare=(
            bytes([_PARTIAL, 129]) + b"so",
            bytes([_FINAL, 0]) + b"So.",
            bytes([_READ, 1]),
            bytes([_ENTER, 3]),
            bytes([_PROGRESS, 90]),
            bytes([_END]),
        ),
    ).mutate,
    max_bytes=400,
)
