"""Commands and variables on the pages: the program has them, and those that a page shows work.

The pages of clients are tried with the clients themselves: ``make test-clients``.
"""

import ast
import itertools
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import httpx2
import pytest
import typer
from typer.core import TyperCommand, TyperGroup
from websockets.sync.client import connect

from auricle.cli import app
from auricle.config.section import variable
from auricle.config.settings import fields
from tests.support.command import LIMIT_S, ROOT, completed, environment, serving
from tests.support.poll import wait_until

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
HERE_DOCUMENT = re.compile(r"<<-?'?(\w+)'?.*?^\1$\n?", re.MULTILINE | re.DOTALL)
SUBSTITUTION = re.compile(r"\$\([^)]*\)")
CODE = re.compile(r"^```(python|json)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")]
    if "decisions" not in path.parts and path.name != "CHANGELOG.md"
)
OTHER_VARIABLES = {
    "AURICLE_SCREENSHOTS": "where `make screenshots` writes",
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def commands(path: Path) -> Iterator[list[str]]:
    """Yield each command of a page's blocks of shell code, without variables before it."""
    for block in BLOCK.findall(path.read_text()):
        plain = SUBSTITUTION.sub("VALUE", HERE_DOCUMENT.sub("\n", block))
        for line in plain.replace("\\\n", " ").splitlines():
            tokens = shlex.shlex(line, posix=True, punctuation_chars=";|&<>")
            tokens.whitespace_split = True
            for is_end, words in itertools.groupby(tokens, lambda word: word in ("&&", "|", ";")):
                found = [word for word in words if not re.match(r"\w+=", word)]
                if found and not is_end:
                    yield found


AURICLE = [
    (name_of(path), words[1:])
    for path in PAGES
    for words in commands(path)
    if words[0].endswith("auricle") and len(words) > 1
]


@pytest.mark.unit
@pytest.mark.parametrize(
    "arguments", [words for _, words in AURICLE], ids=[" ".join(words) for _, words in AURICLE]
)
def test_a_command_on_a_page_is_one_of_the_program(arguments: list[str]) -> None:
    step = typer.main.get_command(app)
    rest = [word for word in arguments if word != "..."]
    while isinstance(step, TyperGroup):
        if not rest:
            assert step.invoke_without_command
            return
        step, rest = step.commands[rest[0]], rest[1:]
    assert isinstance(step, TyperCommand)
    if ">" in rest:
        rest = rest[: rest.index(">")]
    step.make_context("auricle", rest)  # refuses unknown options and wrong values


@pytest.mark.unit
@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_variable_on_a_page_is_a_setting(path: Path) -> None:
    known = {variable(name) for name, _ in fields()} | OTHER_VARIABLES.keys()
    found = set(re.findall(r"\bAURICLE_[A-Z0-9_]*[A-Z0-9]\b(?![_*])", path.read_text()))
    assert found <= known


OTHER_PROGRAMS = {
    "make": "tests/project/test_docs.py checks the targets",
    "git": "fetches the repository",
    "pip": "the extras are installed by `make release-check`",
    "python": "tests/project/test_docs.py runs the examples, tests/bench the benchmarks",
    "docker": "`make test-images` builds and runs the images",
    "caddy": "tests/deploy checks the configuration",
    "kubectl": "tests/deploy checks the manifests",
    "ray": "`make test-cluster` starts Ray in the same way",
    "serve": "`make test-cluster`",
    "systemctl": "tests/deploy checks the unit",
    "node": "tests/clients/test_tls.py runs the snippet",
    "litellm vosk-transcriber": "large packages; run by hand in the versions of the pages",
    "pg_dump pg_restore": "tests/ledger/databases/postgres/test_database.py",
    "ln cd cat cp mv chmod mkdir install export pkill kill jq ssh grep printf": "of the system",
}
"""Programs in shell code besides auricle and curl, and what shows that they are used correctly."""


@pytest.mark.unit
def test_every_program_on_a_page_is_tried_somewhere() -> None:
    known = {name for names in OTHER_PROGRAMS for name in names.split()} | {"auricle", "curl"}
    used = {Path(words[0]).name for path in PAGES for words in commands(path)}
    assert {re.sub(r"^python3$", "python", name) for name in used} <= known


@pytest.mark.unit
@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_python_and_json_on_a_page_are_valid(path: Path) -> None:
    for kind, text in CODE.findall(path.read_text()):
        if kind == "python":
            compile(text, name_of(path), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        else:
            decoder, rest = json.JSONDecoder(), text.strip()
            while rest:
                _, end = decoder.raw_decode(rest)
                rest = rest[end:].strip()


# What the pages show, tried with a real server.

NOT_RUN = {
    "/speakers/0": "needs a speaker: tests/apis/transcripts/test_routes.py",
    "/speakers/2": "needs three speakers: the same tests",
    "/paragraphs": "needs speech of a speaker at these times: the same tests",
    "/inference": "needs the package of the example: tests/project/test_api_example.py",
    "ann.wav": "needs a recording of one voice: tests/voices/test_routes.py",
    '"speaker": 1}': "needs a speaker whose voice is stored: tests/voices/test_labelling.py",
    "/v1/voices/5e1a90…": "needs a stored voice: tests/voices/test_routes.py",
    "@call.wav": "needs a call with a party in each channel: tests/apis/test_channels.py",
}
REFUSED = {"endpoint_ms=9": 400}
"""Requests that a page shows as examples of refusals, and their status."""
ENDLESS_S = 2.0
CURL_TIMED_OUT = 28


@dataclass(frozen=True)
class Shown:
    """A server with a finished job and a live session, and what pages call them."""

    url: str
    folder: Path
    environ: dict[str, str]
    names: dict[str, str]

    def fill(self, text: str) -> str:
        """Replace the addresses, ids and files of a page."""
        for name, value in self.names.items():
            text = text.replace(name, value)
        return text


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    folder = tmp_path_factory.mktemp("shown")
    (folder / "testdata").symlink_to(ROOT / "testdata")
    (folder / "meeting.wav").symlink_to(ROOT / "testdata" / "pair.wav")
    write_film(folder / "film.mp4")
    settings = {
        "keep_transcripts": 1,
        "known_voices": "*",
        "webhook_secret": "x" * 32,
        "webhook_allow_private": 1,
        "idle_timeout_s": 600,
    }
    with serving(folder, **settings) as (_, url):
        environ = environment(folder, url=url, workers=1, decode_workers=1)
        body, headers = (ROOT / "testdata/pair.wav").read_bytes(), {"content-type": "audio/wav"}
        job = httpx2.post(f"{url}/utterance?wait=0", content=body, headers=headers)
        assert job.status_code == 202
        with connect(
            f"{url.replace('http', 'ws')}/v1/stream?format=pcm16", open_timeout=LIMIT_S
        ) as speaker:
            speaker.send(body[44:])  # after the header; the stream stays open
            transcript = first(f"{url}/v1/transcripts", "transcripts")
            session = first(f"{url}/v1/sessions", "sessions")
            token = httpx2.post(f"{url}/v1/sessions/{session}/token").json()["token"]
            yield Shown(
                url,
                folder,
                environ,
                {
                    "http://127.0.0.1:6007": url,
                    "localhost:6007": url.removeprefix("http://"),
                    "https://app.example/hook": "http://127.0.0.1:9/hook",
                    "6f1d0c…": transcript,
                    "5e1a90…": session,
                    "/ID/": f"/{session}/",
                    "session=ID": f"session={session}",
                    "=TOKEN": f"={token}",
                },
            )


def write_film(path: Path) -> None:
    """Write a short MP4 with a picture and speech, both as they are in films."""
    with av.open(str(path), "w") as film, av.open(str(ROOT / "testdata/pair.wav")) as speech:
        picture = film.add_stream("mpeg4", rate=5)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        sound = film.add_stream("aac", rate=16_000)
        for frame in speech.decode(audio=0):
            film.mux(sound.encode(frame))
        for _ in range(30):
            film.mux(picture.encode(av.VideoFrame(64, 48, "yuv420p")))
        film.mux([*picture.encode(), *sound.encode()])


def first(url: str, key: str) -> str:
    """Wait until a list of the server has an entry, and return its id."""
    entries = wait_until(lambda: httpx2.get(url).json()[key], f"{url} has an entry")
    return str(entries[0]["id"])


def requests() -> Iterator[str]:
    """Yield the lines of all pages that start with curl, once each; a token is withdrawn last."""
    lines: dict[str, None] = {}
    for path in PAGES:
        if path.parent != ROOT / "docs" / "clients":
            for block in BLOCK.findall(path.read_text()):
                joined = block.replace("\\\n", " ").splitlines()
                found = [re.split(r"\s+(?:#|\|) ", line)[0] for line in joined]
                lines |= dict.fromkeys(line for line in found if line.startswith("curl "))
    return iter(sorted(lines, key=lambda line: "/token?token=" in line))


@pytest.mark.process
@pytest.mark.parametrize(
    "is_endless",
    [pytest.param(True, marks=pytest.mark.wall_clock), False],  # a token is withdrawn last
)
def test_every_request_on_a_page_is_answered(shown: Shown, is_endless: bool) -> None:
    for line in requests():
        if any(part in line for part in NOT_RUN) or ("-N" in line) != is_endless:
            continue
        limited = f"curl -sS -w '\\n%{{http_code}}' --max-time {ENDLESS_S if is_endless else 60} "
        done = subprocess.run(
            ["bash", "-euc", shown.fill(line).replace("curl ", limited, 1)],
            cwd=shown.folder,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode in (0, CURL_TIMED_OUT), f"{line}: {done.stderr}"
        status = int(done.stdout.rsplit("\n", 1)[1])
        expected = next((code for part, code in REFUSED.items() if part in line), None)
        assert status == expected if expected else 200 <= status < 300, f"{line}: {done.stdout}"


@pytest.mark.process
@pytest.mark.parametrize("page", ["how-to/readers.md", "how-to/access.md", "tutorial.md"])
def test_the_commands_of_a_page_work_one_after_the_other(
    shown: Shown, page: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(shown.folder)
    ran = []
    for words in commands(ROOT / "docs" / page):
        if not words[0].endswith("auricle") or words[1] in ("serve", "live", "auricle"):
            continue  # those are in tests/cli/serve and tests/cli/live
        arguments = [shown.fill(word) for word in words[1:]]
        environ = shown.environ | {"AURICLE_KEYS_FILE": str(tmp_path / "keys")}
        if "--url" not in arguments and arguments[0] == "transcribe":
            environ.pop("AURICLE_URL")
        done = completed(*arguments, environ=environ)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        ran.append(words[1])
    assert ran
    if page == "tutorial.md":
        assert (shown.folder / "film.srt").read_text().startswith("1\n00:00:0")
        assert (shown.folder / "film.vtt").read_text().startswith("WEBVTT")
