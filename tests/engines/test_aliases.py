"""Names of models in requests."""

import pytest

from auricle.apis.registry import all_products, find_apis
from auricle.engines.aliases import (
    parse_aliases,
    served_name,
    usual_name,
    weights_of,
)
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit

PRODUCTS = all_products(find_apis())
SERVED = {
    "whisper-base": ("base", "whisper-base"),
    "tiny": ("tiny-en", "moonshine-tiny-en"),
    "parakeet": ("sherpa-onnx-nemo-parakeet-tdt-0.6b-v3-int8",),
}


@pytest.mark.parametrize(
    "name",
    [
        *("base", "whisper-base", "openai/whisper-base", "Systran/faster-whisper-base"),
        *("guillaumekln/faster-whisper-base", "rhasspy/faster-whisper-base-int8", "base-int8"),
        *("ggml-base.bin", "mlx-community/whisper-base-mlx", "Xenova/whisper-base", " BASE "),
    ],
)
def test_weights_have_one_spelling(name: str) -> None:
    assert weights_of(name) == "whisper-base"


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("Systran/faster-whisper-base.en", "whisper-base.en"),
        ("deepdml/faster-whisper-large-v3-turbo-ct2", "whisper-large-v3-turbo"),
        ("turbo", "whisper-large-v3-turbo"),
        ("large", "whisper-large-v3"),
        ("Systran/faster-distil-whisper-large-v3", "whisper-distil-large-v3"),
        ("distil-whisper-large-v3-en", "whisper-distil-large-v3"),
        ("distil-whisper/distil-large-v3.5-ct2", "whisper-distil-large-v3.5"),
        ("UsefulSensors/moonshine-tiny", "moonshine-tiny-en"),
        ("moonshine/tiny", "moonshine-tiny-en"),
        ("nvidia/parakeet-tdt-0.6b-v3", "parakeet-tdt-0.6b-v3"),
        ("istupakov/parakeet-tdt-0.6b-v3-onnx", "parakeet-tdt-0.6b-v3"),
        ("somebody/whisper-base", "somebody/whisper-base"),
        ("", ""),
        ("/", ""),
    ],
)
def test_weights_are_told_apart(name: str, weights: str) -> None:
    assert weights_of(name) == weights


def test_only_known_weights_have_a_usual_name() -> None:
    assert usual_name("base") == "whisper-base"
    assert usual_name("Systran/faster-whisper-large-v3") == "whisper-large-v3"
    assert usual_name("Our-Model_v2") == "Our-Model_v2"
    assert usual_name("somebody/whisper-base") == "somebody/whisper-base"


@pytest.mark.parametrize(
    ("requested", "name"),
    [
        ("", "whisper-base"),
        ("Tiny", "tiny"),  # a served name comes before Whisper tiny
        ("whisper-base", "whisper-base"),
        ("default", "whisper-base"),
        ("auto", "whisper-base"),
        ("fast", "tiny"),
        ("nova-3", "parakeet"),  # the operator's alias comes before the product
        ("nova-2-phonecall", "whisper-base"),
        ("whisper-1", "whisper-base"),
        ("gpt-4o-mini-transcribe-2025-03-20", "whisper-base"),
        ("gpt-4o-transcribe-diarize", "whisper-base"),
        ("gpt-realtime-whisper", "whisper-base"),
        ("base", "whisper-base"),  # also a product of another service
        ("Systran/faster-whisper-base", "whisper-base"),
        ("moonshine-tiny", "tiny"),
        ("nvidia/parakeet-tdt-0.6b-v3", "parakeet"),
    ],
)
def test_a_request_means_a_served_model(requested: str, name: str) -> None:
    aliases = parse_aliases(("fast=tiny", "Nova-3 = Parakeet"), list(SERVED))
    assert served_name(requested, SERVED, aliases, PRODUCTS) == name


@pytest.mark.parametrize(
    "requested",
    ["large-v3", "openai/whisper-small", "gpt-5", "somebody/whisper-base", "nova-4", "whisper-2"],
)
def test_other_names_are_unknown(requested: str) -> None:
    assert served_name(requested, SERVED, {}, PRODUCTS) is None


def test_a_product_that_is_the_name_of_other_weights_is_the_default_model() -> None:
    assert served_name("base", {"tiny": ("moonshine-tiny-en",)}, {}, PRODUCTS) == "tiny"


def test_products_are_written_in_lower_case() -> None:
    assert all(name == name.lower() for name in PRODUCTS)


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        ("fast", "pairs such as"),
        ("=tiny", "pairs such as"),
        ("fast=", "pairs such as"),
        ("Tiny=parakeet", "Tiny is the name of a model"),
        ("fast=canary", "canary, which is not served; use one of whisper-base, tiny, parakeet"),
    ],
)
def test_an_alias_that_means_nothing_is_reported(pair: str, problem: str) -> None:
    with pytest.raises(SetupError, match=problem):
        parse_aliases((pair,), list(SERVED))
