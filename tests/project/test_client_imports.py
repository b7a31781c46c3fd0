"""The client and its commands, where the packages of the extra ``server`` are not installed."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from tests.support.clips import CLIPS
from tests.support.command import environment, serving

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CLIP = CLIPS["short.wav"]

MISSING = """
import ctypes.util, sys
sys.modules.update(dict.fromkeys({missing!r}))  # to import them raises ModuleNotFoundError
ctypes.util.find_library = lambda name: None  # no libopus of the system either
"""
COMMANDS = """
import json
from auricle.cli import app

for arguments in json.loads(sys.argv[1]):
    try:
        app(arguments)
    except SystemExit as end:
        print(arguments[0], "ended with", end.code)
"""
LIVE = """
import asyncio
import numpy as np
from auricle.client import Closed, LiveClient

async def main():
    async with LiveClient(sys.argv[1]) as client:
        await client.send(np.zeros(16000, np.int16))
        client.finish()
        assert any([isinstance(event, Closed) async for event in client])

asyncio.run(main())
print(*sorted({name.partition(".")[0] for name in sys.modules if sys.modules[name]}))
"""
FILES = """
from auricle import Client

with Client(sys.argv[1]) as client:
    job = client.jobs.create(sys.argv[2])
    assert client.jobs.wait(job.id).text
print(*sorted({name.partition(".")[0] for name in sys.modules if sys.modules[name]}))
"""


def modules_of_the_server() -> set[str]:
    """Return the modules of all packages that only the extra installs, as it is declared."""
    names = {
        re.split(r"[<>=]", requirement)[0].replace("-", "_")
        for requirement in PROJECT["optional-dependencies"]["server"]
    }
    names.remove("httpcore2")  # httpx2 brings it
    return {
        module
        for module, packages in metadata.packages_distributions().items()
        if names & {package.replace("-", "_") for package in packages}
    } | {"starlette", "ctranslate2", "opuslib_next"}


def run(program: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MISSING.format(missing=modules_of_the_server()) + program]
        + [*arguments],
        env=environment(folder),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("server"), keep_transcripts=True) as (_, url):
        yield url


def test_the_extra_s_modules_are_found() -> None:
    assert {"av", "fastapi", "faster_whisper", "onnxruntime"} <= modules_of_the_server()


def test_commands_that_use_a_server_work(url: str, tmp_path: Path) -> None:
    commands = [
        ["transcribe", str(CLIP.path)],
        ["transcribe", "--detach", str(CLIP.path)],
        ["jobs", "list"],
        ["transcripts", "list"],
        ["sessions", "list"],
    ]
    arguments = json.dumps([[*each, "--url", url] for each in commands])
    done = run(COMMANDS, arguments, folder=tmp_path)
    ends = [line for line in done.stdout.splitlines() if "ended with" in line]
    assert ends == [f"{each[0]} ended with 0" for each in commands], done.stderr


def test_a_live_stream_works_without_libopus_and_imports_little(url: str, tmp_path: Path) -> None:
    done = run(LIVE, url, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    imported = set(done.stdout.splitlines()[-1].split())
    assert {"auricle", "numpy", "websockets"} <= imported
    assert not imported & {"httpx2", "pydantic", "ray", "rich", "torch", "typer"}


def test_commands_that_need_more_say_what_to_install(tmp_path: Path) -> None:
    server = "install Auricle with the extra `server`, as auricle[server]"
    expected = {
        ("serve",): server,
        ("doctor",): server,
        ("transcribe", str(CLIP.path)): f"Set --url to transcribe with a server, or {server}",
        ("live", str(CLIP.path)): "Playing a recording requires PyAV. Run: pip install 'av",
    }
    done = run(COMMANDS, json.dumps([*expected]), folder=tmp_path)
    assert done.stdout.splitlines() == [f"{each[0]} ended with 2" for each in expected]
    for line, message in zip(done.stderr.splitlines(), expected.values(), strict=True):
        assert message in line
