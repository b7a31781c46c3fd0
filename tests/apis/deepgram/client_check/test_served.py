"""``auricle doctor --client`` as voice agents with real servers."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.doctor import doctor, served

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("server")) as (_, url):
        yield url


@pytest.mark.wall_clock
def test_speech_is_streamed_as_the_program_streams_it(url: str, tmp_path: Path) -> None:
    done = doctor(tmp_path, "pipecat", url)
    assert re.search(r"speech    [\d.]+% word errors in 30 words, text [\d.]+ s after", done.stdout)
    assert done.returncode == 1  # the engine is scripted


def test_a_stream_at_a_wrong_path_or_with_a_wrong_key(url: str, tmp_path: Path) -> None:
    done = doctor(tmp_path, "livekit", url)
    assert f"Enter the URL {url}/v1/listen in LiveKit Agents." in done.stdout
    done = doctor(tmp_path, "pipecat", url, "sk-of-somebody-else")
    assert "HTTP 401" in done.stdout
    done = doctor(tmp_path, "pipecat", url.replace("http", "wss"))
    assert "Enter the URL ws://" in done.stdout
