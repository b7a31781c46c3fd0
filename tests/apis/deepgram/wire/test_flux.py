"""Messages of ``/v2/listen``: numbers, commands, warnings and errors."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from auricle.apis.deepgram.wire.flux import FluxDialect
from auricle.apis.deepgram.wire.flux_query import parse_listen_turns
from auricle.protocol.dialect import Companded, End, Law, Reply, Step
from auricle.values.commands import Flush, Keepalive, Stop, UpdateConfig
from auricle.values.errors import AudioError
from auricle.values.events import (
    Closed,
    Failed,
    Partial,
    Ready,
    SessionEvent,
    SpeechEnded,
    SpeechStarted,
    SwitchFormat,
    Trigger,
    Warned,
    WarningCode,
    Wire,
)
from auricle.values.types import TurnDetection
from tests.apis.deepgram.wire.test_flux_query import LINEAR
from tests.apis.deepgram.wire.test_flux_turns import final

pytestmark = pytest.mark.unit

READY = Ready("s", "secret", False, False, 0, 0)


def dialect(query: str = LINEAR) -> FluxDialect:
    return FluxDialect(parse_listen_turns(parse_qsl(query)), request_id="id")


def decoded(texts: Iterable[str]) -> list[Any]:
    return [json.loads(text) for text in texts]


def tell(one: FluxDialect, *events: SessionEvent) -> list[Any]:
    return decoded(text for event in events for text in one.encode(event))


def ask(one: FluxDialect, **message: object) -> list[Step]:
    return list(one.receive_text(json.dumps(message)))


def reply_of(steps: Iterable[Step]) -> Any:
    (message,) = decoded(text for step in steps if isinstance(step, Reply) for text in step.texts)
    return message


def test_every_message_has_its_number_in_the_order_of_sending() -> None:
    one = dialect(f"{LINEAR}&turbo=1")
    asked = ask(one, type="Configure")  # before the events that are queued are sent
    sent = tell(one, READY, SpeechStarted(0), Partial(1, "Hi", "", 0, 8000))
    sent.append(reply_of(asked))
    closing = one.closing_messages(End("internal", 1011, Failed("internal", "Why.", True)))
    sent += decoded(closing.texts)
    assert [message["type"] for message in sent] == [
        *("Connected", "Warning", "TurnInfo", "ConfigureSuccess", "TurnInfo", "Error")
    ]
    assert [message["sequence_id"] for message in sent] == list(range(6))
    assert {message["request_id"] for message in sent} == {"id"}


def test_each_message_has_its_command() -> None:
    one = dialect()
    assert ask(one, type="ForceEndTurn") == [Flush()]
    assert ask(one, type="CloseStream") == [Stop()]
    assert ask(one, type="KeepAlive", more=1) == [Keepalive()]
    assert list(one.receive_bytes(b'{"type":"CloseStream"}')) == [Stop()]
    assert list(one.receive_bytes(b"audio")) == [b"audio"]
    assert list(one.receive_bytes(b'{"not":"ours"}')) == [b'{"not":"ours"}']
    assert list(one.receive_bytes(b"")) == []
    assert list(dialect("encoding=mulaw").receive_bytes(b"a")) == [Companded(b"a", Law.MU)]


def test_thresholds_and_keyterms_can_be_changed() -> None:
    one = dialect(f"{LINEAR}&keyterm=Auricle&eager_eot_threshold=0.5")
    command, *rest = ask(one, type="Configure", thresholds={"eot_threshold": 0.9}, new=1)
    turns = TurnDetection(0.9, 0.5, 5000)
    assert command == UpdateConfig(hotwords=("Auricle",), language="en", languages=(), turns=turns)
    assert reply_of(rest) == {
        "type": "ConfigureSuccess",
        "request_id": "id",
        "sequence_id": 0,
        "thresholds": {
            "eager_eot_threshold": 0.5,
            "eot_threshold": 0.9,
            "eot_timeout_ms": 5000,
        },
        "keyterms": ["Auricle"],
        "numerals": False,
    }
    command, *rest = ask(one, type="Configure", keyterms="pre-roll", numerals=True)
    assert reply_of(rest)["numerals"]
    assert isinstance(command, UpdateConfig)
    assert (command.hotwords, command.turns) == (("pre-roll",), turns)


def test_a_multilingual_model_has_language_hints() -> None:
    one = dialect("model=flux-general-multi&language_hint=fr")
    command, *rest = ask(one, type="Configure", language_hints=["de", "fr"])
    assert isinstance(command, UpdateConfig)
    assert (command.language, command.languages) == (None, ("de", "fr"))
    assert reply_of(rest)["language_hints"] == ["de", "fr"]
    _, started, *_ = tell(one, READY, SpeechStarted(0), Partial(1, "Hallo", "", 0, 8000))
    assert (started["languages"], started["languages_hinted"]) == (["fr"], ["de", "fr"])


@pytest.mark.parametrize(
    "change",
    [
        {"thresholds": {"eot_threshold": 0.1}},
        {"thresholds": {"eot_timeout_ms": "soon"}},
        {"thresholds": 7},
        {"keyterms": [1]},
        {"keyterms": ["x" * 101]},
    ],
)
def test_a_change_that_is_impossible_changes_nothing(change: dict[str, Any]) -> None:
    one = dialect()
    failure = reply_of(ask(one, type="Configure", **{"keyterms": ["a"], **change}))
    assert failure["type"] == "ConfigureFailure"
    assert failure["code"] == failure["error_code"]  # the SDKs and Pipecat read different names
    assert failure["description"]
    assert reply_of(ask(one, type="Configure")[1:])["keyterms"] == []


def test_a_change_that_the_session_rejects_fails_too() -> None:
    one = dialect("model=flux-general-multi")
    change = json.dumps({"type": "Configure", "language_hints": ["de"], "keyterms": ["a"]})
    next(iter(one.receive_text(change)))  # the model of the session does not know the language
    rejected = Failed("bad_request", "No German.", False)
    (failure,) = tell(one, rejected)
    assert (failure["type"], failure["description"]) == ("ConfigureFailure", "No German.")
    assert reply_of(ask(one, type="Configure")[1:])["keyterms"] == []
    assert tell(one, rejected)[0]["type"] == "Warning"


@pytest.mark.parametrize(
    "text", ["", "no JSON", "[]", "{}", '{"type":"Dance"}', '{"type":"KeepAlive"' + " " * 300_000]
)
def test_an_invalid_message_is_only_a_warning(text: str) -> None:
    warning = reply_of(dialect().receive_text(text))
    assert (warning["type"], warning["code"]) == ("Warning", "UNPARSABLE_CLIENT_MESSAGE")


def test_problems_that_end_nothing_are_warnings() -> None:
    one = dialect()
    failed = tell(
        one,
        Warned(WarningCode.AUDIO_GAP, "Audio is missing."),
        Failed("bad_request", "Why.", False),
        *(SpeechStarted(0), SpeechEnded(8000)),
        final("", trigger=Trigger.TIMEOUT),
    )
    assert [(message["type"], message["code"]) for message in failed] == [
        ("Warning", "AUDIO_GAP"),
        ("Warning", "BAD_REQUEST"),
    ]


def test_speech_that_was_not_transcribed_is_reported() -> None:
    one = dialect()
    tell(one, SpeechStarted(0), SpeechEnded(8000))
    lost = replace(final("", trigger=Trigger.TIMEOUT), error="poison_job")
    (warning,) = tell(one, lost)
    assert (warning["type"], warning["code"]) == ("Warning", "POISON_JOB")


def test_a_stream_ends_with_the_end_of_its_turn() -> None:
    one = dialect()
    tell(one, SpeechStarted(0), SpeechEnded(8000), final("One.", trigger=None))
    (end,) = tell(one, Closed("stop", 16_000, 0, 0, 0))
    assert (end["event"], end["trigger"]) == ("EndOfTurn", "manual")
    shown = one.closing_messages(End("done", 1000))
    assert (list(shown.texts), shown.close_code, shown.reason) == ([], 1000, "")


def test_undecodable_packets_end_the_stream() -> None:
    one = dialect("encoding=opus")
    assert tell(one, SwitchFormat(Wire.PCM16, "why")) == []
    with pytest.raises(AudioError):
        one.receive_bytes(b"audio")
    failed = Failed("bad_audio", "Why.", False)
    shown = one.closing_messages(End("bad_audio", 1007, failed))
    (error,) = decoded(shown.texts)
    assert (error["type"], error["code"], error["description"]) == ("Error", "BAD_AUDIO", "Why.")
    assert (shown.close_code, shown.reason) == (1008, "DATA-0000: Why.")
