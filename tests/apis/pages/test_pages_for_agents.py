"""``/llms.txt``: its commands work as they are written, and its links lead somewhere."""

import json
import re
import subprocess
import wave
from pathlib import Path
from typing import Any

import httpx2
import pytest

from auricle.apis.pages.pages import FOR_AGENTS
from supply.site.gather import site_paths
from tests.apis.real_server import Server
from tests.support.clips import CLIPS, words
from tests.support.command import LIMIT_S
from tests.support.dialogue import dialogue
from tests.support.poll import wait_until

pytestmark = pytest.mark.model

TEXT = FOR_AGENTS.read_text()
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()
]
OPTIONS = re.findall(r"`(\w+=[\w,]+)`", TEXT)
ADDRESS, RECORDING = "http://127.0.0.1:6007", "recording.mp3"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a recording of two people; the server looks at its content only."""
    with wave.open(str(tmp_path / RECORDING), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(dialogue().tobytes())
    return tmp_path


def run(command: str, server: Server, folder: Path) -> str:
    """Run a command in a folder, with the address of the server as the only change."""
    done = subprocess.run(
        ["sh", "-c", command.replace(ADDRESS, server.url)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT_S,
    )
    return done.stdout


def check_transcript(transcript: dict[str, Any]) -> None:
    segments = transcript["segments"]
    assert all(segment["start"] < segment["end"] for segment in segments)
    assert {segment["speaker"] for segment in segments} == {0, 1}
    assert segments[0]["speaker"] == segments[-1]["speaker"]
    first = words(CLIPS["fellow.wav"].text)
    assert words(transcript["text"])[: len(first)] == first
    assert (transcript["language"], transcript["error"]) == ("en", None)


@pytest.mark.wall_clock
def test_its_commands_transcribe_a_recording_with_its_speakers(
    server: Server, folder: Path
) -> None:
    at_once, as_job, ask, subtitles = COMMANDS
    check_transcript(json.loads(run(at_once, server, folder)))
    job_id = json.loads(run(as_job, server, folder))["job_id"]
    ask = ask.replace("JOB_ID", job_id)
    wait_until(lambda: json.loads(run(ask, server, folder))["state"] == "done", "the job")
    check_transcript(json.loads(run(ask, server, folder))["result"])
    assert "00:00:00," in run(subtitles, server, folder)


def test_its_options_and_fields_are_those_of_a_response(server: Server) -> None:
    assert len(OPTIONS) > 5
    query = dict(option.split("=") for option in OPTIONS if option != "wait=0")
    transcript = server.post("/utterance", **query).json()
    (paragraph,) = re.findall(r"^The response is JSON.*?(?= Further options)", TEXT, re.MULTILINE)
    names = set(re.findall(r"`(\w+)`", paragraph)) - {"en", "name", "speakers", "warnings"}
    assert len(names) > 5
    assert names <= {*transcript, *transcript["segments"][0]}


def test_errors_look_as_it_says(server: Server) -> None:
    (example,) = re.findall(r'`(\{"error".*?\})`', TEXT)
    error = httpx2.get(f"{server.url}/jobs/none", timeout=LIMIT_S).json()
    assert error["error"].keys() == json.loads(example)["error"].keys()


def test_openai_s_route_returns_each_format_that_it_names(server: Server) -> None:
    (sentence,) = re.findall(r"`response_format` is (.*)", TEXT)
    formats = re.findall(r"`(\w+)`", sentence)
    assert len(formats) > 5
    for name in formats:
        assert server.openai(model="whisper-1", response_format=name).text, name


def test_its_links_are_paths_of_the_server_and_pages_of_the_site(server: Server) -> None:
    pages = {f"/docs/{place.removesuffix('.md')}.html" for place in site_paths().values()}
    links = re.findall(r"^- \[[^\]]+\]\((\S+)\)", TEXT, re.MULTILINE)
    assert len(links) > 10
    for link in links:
        if link.startswith("/docs/"):
            assert link in pages, link
        else:
            assert httpx2.get(f"{server.url}{link}", timeout=LIMIT_S).status_code == 200, link


def test_its_options_are_those_of_the_openapi_document(server: Server) -> None:
    document = httpx2.get(f"{server.url}/openapi.json", timeout=LIMIT_S).json()
    parameters = document["paths"]["/utterance"]["post"]["parameters"]
    names = {parameter["name"] for parameter in parameters}
    assert set(re.findall(r"[?&`](\w+)=", TEXT)) <= names
