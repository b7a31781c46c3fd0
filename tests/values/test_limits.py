"""Limits of speech input: the browser's library repeats some of them in another language."""

import re
from pathlib import Path

import pytest

from auricle.values import limits

pytestmark = pytest.mark.unit

BROWSER = Path(__file__).parents[2] / "web" / "src"
CONSTANT = re.compile(r"const (\w+) = ([\d_.]+);")


@pytest.mark.parametrize(
    ("file", "constant", "limit"),
    [
        ("parameters.ts", "MAX_PROMPT_CHARACTERS", limits.MAX_PROMPT_CHARACTERS),
        ("parameters.ts", "MAX_HOTWORDS", limits.MAX_HOTWORDS),
        ("parameters.ts", "MAX_HOTWORD_CHARACTERS", limits.MAX_HOTWORD_CHARACTERS),
        ("parameters.ts", "MIN_ENDPOINT_MILLISECONDS", limits.MIN_ENDPOINT_MS),
        ("parameters.ts", "MAX_ENDPOINT_MILLISECONDS", limits.MAX_ENDPOINT_MS),
        ("wire.ts", "MAX_PACKET_BYTES", limits.MAX_PACKET_BYTES),
        ("audio-format.ts", "FRAME_MILLISECONDS", limits.DEFAULT_PACKET_MS),
    ],
)
def test_the_browsers_library_has_the_same_limits(file: str, constant: str, limit: int) -> None:
    constants = dict(CONSTANT.findall((BROWSER / file).read_text(encoding="utf-8")))
    assert float(constants[constant].replace("_", "")) == limit


def test_hotwords_are_bounded_in_number_and_length() -> None:
    longest = "x" * limits.MAX_HOTWORD_CHARACTERS
    assert limits.are_valid_hotwords([longest] * limits.MAX_HOTWORDS)
    assert not limits.are_valid_hotwords([longest] * (limits.MAX_HOTWORDS + 1))
    assert not limits.are_valid_hotwords([longest + "x"])


def test_each_configuration_of_a_packet_has_a_frame_size() -> None:
    assert len(limits.OPUS_FRAME_MS) == 32
    assert min(limits.OPUS_FRAME_MS) == limits.MIN_PACKET_MS
