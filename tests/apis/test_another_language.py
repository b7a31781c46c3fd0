"""English speech with ``language=ja`` and others, at every API of a real server.

The text is never empty: it is in the language that is spoken, and every API reports it. The native
API is tried with each language, since the others only render what the same engine returned;
`test_ignored_options.py` has the warnings in all formats.
"""

import base64
import json
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.apis.real_server import (
    AUDIO,
    FILE,
    HEADER,
    LANGUAGES,
    PCM,
    SECOND,
    SPOKEN,
    SPOKEN_LIVE,
    UTTERANCE,
    Server,
    check_warning,
    subtitle_words,
)
from tests.support.clips import words
from tests.support.command import LIMIT_S, completed, environment
from tests.support.poll import wait_until
from tests.support.stream import call

pytestmark = [pytest.mark.model, pytest.mark.process]

Check = Callable[[Server], Awaitable[None]]


def checks_of_optional_apis() -> dict[str, Check]:
    """Return ``CHECKS`` of ``another_language.py`` among the tests of each API, by their names."""
    paths = sorted(Path(__file__).parent.glob("*/another_language.py"))
    folders = [path.parent.name for path in paths]
    return {
        f"{folder}-{check.__name__}": check
        for folder in folders
        for check in import_module(f"tests.apis.{folder}.another_language").CHECKS
    }


CHECKS = checks_of_optional_apis()


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
async def test_an_optional_api(server: Server, check: Check) -> None:
    await check(server)


@pytest.mark.parametrize("language", LANGUAGES)
def test_native(server: Server, language: str) -> None:
    answer = server.post("/utterance", language=language)
    body = answer.json()
    assert words(body["text"]) == SPOKEN
    assert (body["language"], {each["language"] for each in body["segments"]}) == ("en", {"en"})
    check_warning(body["warnings"][0], language)
    check_warning(answer.headers[HEADER], language)


def test_native_job(server: Server) -> None:
    headers = {"content-type": "audio/wav"}
    url = f"{server.url}/utterance?wait=0&job_id=a&language=ja"
    accepted = httpx2.post(url, content=AUDIO, headers=headers, timeout=LIMIT_S)
    assert accepted.status_code == 202

    def done() -> Any:
        job = httpx2.get(f"{server.url}/jobs/a", timeout=LIMIT_S).json()
        assert job["state"] in ("queued", "running", "done")
        return job if job["state"] == "done" else None

    job = wait_until(done, "the job")
    assert words(job["result"]["text"]) == SPOKEN
    check_warning(job["result"]["warnings"][0], "ja")


@pytest.mark.parametrize("format", ["srt", "verbose_json"])
def test_openai(server: Server, format: str) -> None:
    answer = server.openai(language="ja", response_format=format)
    check_warning(answer.headers[HEADER], "ja")
    if format == "srt":
        assert subtitle_words(answer.text) == SPOKEN
    else:
        body = answer.json()
        assert (words(body["text"]), body["language"]) == (SPOKEN, "english")
        check_warning(body["warnings"][0], "ja")


def test_openai_stream(server: Server) -> None:
    text = server.openai(language="ja", stream="true").text
    done = json.loads(text.rstrip().splitlines()[-1].removeprefix("data: "))
    assert words(done["text"]) == SPOKEN
    check_warning(done["warnings"][0], "ja")


def test_deepgram(server: Server) -> None:
    answer = server.post("/v1/listen", language="ja")
    body = answer.json()
    assert words(body["results"]["channels"][0]["alternatives"][0]["transcript"]) == SPOKEN
    check_warning(body["metadata"]["warnings"][0], "ja")
    check_warning(answer.headers[HEADER], "ja")


def test_strict_language_keeps_the_requested_one_at_every_api(server: Server) -> None:
    strict = {"language": "ja", "strict_language": "true"}
    native = server.post("/utterance", **strict).json()
    openai = server.openai(**strict)
    deepgram = server.post("/v1/listen", **strict)
    texts = [
        native["text"],
        openai.json()["text"],
        deepgram.json()["results"]["channels"][0]["alternatives"][0]["transcript"],
    ]
    assert not any(set(words(text)) & set(SPOKEN) for text in texts)
    assert native["language"] == "ja"
    for answer in (openai, deepgram):
        assert "probably not in Japanese" in answer.headers[HEADER]


def test_text_in_other_letters_is_reported(server: Server) -> None:
    """Its decoding in the requested language looks sound: English words."""
    answer = server.post("/utterance", UTTERANCE.path.read_bytes(), language="zh")
    body = answer.json()
    assert (words(body["text"]), body["language"]) == (SPOKEN_LIVE, "en")
    check_warning(body["warnings"][0], "zh")
    check_warning(answer.headers[HEADER], "zh")


async def test_native_stream(server: Server) -> None:
    async with call(server.port, format="pcm16", language="ja", partials=0) as it:
        await it.send(PCM + SECOND)
        await it.tell("stop")
        await it.until_closed()
    assert words(" ".join(final["text"] for final in it.of("final"))) == SPOKEN_LIVE
    assert {final["language"] for final in it.of("final")} == {"en"}
    (warning, *_) = it.of("warning")
    assert warning["code"] == "language_improbable"
    check_warning(warning["message"], "ja")


async def test_deepgram_stream(server: Server) -> None:
    query: dict[str, Any] = {"encoding": "linear16", "sample_rate": 16_000, "language": "ja"}
    async with call(server.port, path="/v1/listen", **query) as it:
        await it.send(PCM + SECOND)
        await it.tell("CloseStream")
        await it.until_closed()
    text = " ".join(
        result["channel"]["alternatives"][0]["transcript"] for result in it.of("Results")
    )
    assert words(text) == SPOKEN_LIVE
    check_warning(it.of("Metadata")[0]["warnings"][0], "ja")


async def test_flux(server: Server) -> None:
    query: dict[str, Any] = {
        "encoding": "linear16",
        "sample_rate": 16_000,
        "model": "flux-general-multi",
    }
    async with call(server.port, path="/v2/listen", language_hint="ja", **query) as it:
        await it.send(PCM + SECOND)
        await it.tell("CloseStream")
        await it.until_closed()
    turns = [info for info in it.of("TurnInfo") if info["event"] == "EndOfTurn"]
    assert words(" ".join(turn["transcript"] for turn in turns)) == SPOKEN_LIVE
    warnings = {warning["code"]: warning["description"] for warning in it.of("Warning")}
    check_warning(warnings["LANGUAGE_IMPROBABLE"], "ja")


async def test_realtime(server: Server) -> None:
    completed = "conversation.item.input_audio_transcription.completed"
    session = {
        "type": "transcription",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 16_000},
                "transcription": {"language": "ja"},
                "turn_detection": None,
            }
        },
    }
    async with call(server.port, path="/v1/realtime", intent="transcription") as it:
        await it.tell("session.update", session=session)
        audio = base64.b64encode(PCM + SECOND).decode()
        await it.tell("input_audio_buffer.append", audio=audio)
        await it.tell("input_audio_buffer.commit")
        item = await it.until(completed)
    assert words(item["transcript"]) == SPOKEN_LIVE
    assert item["languages"] == [{"code": "en"}]
    check_warning(item["warnings"][0], "ja")


def test_the_command_line_reports_it(server: Server, tmp_path: Path) -> None:
    result = completed(
        *("transcribe", str(FILE.path), "--url", server.url, "--language", "ja"),
        environ=environment(tmp_path),
    )
    assert words(result.stdout) == SPOKEN
    check_warning(result.stderr.replace("\n", " "), "ja")
