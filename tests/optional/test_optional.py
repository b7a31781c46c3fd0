"""Each optional folder can be deleted: the rest of the server is whole.

Run by ``make test-optional``. A copy of the package without the folder serves the real model.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

import httpx2
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from auricle.audio.g711 import mulaw_to_pcm16
from research.house import House
from tests.support.clips import CLIPS, words
from tests.support.command import LIMIT_S, ROOT, environment, started_at
from tests.support.model import CACHE_DIR, bundled_model
from tests.support.poll import wait_until
from tests.support.telephone import call_of, companded, wav_of

pytestmark = pytest.mark.model

SOURCE = ROOT / "src/auricle"
OPTIONAL = House.of().optional
CLIP = CLIPS["short.wav"]
BETWEEN = "---between"
RUN_COMMANDS = f"""
from typer.testing import CliRunner
from auricle.cli import app
for command in ("--help", "settings", "models", "doctor"):
    result = CliRunner().invoke(app, [command], catch_exceptions=False)
    assert result.exit_code == 0 and result.output, (command, result.output)
    print("{BETWEEN}")
"""
IMPORT_ALL = """
import importlib, pkgutil, auricle
for module in pkgutil.walk_packages(auricle.__path__, "auricle."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] == "auricle":
                raise
"""


class Copy:
    """A copy of the package, of which a part is missing, and a server that runs from it."""

    def __init__(self, source: Path, environ: dict[str, str], stack: ExitStack) -> None:
        self.source = source
        self.environ = environ
        self._stack = stack

    @cached_property
    def url(self) -> str:
        """Address of the server, which starts when a test first asks for it."""
        server = subprocess.Popen(
            [sys.executable, "-m", "auricle", "serve"],
            env=self.environ,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._stack.callback(server.communicate, timeout=LIMIT_S)
        self._stack.callback(server.terminate)
        assert server.stderr is not None
        return started_at(server.stderr)

    def skip_with(self, folder: str) -> None:
        """Skip the test unless the folder is missing: if it is there, it has tests of its own."""
        if (self.source / "auricle" / folder).is_dir():
            pytest.skip(f"{folder} is there")

    def run(self, *arguments: str) -> str:
        """Run a program of the copy, which must succeed, and return what it prints."""
        done = subprocess.run(
            [sys.executable, *arguments],
            env=self.environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def get(self, path: str) -> str:
        """Return the body of a page, which must be there."""
        answer = httpx2.get(f"{self.url}{path}", timeout=LIMIT_S)
        assert answer.status_code == 200, (path, answer.text)
        return answer.text


def without(folders: tuple[str, ...], target: Path) -> Path:
    """Copy the package without some of its folders, and return the search path."""
    gone = {SOURCE / folder for folder in folders}
    assert all(path.exists() for path in gone)

    def left_out(folder: str, names: list[str]) -> set[str]:
        return {name for name in names if Path(folder, name) in gone}

    # With what was compiled, which takes as long as a server takes to start.
    shutil.copytree(SOURCE, target / "auricle", ignore=left_out)
    return target


CASES = {**{folder: (folder,) for folder in OPTIONAL}, "all": OPTIONAL}


def environment_of(source: Path, folder: Path) -> dict[str, str]:
    """Return the environment in which a copy runs, with its own state in a folder."""
    environ = environment(
        folder,
        engine="whisper",
        model="base",
        cache_dir=CACHE_DIR,
        workers=1,
        decode_workers=1,
        keep_transcripts=1,
    )
    environ["PYTHONPATH"] = os.pathsep.join([str(source), environ["PYTHONPATH"]])
    return environ


@pytest.fixture(scope="module", params=CASES)
def copy(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Copy]:
    bundled_model()
    folder = tmp_path_factory.mktemp("optional")
    source = without(CASES[request.param], folder / "src")
    environ = environment_of(source, folder)
    with ExitStack() as stack:
        yield Copy(source, environ, stack)


def test_its_commands_are_whole_and_nothing_imports_what_is_missing(copy: Copy) -> None:
    """Both in one process: half of the time of each are the imports that it shares."""
    assert copy.run("-c", RUN_COMMANDS + IMPORT_ALL).count(BETWEEN) == 4


def test_its_pages_for_operators_are_whole(copy: Copy) -> None:
    wait_until(lambda: json.loads(copy.get("/health"))["status"] == "ok", "all workers")
    assert "auricle_" in copy.get("/metrics")
    assert "/v1/audio/transcriptions" in json.loads(copy.get("/openapi.json"))["paths"]


def test_a_file_is_transcribed(copy: Copy) -> None:
    answer = httpx2.post(
        f"{copy.url}/v1/audio/transcriptions",
        data={"model": "whisper-1"},
        files={"file": (CLIP.path.name, CLIP.path.read_bytes())},
        timeout=LIMIT_S,
    )
    assert words(answer.json()["text"]) == words(CLIP.text)


def test_live_speech_is_transcribed(copy: Copy) -> None:
    captions = copy.run("-m", "auricle", "live", str(CLIP.path), "--url", copy.url)
    assert words(captions) == words(CLIP.text)


@pytest.mark.wall_clock
def test_a_file_has_speakers_or_a_warning(copy: Copy) -> None:
    can_compare = json.loads(copy.get("/health"))["speakers"] is not None
    answer = httpx2.post(
        f"{copy.url}/utterance?speakers=true",
        content=CLIP.path.read_bytes(),
        headers={"content-type": "audio/wav"},
        timeout=LIMIT_S,
    )
    body = answer.json()
    assert words(body["text"]) == words(CLIP.text)
    assert ("speaker" in body["segments"][0]) == can_compare
    assert ("warnings" in body) != can_compare


@pytest.mark.parametrize(
    ("name", "native", "other"),
    [("redaction", "redact=pci", "redact=pci"), ("numerals", "", "numerals=true")],
)
def test_a_missing_text_filter_is_refused(copy: Copy, name: str, native: str, other: str) -> None:
    copy.skip_with(f"text/filters/{name}")
    answer = httpx2.post(
        f"{copy.url}/v1/listen?{other}", content=CLIP.path.read_bytes(), timeout=LIMIT_S
    )
    if answer.status_code != 404:  # an API with this path is there
        assert (answer.status_code, answer.json()["code"]) == (400, "unsupported_option")
    if native:
        url = f"{copy.url.replace('http', 'ws', 1)}/v1/stream?{native}"
        with pytest.raises(InvalidStatus) as refused, connect(url, open_timeout=LIMIT_S):
            pass
        body = json.loads(refused.value.response.body or b"")
        assert refused.value.response.status_code == 400
        assert body["error"]["code"] == "unsupported_option"


def test_missing_subtitles_are_refused(copy: Copy) -> None:
    copy.skip_with("text/formats/subtitles")
    audio = CLIP.path.read_bytes()
    answer = httpx2.post(
        f"{copy.url}/v1/audio/transcriptions",
        data={"model": "whisper-1", "response_format": "srt"},
        files={"file": (CLIP.path.name, audio)},
        timeout=LIMIT_S,
    )
    error = answer.json()["error"]
    found = answer.status_code, error["code"], error["param"]
    assert found == (400, "unsupported_option", "response_format")
    answer = httpx2.post(
        f"{copy.url}/asr?output=srt", files={"audio_file": (CLIP.path.name, audio)}, timeout=LIMIT_S
    )
    assert answer.status_code in (400, 404)  # 404: the API with this path is missing, too


def test_missing_channels_of_files_are_refused(copy: Copy) -> None:
    copy.skip_with("files/channels")
    call = companded(call_of((0.0, CLIP.pcm), (0.0, CLIP.pcm[:0])), mulaw_to_pcm16)
    call = wav_of(call, channels=2)
    answer = httpx2.post(
        f"{copy.url}/utterance?multichannel=true",
        content=call,
        headers={"content-type": "audio/wav"},
        timeout=LIMIT_S,
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported_option")
    answer = httpx2.post(f"{copy.url}/v1/listen?multichannel=true", content=call, timeout=LIMIT_S)
    if answer.status_code != 404:  # an API with this path is there
        assert (answer.status_code, answer.json()["code"]) == (400, "unsupported_option")


def test_missing_webhooks_are_refused(copy: Copy) -> None:
    copy.skip_with("webhooks")

    def refusal(path: str, query: str) -> str:
        answer = httpx2.post(
            f"{copy.url}{path}?{query}",
            content=CLIP.path.read_bytes(),
            headers={"content-type": "audio/wav"},
            timeout=LIMIT_S,
        )
        assert answer.status_code == 400
        body = answer.json()
        code: str = body.get("code") or body["error"]["code"]
        return code

    receiver = "https://receiver.example/"
    assert refusal("/utterance", f"wait=0&callback_url={receiver}") == "unsupported_option"
    paths = json.loads(copy.get("/openapi.json"))["paths"]
    if "/v1/listen" in paths:
        assert refusal("/v1/listen", f"callback={receiver}") == "unsupported_option"
    assert not paths["/utterance"]["post"].get("callbacks")
    assert "auricle_webhooks_pending" not in copy.get("/metrics")
    assert "| `AURICLE_WEBHOOK_SECRET` |" not in copy.run("-m", "auricle", "settings", "--markdown")
    assert "webhook-secret" not in copy.run("-m", "auricle", "keys", "--help")


def test_clients_learn_which_apis_a_server_has(copy: Copy) -> None:
    body = json.loads(copy.get("/v1/models"))
    paths = json.loads(copy.get("/openapi.json"))["paths"]
    for name in ("transcripts", "vocabularies"):
        assert (name in body["apis"]) == (f"/v1/{name}" in paths), name


def test_clients_learn_whether_transcripts_are_kept(copy: Copy) -> None:
    can_keep = "/v1/transcripts" in json.loads(copy.get("/openapi.json"))["paths"]
    assert json.loads(copy.get("/v1/models"))["data_flow"]["keeps_transcripts"] == can_keep
    status = httpx2.get(f"{copy.url}/v1/transcripts", timeout=LIMIT_S).status_code
    assert status == (200 if can_keep else 404)
    assert ("auricle_live_finals_not_kept_total" in copy.get("/metrics")) == can_keep


@pytest.mark.parametrize(
    ("folder", "variable", "url"),
    [
        ("ledger/audio/s3", "AURICLE_AUDIO_URL", "s3://bucket/prefix"),
        ("ledger/databases/postgres", "AURICLE_DATABASE_URL", "postgresql://db/auricle"),
    ],
)
def test_a_url_is_refused_at_start_without_the_folder_of_its_scheme(
    folder: str, variable: str, url: str, tmp_path: Path
) -> None:
    source = without((folder,), tmp_path / "src")
    done = subprocess.run(
        [sys.executable, "-m", "auricle", "serve"],
        env=environment_of(source, tmp_path) | {variable: url},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert done.returncode == 2, done.stderr
    message = json.loads(done.stderr.splitlines()[-1])["message"]
    assert message.startswith(f"{variable}: this installation does not support the scheme"), message
    assert message.endswith("Supported: nothing; unset the variable."), message
