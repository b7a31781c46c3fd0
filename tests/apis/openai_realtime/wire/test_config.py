import json
from typing import Any

import pytest
from msgspec import UNSET

from auricle.apis.openai_realtime.wire.config import ConfigError, RealtimeConfig, decode_session
from auricle.protocol.dialect import Law
from auricle.values.events import Wire
from auricle.values.limits import MAX_HOTWORDS, MAX_PROMPT_CHARACTERS
from auricle.values.types import TurnDetection

pytestmark = pytest.mark.unit

DEFAULT = RealtimeConfig()


def merged(session: object, before: RealtimeConfig = DEFAULT) -> RealtimeConfig:
    return before.merged(decode_session(json.dumps(session).encode()))


def of_input(**fields: object) -> dict[str, Any]:
    """Return a session object in the GA format."""
    return {"type": "transcription", "audio": {"input": fields}}


def test_a_session_detects_turns_and_takes_pcm_of_24_khz_unless_configured_otherwise() -> None:
    parameters = merged({"type": "transcription"}).parameters()
    assert (parameters.format, parameters.sample_rate) == (Wire.PCM16, 24_000)
    assert (parameters.language, parameters.endpoint_ms) == (None, 500)
    assert DEFAULT.turn_detection == "server_vad"
    assert DEFAULT.law is None


def test_everything_that_may_change_words_reaches_the_session() -> None:
    transcription = {
        "model": "gpt-4o-transcribe",
        "language": "en-US",
        "prompt": "Captain's log.",
        "keywords": ["Auricle", "Whisper"],
    }
    turns = {"type": "server_vad", "silence_duration_ms": 800}
    config = merged(of_input(transcription=transcription, turn_detection=turns))
    for changed in (config.parameters(), config.update_command()):
        assert (changed.language, changed.prompt) == ("en", "Captain's log.")
        assert (changed.hotwords, changed.endpoint_ms) == (("Auricle", "Whisper"), 800)
    assert config.update_command().format is UNSET
    assert config.model == "gpt-4o-transcribe"


def test_the_model_that_diarizes_assigns_speakers() -> None:
    for model, speakers in (("gpt-4o-transcribe-diarize", True), ("gpt-4o-transcribe", False)):
        config = merged(of_input(transcription={"model": model}))
        assert config.parameters().speakers is speakers
        assert config.update_command().speakers is speakers


@pytest.mark.parametrize(
    ("format", "rate_hz", "law"),
    [
        ({"type": "audio/pcm", "rate": 24_000}, 24_000, None),
        ({"type": "audio/pcm"}, 24_000, None),
        ({"type": "audio/pcm", "rate": 16_000}, 16_000, None),
        ({"type": "audio/pcmu"}, 8_000, Law.MU),
        ({"type": "audio/pcma", "rate": 8_000}, 8_000, Law.A),
    ],
)
def test_formats(format: dict[str, Any], rate_hz: int, law: Law | None) -> None:
    config = merged(of_input(format=format))
    assert (config.parameters().sample_rate, config.law) == (rate_hz, law)


@pytest.mark.parametrize(
    ("named", "format"),
    [("pcm16", "audio/pcm"), ("g711_ulaw", "audio/pcmu"), ("g711_alaw", "audio/pcma")],
)
def test_the_beta_s_session_means_the_same(named: str, format: str) -> None:
    session = {
        "input_audio_format": named,
        "input_audio_transcription": {"model": "whisper-1", "language": "de", "prompt": "so"},
        "turn_detection": {"type": "server_vad", "silence_duration_ms": 300},
        "input_audio_noise_reduction": {"type": "near_field"},
    }
    config = merged(session)
    assert (config.format, config.language, config.prompt) == (format, "de", "so")
    assert config.endpoint_ms == 300
    session_object = config.beta_session("sess_1")
    assert session_object["input_audio_format"] == named
    assert session_object["input_audio_transcription"]["language"] == "de"
    assert session_object["turn_detection"]["silence_duration_ms"] == 300


def test_what_is_left_out_stays_and_null_switches_off() -> None:
    config = merged(
        of_input(
            transcription={"language": "en", "prompt": "so", "keywords": ["word"]},
            turn_detection={"type": "server_vad", "silence_duration_ms": 900},
        )
    )
    assert merged({}, config) == merged({"audio": {}}, config) == config
    assert merged(of_input(turn_detection={}), config) == config
    later = merged(of_input(transcription={"model": "m"}, turn_detection=None), config)
    assert (later.language, later.prompt, later.keywords) == ("en", "so", ("word",))
    assert later.turn_detection is None
    assert merged(of_input(turn_detection={}), later).turn_detection == "server_vad"
    off = merged(of_input(transcription=None, format=None), config)
    assert (off.language, off.prompt, off.keywords) == (None, None, ())
    assert merged(of_input(transcription={"language": None}), config).language is None


def test_without_turns_utterances_still_end_in_pauses() -> None:
    turns = {"type": "server_vad", "silence_duration_ms": 3000}
    config = merged(of_input(turn_detection=turns))
    assert merged(of_input(turn_detection=None), config).endpoint_ms == 500


@pytest.mark.parametrize(
    ("turns", "endpoint_ms"),
    [
        ({"type": "server_vad", "silence_duration_ms": 1}, 100),
        ({"type": "server_vad", "silence_duration_ms": -5}, 100),
        ({"type": "server_vad", "silence_duration_ms": 1e9}, 5000),
        ({"type": "server_vad", "silence_duration_ms": None}, 500),
        ({"type": "server_vad", "threshold": 0.9, "idle_timeout_ms": 6000}, 500),
        ({"type": "semantic_vad"}, 700),
        ({"type": "semantic_vad", "eagerness": "high"}, 400),
        ({"type": "semantic_vad", "eagerness": "low"}, 1000),
        ({"type": "semantic_vad", "eagerness": "extreme"}, 700),
    ],
)
def test_silence_that_ends_a_turn(turns: dict[str, Any], endpoint_ms: int) -> None:
    assert merged(of_input(turn_detection=turns)).endpoint_ms == endpoint_ms


@pytest.mark.parametrize(
    ("turns", "limit_ms"),
    [
        ({"type": "semantic_vad"}, 4000),
        ({"type": "semantic_vad", "eagerness": "auto"}, 4000),
        ({"type": "semantic_vad", "eagerness": "low"}, 8000),
        ({"type": "semantic_vad", "eagerness": "high"}, 2000),
        ({"type": "server_vad", "eagerness": "high"}, None),
        (None, None),
    ],
)
def test_a_semantic_turn_ends_where_the_speaker_sounds_finished(
    turns: dict[str, Any] | None, limit_ms: int | None
) -> None:
    config = merged(of_input(turn_detection=turns))
    expected = None if limit_ms is None else TurnDetection(limit_ms=limit_ms)
    assert config.turns == config.parameters().turns == config.update_command().turns == expected


@pytest.mark.parametrize(
    ("turns", "endpoint_ms"),
    [
        ({"type": "server_vad"}, 900),
        ({"type": "server_vad", "silence_duration_ms": None}, 900),
        ({"type": "server_vad", "silence_duration_ms": 400}, 400),
        (None, 900),
    ],
)
def test_the_server_s_silence_ends_a_turn_unless_the_client_sets_another(
    turns: dict[str, Any] | None, endpoint_ms: int
) -> None:
    config = merged(
        of_input(turn_detection=turns), RealtimeConfig(silence_ms=900, default_endpoint_ms=900)
    )
    assert config.endpoint_ms == endpoint_ms
    if turns is not None:
        session_object = config.session("name")["audio"]["input"]["turn_detection"]
        assert session_object["silence_duration_ms"] == endpoint_ms


def test_hints_at_one_language_name_it_and_at_several_do_not() -> None:
    assert merged(of_input(transcription={"languages": ["fr"]})).language == "fr"
    assert merged(of_input(transcription={"languages": ["fr", "en"]})).language is None
    assert merged(of_input(transcription={"language": "auto"})).language is None


def test_unsupported_options_are_accepted_silently() -> None:
    session = of_input(
        noise_reduction={"type": "near_field"}, transcription={"delay": "low"}, other=[1]
    )
    session |= {"include": ["item.input_audio_transcription.logprobs"], "tools": [], "more": 1}
    assert merged(session) == DEFAULT


@pytest.mark.parametrize(
    ("session", "param", "reason"),
    [
        (of_input(format={"type": "audio/mp3"}), "audio.input.format.type", "invalid_value"),
        (of_input(format={"rate": 1}), "audio.input.format.rate", "invalid_value"),
        ({"input_audio_format": "mp3"}, "input_audio_format.type", "invalid_value"),
        (
            of_input(transcription={"language": "klingon"}),
            "audio.input.transcription.language",
            "invalid_value",
        ),
        (
            of_input(transcription={"prompt": "x" * (MAX_PROMPT_CHARACTERS + 1)}),
            "audio.input.transcription.prompt",
            "string_above_max_length",
        ),
        (
            of_input(transcription={"keywords": ["x"] * (MAX_HOTWORDS + 1)}),
            "audio.input.transcription.keywords",
            "array_above_max_length",
        ),
        (
            of_input(turn_detection={"type": "mind_reading"}),
            "audio.input.turn_detection.type",
            "invalid_value",
        ),
        (of_input(format="audio/pcm"), "session", "invalid_type"),
        (of_input(transcription={"language": 5}), "session", "invalid_type"),
        (of_input(turn_detection=True), "session", "invalid_type"),
        ([], "session", "invalid_type"),
    ],
)
def test_impossible_values_are_reported_with_their_place(
    session: object, param: str, reason: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        merged(session)
    assert (caught.value.field, caught.value.reason) == (param, reason)


def test_a_session_that_is_not_json() -> None:
    for data in (b"{", b"\xff", b"", b"[" * 100_000):
        with pytest.raises(ConfigError):
            decode_session(data)


def test_what_is_reported_of_a_session_means_the_same_session() -> None:
    config = merged(
        of_input(
            format={"type": "audio/pcmu"},
            transcription={"model": "m", "language": "en", "prompt": "so", "keywords": ["word"]},
            turn_detection={"type": "semantic_vad", "eagerness": "high"},
        )
    )
    for each in (config, DEFAULT, merged(of_input(turn_detection=None))):
        session_object = each.session("sess_1")
        assert (session_object["id"], session_object["type"]) == ("sess_1", "transcription")
        assert merged(session_object) == each
        assert merged(each.beta_session("sess_1")) == each


def test_a_conversation_detects_turns_with_any_model() -> None:
    """Jigasi asks for one, and never commits."""
    conversation = {"type": "realtime"}
    fields = of_input(transcription={"model": "gpt-realtime-whisper", "language": "en"})
    config = merged(fields | conversation, DEFAULT.with_model("gpt-realtime-2"))
    assert (config.turn_detection, config.language) == ("server_vad", "en")
    in_url = merged(conversation, DEFAULT.with_model("gpt-realtime-whisper"))
    assert in_url.turn_detection == "server_vad"
    assert merged({"type": "transcription"}, in_url).turn_detection is None
    chosen = merged(conversation, merged(of_input(turn_detection=None)))
    assert chosen.turn_detection is None


@pytest.mark.parametrize("model", ["gpt-realtime-whisper", "gpt-live-transcribe-2026"])
def test_models_without_turns_at_openai_detect_none_here_unless_configured(model: str) -> None:
    config = merged(of_input(transcription={"model": model}))
    assert config.turn_detection is None
    assert DEFAULT.with_model(model).turn_detection is None
    assert config.with_model("whisper-1").turn_detection == "server_vad"
    turns = {"type": "semantic_vad"}
    chosen = merged(of_input(transcription={"model": model}, turn_detection=turns))
    assert chosen.turn_detection == "semantic_vad"
    assert chosen.with_model(model).turn_detection == "semantic_vad"
