"""The query of ``/v2/listen``, and changed thresholds."""

from urllib.parse import parse_qsl

import pytest

from auricle.apis.deepgram.wire.flux_query import (
    ChangedThresholds,
    ListenTurns,
    Thresholds,
    parameters_of,
    parse_listen_turns,
)
from auricle.values.errors import BadRequest
from auricle.values.events import Wire
from auricle.values.types import Redact, TurnDetection

pytestmark = pytest.mark.unit

LINEAR = "model=flux-general-en&encoding=linear16&sample_rate=16000"


def listen(query: str = LINEAR) -> ListenTurns:
    return parse_listen_turns(parse_qsl(query, keep_blank_values=True))


def test_the_query_becomes_the_parameters_of_a_session() -> None:
    query = "&eot_threshold=0.8&eager_eot_threshold=0.4&eot_timeout_ms=2000&keyterm=a&keyterm=b"
    shown = parameters_of(listen(LINEAR + query))
    assert (shown.format, shown.sample_rate, shown.channels) == (Wire.PCM16, 16_000, 1)
    assert (shown.language, shown.hotwords) == ("en", ("a", "b"))
    assert shown.turns == TurnDetection(0.8, 0.4, 2000)
    assert shown.partials
    assert shown.word_timestamps


def test_the_defaults_are_those_of_deepgram() -> None:
    assert parameters_of(listen()).turns == TurnDetection(0.7, None, 5000)


def test_an_eager_end_is_never_later_than_the_end() -> None:
    shown = parameters_of(listen(f"{LINEAR}&eager_eot_threshold=0.9"))
    assert shown.turns == TurnDetection(0.7, 0.7, 5000)


@pytest.mark.parametrize(
    ("query", "language", "languages"),
    [
        ("model=flux-general-en&language_hint=de", "en", ()),
        ("model=flux-general-multi", None, ()),
        ("model=flux-general-multi&language_hint=de-AT", "de", ()),
        ("model=flux-general-multi&language_hint=de&language_hint=fr", None, ("de", "fr")),
        ("model=whisper-base", None, ()),
    ],
)
def test_only_the_english_model_is_english(
    query: str, language: str | None, languages: tuple[str, ...]
) -> None:
    shown = listen(query)
    assert (shown.language, shown.languages) == (language, languages)


def test_private_data_is_hidden_by_the_session() -> None:
    shown = parameters_of(listen(f"{LINEAR}&redact=aggressive_numbers&redact=email"))
    assert shown.redact == (Redact.NUMBERS, Redact.EMAIL)


def test_what_has_no_effect_is_reported() -> None:
    query = "&tag=a&mip_opt_out=true&profanity_filter=true&numerals=false&turbo=1"
    assert listen(LINEAR + query).warnings == (
        "profanity_filter is not supported and has no effect.",
        "turbo is not supported and has no effect.",
    )


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("encoding=linear16", "sample_rate"),
        ("encoding=flac", "encoding"),
        ("encoding=linear16&sample_rate=7", "sample_rate"),
        ("eot_threshold=0.4", "eot_threshold"),
        ("eot_threshold=high", "eot_threshold"),
        ("eager_eot_threshold=0.95", "eager_eot_threshold"),
        ("eot_timeout_ms=499", "eot_timeout_ms"),
        ("model=flux-general-multi&language_hint=elvish", "language"),
        ("redact=names", "redact"),
    ],
)
def test_a_value_that_can_not_be_used_is_refused(query: str, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        listen(query)


def test_absent_thresholds_are_kept_and_null_ends_eager_turns() -> None:
    first = Thresholds(eager_eot_threshold=0.5, eot_threshold=0.9, eot_timeout_ms=700)
    assert ChangedThresholds(eot_threshold=0.6).applied_to(first) == Thresholds(
        eager_eot_threshold=0.5, eot_threshold=0.6, eot_timeout_ms=700
    )
    assert ChangedThresholds(eager_eot_threshold=None).applied_to(first).turns == TurnDetection(
        0.9, None, 700
    )
