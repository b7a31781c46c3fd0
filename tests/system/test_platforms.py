"""What a server lacks on other systems."""

import pytest

from auricle.system.platforms import what_is_lacking

pytestmark = pytest.mark.unit


def test_a_server_on_linux_lacks_nothing() -> None:
    assert what_is_lacking("linux") is None


@pytest.mark.parametrize(
    ("platform", "name", "instead"), [("darwin", "macOS", "Docker"), ("win32", "Windows", "WSL 2")]
)
def test_one_sentence_says_what_is_lacking_and_what_to_use(
    platform: str, name: str, instead: str
) -> None:
    sentence = what_is_lacking(platform)
    assert sentence is not None
    assert sentence.startswith(f"On {name}, workers have no sandbox")
    assert instead in sentence
    assert sentence.count(".") == 1
