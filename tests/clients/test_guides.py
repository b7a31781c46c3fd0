"""The lines of the pages: the doctor's for each program, LiteLLM's, and those about whisper-1."""

import json
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from auricle.cli.doctor.client.catalogue import clients
from auricle.protocol.client_profile import Upload
from tests.clients.environment import PAGES, Client, program, snippet
from tests.clients.scores import Scores
from tests.clients.server import RealServer
from tests.support.clips import CLIPS, words
from tests.support.command import LIMIT_S, ROOT, completed, environment

pytestmark = [pytest.mark.model, pytest.mark.outside]

LITELLM, OPENAI = Client("client-litellm"), Client("client-openai")
LITELLM_NAME = f"litellm {LITELLM.version('litellm')}"
FELLOW = CLIPS["fellow.wav"]
DOCTOR = re.compile(r"^.*auricle doctor --client .*$", re.MULTILINE)
MOVING = "moving-off-whisper-1.md"


def port(server: RealServer, name: str) -> str:
    found = re.search(rf'"port": (\d+), "event": "{name}_started"', server.command.stderr)
    assert found
    return found[1]


def filled(server: RealServer, line: str) -> str:
    """Return a line of a page with this server's addresses and key."""
    line = line.replace("127.0.0.1:6007", server.address).replace("YOUR_KEY", server.key)
    line = line.replace(":10300", f":{port(server, 'wyoming')}")
    return line.replace(":2700", f":{port(server, 'vosk')}")


def parsed(line: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return the arguments of a page's line, and its environment: variables come first."""
    parts = shlex.split(line)
    at = parts.index("auricle")
    variables = dict(part.split("=", 1) for part in parts[:at])
    return parts[at + 1 :], environment(folder) | variables


def in_this_process(line: str, folder: Path) -> str:
    arguments, environ = parsed(line, folder)
    done = completed(*arguments, environ=environ)
    return f"{done.stdout}{done.stderr}exit code {done.returncode}"


def in_a_process(line: str, folder: Path) -> str:
    arguments, environ = parsed(line, folder)
    command = [sys.executable, "-m", "auricle", *arguments]
    done = subprocess.run(
        command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    return f"{done.stdout}{done.stderr}exit code {done.returncode}"


def assert_is_understood(shown: str) -> None:
    assert shown.endswith("exit code 0"), shown
    errors = re.search(r"^ok       speech    ([\d.]+)% word errors", shown, re.MULTILINE)
    assert errors, shown
    assert float(errors[1]) < 7, shown


def test_what_each_program_sends_is_understood(server: RealServer, tmp_path: Path) -> None:
    lines = {line for page in PAGES.glob("*.md") for line in DOCTOR.findall(page.read_text())}
    named = {line: line.partition("--client ")[2].split()[0] for line in lines}
    programs = clients()
    files = {line for line in lines if isinstance(programs[named[line]].traffic, Upload)}
    server.until_at_rest()
    with ThreadPoolExecutor(max_workers=4) as pool:  # streams last as long as the speech
        streams = [
            pool.submit(in_a_process, filled(server, line), tmp_path)
            for line in sorted(lines - files)
        ]
        for line in sorted(files):
            assert_is_understood(in_this_process(filled(server, line), tmp_path))
        for stream in streams:
            assert_is_understood(stream.result())


def test_litellm_with_the_configuration_of_its_page(server: RealServer, scores: Scores) -> None:
    config = server.fill(snippet("litellm.md", "LiteLLM", "yaml"))
    settings = snippet("litellm.md", "Two servers, or a server and a service", "yaml")
    python = server.fill(snippet("litellm.md", "From Python", "python"))
    code = program("litellm_router.py") + python
    *routed, direct = LITELLM.run(code, config, settings, str(FELLOW.path)).splitlines()
    assert len(routed) == 6
    for text in routed:
        assert scores.add(LITELLM_NAME, "router, page", FELLOW, text).total == 0
    assert scores.add(LITELLM_NAME, "transcription, page", FELLOW, direct).total == 0
    assert f"`litellm` {LITELLM.version('litellm')}" in (PAGES / "litellm.md").read_text()


def moved(server: RealServer, heading: str) -> str:
    """Run a program of the page about whisper-1, with the variables of the page."""
    settings = server.fill(snippet(MOVING, "Change the address, not the program", "ini"))
    variables = dict(line.split("=", 1) for line in settings.splitlines())
    code = snippet(MOVING, heading, "python")
    code = server.fill(code) if "127.0.0.1" in code else code
    return OPENAI.run(f"import os\nos.environ.update({variables!r})\n{code}")


def test_a_program_moves_off_whisper_1(server: RealServer, scores: Scores) -> None:
    shown = moved(server, "Change the address, not the program")
    text, count, subtitles = re.fullmatch(r"(.*) (\d+) (1\n.*)", shown, re.DOTALL).groups()  # type: ignore[union-attr]
    name = f"openai (Python) {OPENAI.version('openai')}"
    assert scores.add(name, "moved off whisper-1", FELLOW, text).total == 0
    assert int(count) == len(words(FELLOW.text))
    assert " --> " in subtitles
    shown = moved(server, "Compare before you switch")
    assert re.fullmatch(r"testdata/fellow.wav: 0 of \d+ words differ\n", shown)


def test_curl_moves_off_whisper_1(server: RealServer) -> None:
    lines = server.fill(snippet(MOVING, "Change the address, not the program", "sh"))
    shown = subprocess.check_output(["bash", "-euc", lines], cwd=ROOT, text=True, timeout=LIMIT_S)
    verbose, _, rest = shown.partition("}1\n")
    found = json.loads(f"{verbose}}}")
    assert [word["word"] for word in found["words"]]
    assert re.search(r"00:00:0\d,\d{3} --> ", rest)
    assert rest.count("WEBVTT") == 1
