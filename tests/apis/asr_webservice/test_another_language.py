"""English speech with another language: the text is English, and the API reports it."""

from urllib.parse import urlencode

import httpx2
import pytest

from tests.apis.real_server import (
    AUDIO,
    SPOKEN,
    Server,
    check_warning,
)
from tests.apis.test_another_language import HEADER, subtitle_words
from tests.support.clips import words

pytestmark = [pytest.mark.model, pytest.mark.process]


def post(server: Server, **query: str) -> httpx2.Response:
    """Send the clip in a form, with the options in the query."""
    return server.form(f"/asr?{urlencode(query)}", {"audio_file": ("pair.wav", AUDIO)}, {})


@pytest.mark.parametrize("output", ["srt", "json"])
def test_it_is_reported(server: Server, output: str) -> None:
    answer = post(server, language="ja", output=output)
    check_warning(answer.headers[HEADER], "ja")
    if output == "json":
        body = answer.json()
        assert (words(body["text"]), body["language"]) == (SPOKEN, "en")
        check_warning(body["warnings"][0], "ja")
    else:
        assert subtitle_words(answer.text) == SPOKEN


def test_the_requested_language_may_be_kept(server: Server) -> None:
    answer = post(server, output="json", language="ja", strict_language="true")
    assert not set(words(answer.json()["text"])) & set(SPOKEN)
    assert "probably not in Japanese" in answer.headers[HEADER]
