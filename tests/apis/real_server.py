"""A server with every API and Whisper base, and English speech for it."""

import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import httpx2
import pytest

from auricle.apis.registry import find_apis
from auricle.config.settings import fields
from tests.support.clips import CLIPS, words
from tests.support.command import LIMIT_S, Command, serving
from tests.support.model import CACHE_DIR, bundled_model

FILE, UTTERANCE = CLIPS["pair.wav"], CLIPS["fellow.wav"]
AUDIO, SPOKEN = FILE.path.read_bytes(), words(FILE.text)
PCM, SPOKEN_LIVE = UTTERANCE.pcm.tobytes(), words(UTTERANCE.text)
SECOND = bytes(32_000)
HEADER = "x-auricle-warnings"
LANGUAGES = ("ja", "ko", "ar", "th")
MISSING = {name for name in ("mcp",) if find_spec(name) is None}
"""APIs whose package, an extra, is not installed."""
NAMES = {"ja": "Japanese", "ko": "Korean", "ar": "Arabic", "th": "Thai", "zh": "Chinese"}


class Server:
    """A server with every API."""

    def __init__(self, command: Command, url: str) -> None:
        self.url, self.command = url, command
        self.port = int(url.rpartition(":")[2])

    def port_of(self, name: str) -> int:
        """Return the port of an API with a port of its own."""
        found = re.search(rf'"port": (\d+), "event": "{name}_started"', self.command.stderr)
        assert found is not None
        return int(found[1])

    def post(self, path: str, audio: bytes = AUDIO, /, **query: str) -> httpx2.Response:
        """Send a clip as the body."""
        headers = {"content-type": "audio/wav"}
        url = f"{self.url}{path}"
        answer = httpx2.post(url, params=query, content=audio, headers=headers, timeout=LIMIT_S)
        assert answer.status_code == 200, answer.text
        return answer

    def openai(self, **fields: str) -> httpx2.Response:
        """Send the clip in OpenAI's form."""
        return self.form("/v1/audio/transcriptions", {"file": ("pair.wav", AUDIO)}, fields)

    def form(self, path: str, files: Any, fields: dict[str, str]) -> httpx2.Response:
        """Send a form."""
        answer = httpx2.post(f"{self.url}{path}", files=files, data=fields, timeout=LIMIT_S)
        assert answer.status_code == 200, answer.text
        return answer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    bundled_model()
    known = dict(fields())
    settings: dict[str, object] = {
        api.name: 1 for api in find_apis() if api.name in known and api.name not in MISSING
    }
    settings |= {f"{api.name}_port": 0 for api in find_apis() if api.ports}
    settings |= {"engine": "whisper", "model": "base", "cache_dir": CACHE_DIR}
    settings |= {"max_wait_s": LIMIT_S}  # a busy machine takes long
    folder = tmp_path_factory.mktemp("server")
    with serving(folder, **settings) as (command, url):
        yield Server(command, url)


def check_warning(text: str, language: str) -> None:
    assert f"is in English, not in {NAMES[language]}" in text


def subtitle_words(text: str) -> list[str]:
    """Return the words of a subtitle file."""
    lines = text.splitlines()
    spoken_lines = [line for line in lines if "-->" not in line and not line.isdecimal()]
    return words(" ".join(spoken_lines))
