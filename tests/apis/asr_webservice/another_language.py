"""English speech with another language at this API: the text is English, and it is reported."""

from urllib.parse import urlencode

import httpx2

from tests.apis.real_server import (
    AUDIO,
    HEADER,
    SPOKEN,
    Server,
    check_warning,
    subtitle_words,
)
from tests.support.clips import words


def post(server: Server, **query: str) -> httpx2.Response:
    """Send the clip in a form, with the options in the query."""
    return server.form(f"/asr?{urlencode(query)}", {"audio_file": ("pair.wav", AUDIO)}, {})


async def check_subtitles(server: Server) -> None:
    answer = post(server, language="ja", output="srt")
    check_warning(answer.headers[HEADER], "ja")
    assert subtitle_words(answer.text) == SPOKEN


async def check_json(server: Server) -> None:
    answer = post(server, language="ja", output="json")
    check_warning(answer.headers[HEADER], "ja")
    body = answer.json()
    assert (words(body["text"]), body["language"]) == (SPOKEN, "en")
    check_warning(body["warnings"][0], "ja")


async def check_strict(server: Server) -> None:
    """The requested language may be kept."""
    answer = post(server, output="json", language="ja", strict_language="true")
    assert not set(words(answer.json()["text"])) & set(SPOKEN)
    assert "probably not in Japanese" in answer.headers[HEADER]


CHECKS = (check_subtitles, check_json, check_strict)
