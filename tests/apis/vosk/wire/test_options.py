import pytest

from auricle.apis.vosk.wire.options import VoskOptions
from auricle.values.commands import UpdateConfig
from auricle.values.errors import BadRequest, UnsupportedFormat
from auricle.values.events import Wire
from auricle.values.limits import MAX_HOTWORDS

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("rate", [16000, 16000.0, "16000", "16000.000000"])
def test_the_rate_may_be_written_in_any_way(rate: object) -> None:
    options, warnings = VoskOptions().merged({"sample_rate": rate})
    assert (options.sample_rate_hz, warnings) == (16_000, ())


@pytest.mark.parametrize("rate", ["", 0, 7999, 96001, -8000, 1e300, None, True, [], {}])
def test_a_rate_that_can_t_be_used_is_an_error(rate: object) -> None:
    with pytest.raises(UnsupportedFormat, match="sample_rate must be 8000 to 96000 Hz"):
        VoskOptions().merged({"sample_rate": rate})


def test_an_option_keeps_its_value_until_it_is_changed() -> None:
    config = {"words": 0, "max_alternatives": 3, "model": "de", "punctuate": "0"}
    options, _ = VoskOptions().merged(config)
    assert options == VoskOptions(
        model="de", has_words=False, has_alternatives=True, punctuates=False
    )
    options, _ = options.merged({"max_alternatives": 0, "words": True})
    assert options == VoskOptions(model="de", has_words=True, punctuates=False)


def test_phrases_are_words_to_expect() -> None:
    options, _ = VoskOptions().merged({"phrase_list": ["one two", "three", "[unk]"]})
    assert options.hotwords == ("one two", "three")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("words", "perhaps"),
        ("words", [1]),
        ("max_alternatives", -1),
        ("max_alternatives", "many"),
        ("phrase_list", "one two"),
        ("phrase_list", ["x"] * (MAX_HOTWORDS + 1)),
        ("model", {"path": "x"}),
        ("punctuate", None),
    ],
)
def test_an_invalid_option_has_no_effect_and_is_reported(name: str, value: object) -> None:
    options, warnings = VoskOptions().merged({name: value})
    assert (options, warnings) == (VoskOptions(), (f"{name} is invalid and has no effect.",))


def test_an_unknown_option_is_reported_without_its_value() -> None:
    _, warnings = VoskOptions().merged({"spk_model": "secret", "show_words": 0, "x y": 1})
    assert warnings == ("spk_model is not supported and has no effect.",)


def test_languages_have_many_names() -> None:
    assert VoskOptions().with_language("ar_TN").language == "ar"
    assert VoskOptions().with_language("en-US").language == "en"
    assert VoskOptions(language="de").with_language("auto").language is None
    with pytest.raises(BadRequest):
        VoskOptions().with_language(["de"])


def test_a_session_gets_all_that_concerns_it() -> None:
    options = VoskOptions(16_000, "de", "base", ("Auricle",))
    parameters = options.parameters()
    assert (parameters.format, parameters.sample_rate) == (Wire.PCM16, 16_000)
    assert (parameters.language, parameters.model) == ("de", "base")
    assert parameters.word_timestamps
    assert options.update_command() == UpdateConfig(
        sample_rate=16_000,
        model="base",
        language="de",
        strict_language=False,
        hotwords=("Auricle",),
    )


def test_the_requested_language_may_be_kept() -> None:
    options, _ = VoskOptions().merged({"strict_language": True})
    assert options.parameters().strict_language
    assert options.update_command().strict_language
