"""Wyoming: a stream of events, cut anywhere, with sessions that come and go."""

import json
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

import msgspec

from auricle.apis.wyoming.wire.events import DescribedModel, WyomingDialect, info_event
from auricle.apis.wyoming.wire.framing import MAX_DATA_BYTES, EventFramer
from auricle.protocol.dialect import End, Reply
from auricle.values.commands import Configure, Stop, StreamParameters
from auricle.values.errors import AuricleError, LocalProtocolError
from auricle.values.languages import LANGUAGES
from fuzz.checks import same_in_any_split
from fuzz.mutation import Grammar, json_mutation
from fuzz.story import Story
from fuzz.target import Blind, Target
from tests.apis.wyoming.service import MONO_16, event

MODULES = (
    "auricle.apis.wyoming.wire.command_end",
    "auricle.apis.wyoming.wire.events",
    "auricle.apis.wyoming.wire.framing",
)
_INFO = info_event([DescribedModel("base", "Whisper", frozenset({"en"}), "", "")], "1")
_WORDS = (
    *("type", "data", "data_length", "payload_length", "describe", "ping", "transcribe"),
    *("audio-start", "audio-chunk", "audio-stop", "language", "transcript_names", "text"),
    *("transcript_terms", "name", "rate", "width", "channels", "timestamp", "en", "de"),
)
_FORMATS = (MONO_16, MONO_16 | {"width": 4, "channels": 2, "timestamp": 5})
_AT_ANY_TIME = ("info", "pong", "error")


class _Connection:
    """A dialect, and a server that gives it all sessions that it wants."""

    def __init__(self, choices: bytes, *, ends_commands: bool = False) -> None:
        self.dialect = WyomingDialect(_INFO, ends_commands=ends_commands)
        self.told: list[str] = []
        self.heard: list[object] = []
        self.stops = 0
        self._choices = choices
        self._ends_commands = ends_commands
        self._story = Story(turns=self._ends_commands)

    def feed(self, chunk: bytes) -> None:
        """Take bytes, and go on until nothing more can be done with them."""
        self._take(chunk)
        while self.dialect.requested is not None or self.dialect.has_pending_answer:
            if self.dialect.has_pending_answer:
                self._finish()
            if self.dialect.requested is not None:
                self._begin(self.dialect.requested)
            self._take(b"")

    def _take(self, chunk: bytes) -> None:
        for step in self.dialect.receive_bytes(chunk):
            match step:
                case Reply():
                    self._check(step.texts)
                case bytes():
                    self.heard.append(step)
                    self._story.hear(len(step))
                case Stop():
                    self.stops += 1
                case Configure():
                    assert step.language is None or step.language in LANGUAGES
                case _:
                    pass

    def _begin(self, parameters: StreamParameters) -> None:
        assert parameters.language is None or parameters.language in LANGUAGES
        self.heard.append((parameters.sample_rate, parameters.channels))
        self.dialect.begin()
        self._story = Story(turns=self._ends_commands)
        for choice in self._choices:
            if choice % 8 == 7:  # a session's own errors end it
                continue
            for said in self._story.advance(choice):
                self._check(self.dialect.encode(said))

    def _finish(self) -> None:
        for said in (*self._story.stop(), *self._story.finish()):
            self._check(self.dialect.encode(said))
        assert self._story.is_closed
        self.dialect.finish()

    def _check(self, texts: Iterable[str]) -> None:
        for text in texts:
            line, _, body = text.partition("\n")
            head: dict[str, Any] = msgspec.json.decode(line)
            assert head.get("data_length", 0) == len(body.encode()), "a length is wrong"
            self.told.append(head["type"])


def _framed(chunks: Iterable[bytes]) -> object:
    """Return the events of a stream."""
    framer = EventFramer()
    events: list[object] = []
    try:
        for chunk in chunks:
            framer.receive_data(chunk)
            events += iter(framer.next_event, None)
    except AuricleError as error:
        return events, type(error), str(error)
    return events


def _outcome(choices: bytes, chunks: Iterable[bytes], *, ends_commands: bool = False) -> object:
    connection = _Connection(choices, ends_commands=ends_commands)
    fault = None
    try:
        for chunk in chunks:
            connection.feed(chunk)
    except LocalProtocolError as error:
        raise AssertionError("a client can make us do what we must not") from error
    except AuricleError as error:
        fault = type(error), str(error)
    connection.dialect.closing_messages(End("end", 1000))
    if fault is not None:  # when it comes decides whether a transcript is told before it
        return connection.heard, fault
    answers = sum(told in ("transcript", "error") for told in connection.told)
    assert answers >= connection.stops, "a transcript is owed"
    # A ping is answered at once, a transcript when it is there.
    talk = [told for told in connection.told if told not in _AT_ANY_TIME]
    return connection.heard, talk, sorted(connection.told)


def run(data: bytes) -> None:
    """Hold a conversation, whole and in pieces."""
    choices = data[1 : 1 + (data[0] % 16 if data else 0)]
    wire = data[1 + len(choices) :]
    same_in_any_split(_framed, wire)
    same_in_any_split(lambda chunks: _outcome(choices, chunks), wire)
    _outcome(choices, [wire], ends_commands=True)  # how much was heard before the end may differ


def seeds() -> Iterator[bytes]:
    """Give what Home Assistant says, and all else that is understood."""
    for choices, given in zip(
        (bytes([0, 1, 9, 3, 12]), bytes([0, 3, 0, 9, 132])), _FORMATS, strict=True
    ):
        wire = event("describe") + event("ping", {"text": "x"})
        wire += event("transcribe", {"language": "en", "transcript_names": ["Kitchen"]})
        wire += event("audio-start", given) + event("audio-chunk", given, bytes(8)) * 2
        wire += event("audio-stop", {"timestamp": 5}) + event("audio-stop")
        yield bytes([len(choices)]) + choices + wire
    bare = json.dumps({"type": "audio-chunk", "data": MONO_16, "payload_length": 4}) + "\n1234"
    yield b"\0" + bare.encode() * 2 + event("transcribe", {"language": "xx"}) * 3
    yield b"\0" + json.dumps({"type": "x", "data_length": MAX_DATA_BYTES + 1}).encode() + b"\n"


_json = json_mutation(_WORDS)


def _split(data: bytes) -> list[bytes]:
    """Return lines, data and payloads as they follow from one another, as well as they do."""
    records = []
    at = 0
    while at < len(data):
        end = data.find(b"\n", at) + 1 or len(data)
        line, at = data[at:end], end
        try:
            head = json.loads(line)
            size_bytes = int(head.get("data_length") or 0) + int(head.get("payload_length") or 0)
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            size_bytes = 0
        size_bytes = max(0, min(size_bytes, len(data)))
        records.append(line + data[at : at + size_bytes])
        at += size_bytes
    return records


def _change(record: bytes, rng: Random, change: Blind) -> bytes:
    """Mutate the line, or what is behind it; the lengths are mended most of the time."""
    line, _, rest = record.partition(b"\n")
    try:
        head = json.loads(line)
        data_bytes = max(0, int(head.get("data_length") or 0))
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return change(record)
    body, payload = rest[:data_bytes], rest[data_bytes:]
    match rng.randrange(4):
        case 0:
            return _json(line, rng, change).replace(b"\n", b"") + b"\n" + rest
        case 1:
            payload = change(payload)
        case _:
            body = _json(body or b"{}", rng, change)
    head |= {"data_length": len(body), "payload_length": len(payload)}
    return json.dumps(head).encode() + b"\n" + body + payload


_GRAMMAR = Grammar(
    _split,
    b"".join,
    _change,
    (
        event("describe"),
        event("transcribe", {"language": "de"}),
        event("audio-start", MONO_16),
        event("audio-chunk", MONO_16, bytes(8)),
        event("audio-stop"),
    ),
)


def _mutate(data: bytes, rng: Random, change: Blind) -> bytes:
    head_bytes = 1 + (data[0] % 16 if data else 0)
    head, wire = data[:head_bytes], data[head_bytes:]
    if rng.random() < 0.15:
        head = change(head) or b"\0"
    return head + _GRAMMAR.mutate(wire, rng, change)


TARGET = Target(
    run, seeds, _mutate, words=tuple(f'"{w}"'.encode() for w in _WORDS), loop_bytes=2**16
)
