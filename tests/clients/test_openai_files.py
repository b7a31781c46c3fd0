"""OpenAI's own packages for Python and Node, and curl, on files; only address and key are ours."""

import json
import subprocess
import wave
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from tests.clients.environment import PAGES, Client, printed, program, snippet, until_ready
from tests.clients.scores import Scores
from tests.clients.server import RealServer, real_server
from tests.support.clips import CLIPS, Clip
from tests.support.command import LIMIT_S, ROOT

pytestmark = [pytest.mark.model, pytest.mark.outside]

PYTHON, PREVIOUS, NODE = Client("client-openai"), Client("client-litellm"), Client("npm-openai")
NEWEST_FOR_NODE = "openai-7"  # installed beside the major before it
FELLOW, SHORT, PAIR, STORY = (
    CLIPS[name] for name in ("fellow.wav", "short.wav", "pair.wav", "story.ogg")
)


def named(client: Client) -> str:
    return f"openai ({'Node' if client.is_node else 'Python'}) {client.version('openai')}"


@pytest.fixture(scope="module")
def answers(server: RealServer) -> Any:
    """Return every kind of answer that the Python package gives."""
    return json.loads(PYTHON.run(program("openai_formats.py"), f"{server.url}/v1", server.key))


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Return a minute and a half of speech, made of the clips."""
    parts = [CLIPS[name] for name in ("fellow.wav", "pair.wav", "short.wav")] * 6
    pause = np.zeros(8_000, np.int16)
    pcm = np.concatenate([array for clip in parts for array in (clip.pcm, pause)])
    path = tmp_path_factory.mktemp("long") / "long.wav"
    with wave.open(str(path), "wb") as sink:
        sink.setparams((1, 2, 16_000, 0, "NONE", ""))
        sink.writeframes(pcm.tobytes())
    return Clip(path, "long", pcm.size, "en", " ".join(clip.text for clip in parts))


def cues(kind: str, text: str) -> list[tuple[float, float, str]]:
    """Return subtitles as a well-kept parser reads them; it raises for what is malformed."""
    found = json.loads(Client("client-subtitles").run(program("subtitles.py"), kind, text))
    return [tuple(cue) for cue in found]


# Python.


def test_every_format_has_the_words(answers: Any, scores: Scores) -> None:
    for way, clip, heard in (
        ("json", FELLOW, answers["json"]["text"]),
        ("json with hints", FELLOW, answers["hinted"]["text"]),
        ("json, chunked", SHORT, answers["chunked"]["text"]),
        ("text", FELLOW, answers["text"]),
        ("verbose_json", FELLOW, answers["verbose"]["text"]),
        ("verbose_json, words", FELLOW, answers["words"]["text"]),
        ("translation", PAIR, answers["english"]["text"]),
    ):
        assert scores.add(named(PYTHON), way, clip, heard).total == 0, way


def test_subtitles_can_be_read(answers: Any, scores: Scores) -> None:
    assert answers["vtt"].startswith("WEBVTT\n\n")
    for kind, clip in (("srt", STORY), ("vtt", FELLOW)):
        found = cues(kind, answers[kind])
        heard = " ".join(text for _, _, text in found)
        assert scores.add(named(PYTHON), kind, clip, heard).total == 0
        assert all(start < end for start, end, _ in found)
        assert all(end <= start for (_, end, _), (start, _, _) in pairwise(found))
        assert found[-1][1] <= clip.samples / 16_000 + 0.001


def test_json_has_language_and_duration(answers: Any) -> None:
    assert answers["json"]["usage"] == {"type": "duration", "seconds": 7}
    assert answers["json"]["languages"] == [{"code": "en"}]


def test_verbose_json_has_segments_or_words_as_asked(answers: Any) -> None:
    plain, words = answers["verbose"], answers["words"]
    assert (plain["task"], plain["language"]) == ("transcribe", "english")
    assert plain["duration"] == pytest.approx(FELLOW.samples / 16_000, abs=0.05)
    assert "words" not in plain
    for segment in (*plain["segments"], *words["segments"]):
        assert segment["avg_logprob"] < 0
        assert segment["compression_ratio"] > 0
        assert 0 < segment["no_speech_prob"] < 1
    assert plain["segments"][0]["tokens"] == []
    assert words["segments"][0]["tokens"]
    assert " ".join(word["word"] for word in words["words"]) == words["text"]
    starts = [word["start"] for word in words["words"]]
    assert starts == sorted(starts)


def test_translations_say_so(answers: Any) -> None:
    assert (answers["english"]["task"], answers["english"]["language"]) == ("translate", "english")


def test_models_are_listed_and_found(answers: Any) -> None:
    assert {"whisper-base", "whisper-1", "gpt-4o-transcribe"} <= set(answers["models"])
    assert answers["model"]["object"] == "model"


def test_deltas_come_while_the_file_is_worked_on(
    server: RealServer, scores: Scores, long_clip: Clip
) -> None:
    url = f"{server.url}/v1"
    events = json.loads(
        PYTHON.run(program("openai_stream.py"), url, server.key, str(long_clip.path))
    )
    *deltas, done = events
    assert {event["type"] for event in deltas} == {"transcript.text.delta"}
    assert len(deltas) > 1
    assert "".join(event["delta"] for event in deltas) == done["text"]
    first_s, last_s = deltas[0]["at_s"], done["at_s"]
    figures = f"{len(deltas)} deltas, first at {first_s:.1f} s, done at {last_s:.1f} s"
    found = scores.add(named(PYTHON), "stream=True", long_clip, done["text"], figures)
    assert found.percent < 3


def test_a_worker_that_is_killed_in_mid_request_is_not_noticed(
    server: RealServer, scores: Scores
) -> None:
    server.until_at_rest()
    arguments = (f"{server.url}/v1", server.key, str(STORY.path))
    with PYTHON.start(program("openai_stream.py"), *arguments) as process:
        server.kill_busy_worker()
        *deltas, done = json.loads(printed(process))
    assert "".join(event["delta"] for event in deltas) == done["text"]
    way = "stream, worker killed"
    assert scores.add(named(PYTHON), way, STORY, done["text"]).total == 0
    server.until_at_rest()


def test_a_client_that_hangs_up_frees_its_place(server: RealServer, long_clip: Clip) -> None:
    server.until_at_rest()
    url = f"{server.url}/v1"
    arguments = (url, server.key, str(long_clip.path))
    with PYTHON.start(program("openai_stream.py"), *arguments):
        server.until(lambda health: health["files"]["working"])
    server.until_at_rest()


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """A server that is strict about models and sizes; its engine is made up, and at once ready."""
    with real_server(
        tmp_path_factory.mktemp("strict"),
        engine="tests.support.scripted_engine",
        unknown_models="reject",
        max_upload_mb=25,
        workers=1,
        backoff_first_s=4,
    ) as started:
        yield started


@pytest.mark.parametrize("client", [PYTHON, PREVIOUS], ids=["3", "2"])
def test_what_can_not_be_done_raises_the_class_for_it(strict: RealServer, client: Client) -> None:
    url = f"{strict.url}/v1"
    raised = json.loads(client.run(program("openai_errors.py"), url, strict.key, str(SHORT.path)))
    bad = "BadRequestError"
    assert raised == {
        "wrong key": ["AuthenticationError", 401, "invalid_api_key", None],
        "unknown model": ["NotFoundError", 404, "model_not_found", "model"],
        "unknown format": [bad, 400, "bad_request", "response_format"],
        "no speakers": [bad, 400, "bad_request", "num_speakers"],
        "known speaker": [bad, 400, "bad_request", "known_speaker_references"],
        "wrong type": [bad, 400, "bad_request", "temperature"],
        "out of range": [bad, 400, "bad_request", "temperature"],
        "wrong granularity": [bad, 400, "bad_request", "timestamp_granularities"],
        "wrong language": [bad, 400, "bad_request", "language"],
        "empty file": [bad, 400, "empty_audio", None],
        "not audio": [bad, 400, "unsupported_format", None],
        "26 MB": ["APIStatusError", 413, "too_large", None],
        "no file": [bad, 400, "bad_request", "file"],
        "stream of noise": [bad, 400, "unsupported_format", None],
        "model": ["NotFoundError", 404, "model_not_found", "model"],
        "no such path": ["NotFoundError", 404, "not_found", None],
        "good": None,
    }
    assert "Traceback" not in strict.command.stderr
    assert "unexpected_error" not in strict.command.stderr


def test_a_refusal_is_tried_again_by_the_package_itself(strict: RealServer, tmp_path: Path) -> None:
    go = tmp_path / "go"
    arguments = (f"{strict.url}/v1", strict.key, str(SHORT.path), str(go))
    with PYTHON.start(program("openai_retry.py"), *arguments) as process:
        until_ready(process)
        strict.make_back_off()
        go.touch()
        answer = json.loads(printed(process))
    assert answer["retries"] > 0
    assert answer["text"]


# The pages.


def page(server: RealServer, client: Client, headings: list[str]) -> list[str]:
    """Run a page's snippets behind the one that makes the client, and return what each prints."""
    name, kind, mark = ("openai-python.md", "python", "print('=====')\n")
    if client.is_node:
        name, kind, mark = ("openai-node.md", "js", "console.log('=====');\n")
    start = server.fill(snippet(name, "The client", kind))
    parts = [snippet(name, heading, kind) for heading in headings]
    return client.run(start + mark.join(parts)).split("=====\n")


def curl(server: RealServer, heading: str) -> str:
    """Run a snippet of curl's page."""
    return subprocess.run(
        ["bash", "-euc", server.fill(snippet("curl.md", heading, "sh"))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    ).stdout


def timed_words(lines: str) -> str:
    """Return the words behind their two times."""
    rows = [line.split(maxsplit=2) for line in lines.splitlines()]
    assert all(0 <= float(start) <= float(end) for start, end, _ in rows)
    return " ".join(word for _, _, word in rows)


def text_of_events(lines: str) -> str:
    events = [json.loads(line.removeprefix("data: ")) for line in lines.splitlines() if line]
    text = "".join(event["delta"] for event in events[:-1])
    assert events[-1]["text"] == text
    return text


def test_the_pages_name_the_versions_that_are_tested() -> None:
    for name, versions in (
        ("openai-python.md", [PYTHON.version("openai"), PREVIOUS.version("openai")]),
        ("openai-node.md", [NODE.version(NEWEST_FOR_NODE), NODE.version("openai")]),
    ):
        assert f"`openai` {' and '.join(versions)}" in (PAGES / name).read_text()


def test_the_page_for_python(server: RealServer, scores: Scores) -> None:
    text, subtitles, words, stream, english = page(
        server,
        PYTHON,
        [
            "Transcribe a file",
            "Subtitles",
            "Word timestamps",
            "Stream the text of a file",
            "Translate to English",
        ],
    )
    heard = {
        ("page, mp3", FELLOW): text,
        ("page, vtt", PAIR): " ".join(cue[2] for cue in cues("vtt", subtitles)),
        ("page, words", FELLOW): timed_words(words),
        ("page, stream", STORY): stream,
        ("page, translation", FELLOW): english,
    }
    for (way, clip), said in heard.items():
        assert scores.add(named(PYTHON), way, clip, said).total == 0, way


def test_the_page_for_node(server: RealServer, scores: Scores) -> None:
    text, words, stream = page(
        server,
        NODE,
        [
            "Transcribe a file",
            "Word timestamps",
            "Stream the text of a file",
        ],
    )
    heard = {
        ("page, mp3", FELLOW): text,
        ("page, words", FELLOW): timed_words(words),
        ("page, stream", STORY): stream,
    }
    for (way, clip), said in heard.items():
        assert scores.add(named(NODE), way, clip, said).total == 0, way


def test_the_page_for_curl(server: RealServer, scores: Scores) -> None:
    version = subprocess.check_output(["curl", "--version"], text=True).split()[1]
    verbose = json.loads(curl(server, "Word timestamps"))
    subtitles = cues("srt", curl(server, "Subtitles"))
    heard = {
        ("page, text", FELLOW): curl(server, "Transcribe a file"),
        ("page, srt", PAIR): " ".join(text for _, _, text in subtitles),
        ("page, words", FELLOW): " ".join(word["word"] for word in verbose["words"]),
        ("page, stream", STORY): text_of_events(curl(server, "Stream the text of a file")),
    }
    for (way, clip), text in heard.items():
        assert scores.add(f"curl {version}", way, clip, text).total == 0, way
    assert "whisper-1" in curl(server, "List models")


def test_what_open_webui_sends_with_the_settings_on_its_page(
    server: RealServer, scores: Scores
) -> None:
    lines = server.fill(snippet("open-webui.md", "Open WebUI", "sh")).splitlines()
    given = dict(line.split("=", 1) for line in lines)
    assert given["AUDIO_STT_ENGINE"] == "openai"
    answer = httpx2.post(  # as its routers/audio.py does
        f"{given['AUDIO_STT_OPENAI_API_BASE_URL']}/audio/transcriptions",
        headers={"Authorization": f"Bearer {given['AUDIO_STT_OPENAI_API_KEY']}"},
        files={"file": (FELLOW.path.name, FELLOW.path.read_bytes())},
        data={"model": given["AUDIO_STT_MODEL"]},
        timeout=LIMIT_S,
    )
    assert scores.add("Open WebUI (as it asks)", "json", FELLOW, answer.json()["text"]).total == 0


# Node.


@pytest.mark.parametrize("package", ["openai", NEWEST_FOR_NODE])
def test_the_package_for_node_gets_the_same_answers_and_errors(
    server: RealServer, scores: Scores, package: str
) -> None:
    arguments = (package, f"{server.url}/v1", server.key)
    seen = json.loads(NODE.run(program("openai_files.mjs"), *arguments))
    name = f"openai (Node) {NODE.version(package)}"
    heard = {
        ("json with hints", FELLOW): seen["json"]["text"],
        ("text", FELLOW): seen["text"],
        ("vtt", PAIR): " ".join(text for _, _, text in cues("vtt", seen["vtt"])),
        ("translation", PAIR): seen["english"]["text"],
    }
    for (way, clip), text in heard.items():
        assert scores.add(name, way, clip, text).total == 0, way
    assert "whisper-1" in seen["models"]
    assert seen["raised"] == {
        "wrong key": ["AuthenticationError", 401, "invalid_api_key", None],
        "wrong type": ["BadRequestError", 400, "bad_request", "temperature"],
        "not audio": ["BadRequestError", 400, "unsupported_format", None],
    }
