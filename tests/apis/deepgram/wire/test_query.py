from dataclasses import replace
from urllib.parse import parse_qsl

import pytest

from auricle.apis.deepgram.wire.query import MIN_ENDPOINT_MS, Listen, parse_listen
from auricle.values.errors import BadRequest
from auricle.values.limits import DEFAULT_ENDPOINT_MS
from auricle.values.types import Redact, SpeakerOptions

pytestmark = pytest.mark.unit


def listen(query: str = "") -> Listen:
    return parse_listen(parse_qsl(query, keep_blank_values=True))


def test_what_is_left_out_is_as_at_deepgram() -> None:
    parsed = listen()
    assert parsed.encoding is None
    assert parsed.language == "en"
    assert not parsed.wants_interim
    assert not parsed.punctuates
    assert parsed.sends_endpoints
    assert parsed.endpoint_ms == MIN_ENDPOINT_MS


def test_the_query_of_livekit_is_understood() -> None:
    parsed = listen(
        "model=nova-3&punctuate=true&smart_format=false&no_delay=true&interim_results=true"
        "&encoding=linear16&vad_events=true&sample_rate=24000&channels=1&endpointing=25"
        "&filler_words=true&profanity_filter=false&numerals=false&mip_opt_out=false"
        "&keyterm=Auricle&keyterm=pre-roll&language=en-US&tag=a"
    )
    assert (parsed.encoding, parsed.sample_rate_hz, parsed.channels) == ("linear16", 24_000, 1)
    assert parsed.wants_interim
    assert parsed.punctuates
    assert parsed.wants_speech_started
    assert parsed.hotwords == ("Auricle", "pre-roll")
    assert parsed.language == "en"


@pytest.mark.parametrize(
    ("text", "endpoint_ms", "is_told"),
    [
        ("10", MIN_ENDPOINT_MS, True),
        ("0", MIN_ENDPOINT_MS, True),
        ("true", MIN_ENDPOINT_MS, True),
        ("700", 700, True),
        ("60000", 5000, True),
        ("false", DEFAULT_ENDPOINT_MS, False),
        ("False", DEFAULT_ENDPOINT_MS, False),
    ],
)
def test_an_endpoint_is_a_silence_that_people_make(
    text: str, endpoint_ms: int, is_told: bool
) -> None:
    parsed = listen(f"endpointing={text}")
    assert (parsed.endpoint_ms, parsed.sends_endpoints) == (endpoint_ms, is_told)


@pytest.mark.parametrize(("query", "endpoint_ms"), [("endpointing=false", 900), ("", 300)])
def test_the_server_s_silence_ends_utterances_without_endpointing(
    query: str, endpoint_ms: int
) -> None:
    assert parse_listen(parse_qsl(query), 900).endpoint_ms == endpoint_ms


@pytest.mark.parametrize("query", ["language=multi", "detect_language=true", "language=auto"])
def test_the_language_is_found_out_if_that_is_asked_for(query: str) -> None:
    assert listen(query).language is None


def test_keywords_lose_their_weights_and_those_to_be_avoided_are_left_out() -> None:
    query = "keywords=Auricle:2.5&keywords=plain&keywords=never:-5&keywords=3:30:2&keywords=a:b"
    assert listen(query).hotwords == ("Auricle", "plain", "3:30", "a:b")


@pytest.mark.parametrize("encoding", ["mulaw", "alaw"])
def test_telephone_audio_has_8_khz_by_default(encoding: str) -> None:
    assert listen(f"encoding={encoding}").sample_rate_hz == 8_000
    assert listen(f"encoding={encoding}&sample_rate=16000").sample_rate_hz == 16_000


def test_flac_is_detected_by_its_header() -> None:
    assert listen("encoding=flac&sample_rate=16000") == listen()


def test_the_rate_of_packets_and_containers_is_theirs() -> None:
    assert listen("encoding=opus&sample_rate=1").sample_rate_hz == listen().sample_rate_hz
    assert listen("sample_rate=1") == listen()


def test_missing_features_and_unknown_names_have_no_effect_but_a_warning() -> None:
    query = "summarize=true&topics=a&intents=b&detect_entities=true&extra=a:b&no_such_thing=1"
    result = listen(query + "&version=x&redact=false&multichannel=false&profanity_filter=true")
    assert replace(result, warnings=()) == listen()
    assert [warning.split()[0] for warning in result.warnings] == [
        *("summarize", "topics", "intents", "detect_entities", "extra", "no_such_thing"),
        "profanity_filter",
    ]


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("redact=false", ()),
        ("redact=pci&redact=ssn", (Redact.PCI, Redact.SSN)),
        ("redact=pci,email_address", (Redact.PCI, Redact.EMAIL)),
        ("redact=true&redact=numbers", (Redact.NUMBERS,)),
        ("redact=aggressive_numbers&redact=phone_number", (Redact.NUMBERS, Redact.PHONE)),
    ],
)
def test_what_to_hide_may_have_deepgram_s_names(query: str, kinds: tuple[Redact, ...]) -> None:
    assert listen(query).redact == kinds


def test_words_are_replaced_and_removed_and_searched() -> None:
    query = listen("replace=ok:OK&replace=a%20b:&replace=um&search=one&search=two%20three&search=")
    assert query.replacements == (("ok", "OK"), ("a b", ""), ("um", ""))
    assert query.search == ("one", "two three")
    for wrong in ("replace=:x", f"replace={'x' * 101}:y", f"search={'x' * 101}"):
        with pytest.raises(BadRequest):
            listen(wrong)
    with pytest.raises(BadRequest):
        listen("&".join(["search=x"] * 101))


def test_numerals_have_no_effect_but_a_warning_in_other_languages() -> None:
    assert not listen("numerals=true").warnings
    assert not listen("numerals=true&language=multi").warnings
    assert listen("numerals=true&language=de").warnings == (
        "numerals has an effect on English only.",
    )


@pytest.mark.parametrize(
    ("query", "beginning"),
    [
        ("dictation=true", "dictation adds"),
        ("keywords=Auricle:2", "Weights of keywords"),
        ("keywords=Auricle&keywords=never:-5", "Weights of keywords"),
    ],
)
def test_a_part_that_has_no_effect_has_a_warning(query: str, beginning: str) -> None:
    (warning,) = listen(query).warnings
    assert warning.startswith(beginning)
    assert not listen("dictation=false&keywords=Auricle&keywords=a:b").warnings


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("encoding=g729", "encoding"),
        ("encoding=linear16", "sample_rate"),
        ("encoding=linear16&sample_rate=4000", "sample_rate"),
        ("encoding=linear16&sample_rate=-1", "sample_rate"),
        ("encoding=linear16&sample_rate=1e9", "sample_rate"),
        ("encoding=mulaw&sample_rate=" + "9" * 5000, "sample_rate"),
        ("channels=0", "channels"),
        ("multichannel=true&diarize=true", "multichannel and diarize exclude each other"),
        ("channels=16&multichannel=true", "<= 8 - at `\\$.channels`"),
        ("interim_results=maybe", "interim_results"),
        ("endpointing=soon", "endpointing"),
        ("utterance_end_ms=-1", "utterance_end_ms"),
        ("utt_split=nan", "utt_split"),
        ("utt_split=x", "utt_split"),
        ("language=klingon", "language"),
        ("redact=pii", "redact"),
        ("callback=http://localhost/&callback_method=delete", "callback_method"),
        ("keyterm=" + "a" * 101, "keyterm"),
        ("&".join(f"keyterm=word{n}" for n in range(501)), "keyterm"),
    ],
)
def test_what_can_not_be_done_is_named_and_not_repeated(query: str, field: str) -> None:
    with pytest.raises(BadRequest, match=field) as caught:
        listen(query)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("query", "is_wanted"),
    [
        ("", False),
        ("diarize=false", False),
        ("diarize=true", True),
        ("diarize_model=latest", True),
        ("diarize=false&diarize_model=v1", True),
    ],
)
def test_speakers_are_wanted_with_diarize_or_the_name_of_a_diarizer(
    query: str, *, is_wanted: bool
) -> None:
    assert listen(query).speakers == (SpeakerOptions() if is_wanted else None)
    with pytest.raises(BadRequest, match="diarize_model"):
        listen("diarize_model=v9")
