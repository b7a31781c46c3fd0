"""Commands of a live session: their defaults and limits."""

import msgspec
import pytest

from auricle.values.commands import Configure, StreamParameters, UpdateConfig
from auricle.values.limits import (
    MAX_ENDPOINT_MS,
    MAX_HOTWORDS,
    MAX_PROMPT_CHARACTERS,
    MIN_ENDPOINT_MS,
)


@pytest.mark.parametrize(
    ("start_sample", "safe_sample", "expected"), [(0, 0, 0), (500, 0, 500), (500, 900, 900)]
)
def test_results_begin_after_the_audio_that_is_in_finals(
    start_sample: int, safe_sample: int, expected: int
) -> None:
    parameters = StreamParameters(start_sample=start_sample, safe_sample=safe_sample)
    assert parameters.resume_sample == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"endpoint_ms": MIN_ENDPOINT_MS - 1},
        {"endpoint_ms": MAX_ENDPOINT_MS + 1},
        {"prompt": "x" * (MAX_PROMPT_CHARACTERS + 1)},
        {"hotwords": ["x"] * (MAX_HOTWORDS + 1)},
    ],
)
def test_values_beyond_the_limits_are_rejected(fields: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fields, StreamParameters)


def test_an_update_of_the_configuration_is_a_configure_command() -> None:
    update = UpdateConfig(hotwords=("Auricle",))
    assert isinstance(update, Configure)
    assert update.language is msgspec.UNSET
