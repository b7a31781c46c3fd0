"""Use what is promised on every system: the client, its commands, and what connects programs.

``python -m tests.portable.use URL`` uses a server, prints one line for each step, and exits with 1
if one failed. Without a URL it first starts a server with a scripted engine on this system, or with
Whisper base (``--model``), and prints what that says about the system.
"""

import asyncio
import contextlib
import importlib
import io
import json
import os
import pkgutil
import re
import subprocess
import sys
import traceback
import wave
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[2]
CLIP = ROOT / "testdata" / "short.wav"
PACKAGES = ("auricle.client", "auricle.cli", "auricle.mcp")
"""What runs on the user's machine, with all that it imports."""
OF_PROGRAMS = re.compile(r"auricle\.apis\.\w+\.(wire|client_check)")
"""What `auricle doctor --client` imports of APIs."""
ODD_NAME = "naïve 录音 ’.wav"


def modules() -> Iterator[str]:
    """Yield all modules that every system must be able to import."""
    import auricle

    for package in PACKAGES:
        yield package
        path = [str(Path(auricle.__path__[0], *package.split(".")[1:]))]
        yield from (each.name for each in pkgutil.walk_packages(path, f"{package}."))
    for each in pkgutil.walk_packages(auricle.__path__, "auricle."):
        if OF_PROGRAMS.match(each.name):
            yield each.name


def import_all() -> str:
    names = sorted(set(modules()))
    for name in names:
        importlib.import_module(name)
    return f"{len(names)} modules"


def command(*arguments: str, codes: tuple[int, ...] = (0,)) -> str:
    """Run a command in this process, and return what it wrote to stdout."""
    from auricle.cli import app

    written = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")  # as in a window of Windows
    with contextlib.redirect_stdout(written):
        try:
            app(list(arguments))
        except SystemExit as end:
            if (end.code or 0) not in codes:
                raise RuntimeError(f"auricle {' '.join(arguments)}: exit code {end.code}") from end
    written.flush()
    return written.buffer.getvalue().decode("utf-8")


def live_by_the_library(url: str) -> str:
    import numpy as np

    from auricle.client import Final, LiveClient

    async def stream() -> list[str]:
        with wave.open(str(CLIP)) as file:
            pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        async with LiveClient(url) as client:
            await client.send(pcm)
            client.finish()
            return [event.text async for event in client if isinstance(event, Final)]

    texts = asyncio.run(stream())
    assert texts, "no final"
    return " ".join(texts)


def file_by_the_library(url: str) -> str:
    from auricle import Client

    with Client(url) as client:
        text = client.transcribe(CLIP).text
        job = client.jobs.create(CLIP)
        assert client.jobs.wait(job.id).text == text
    return text


def transcribe_a_file_of_an_odd_name(url: str, folder: Path) -> str:
    recording = folder / ODD_NAME
    recording.write_bytes(CLIP.read_bytes())
    target = folder / "out" / "transcript.json"
    target.parent.mkdir()
    command("transcribe", "--url", url, "-o", str(target), str(recording))
    text = str(json.loads(target.read_bytes())["text"])
    shown = command("transcribe", "--url", url, str(recording), str(CLIP))
    assert ODD_NAME in shown
    assert shown.count(text) == 2
    return text


def live_by_the_command(url: str, folder: Path) -> str:
    target = folder / "captions.srt"
    command("live", "--url", url, "-o", str(target), str(CLIP))
    subtitles = target.read_text("utf-8").splitlines()
    assert "-->" in subtitles[1]
    return subtitles[2]


def diagnose(url: str) -> str:
    found = command("doctor", "--client", "open-webui", url, codes=(0, 1))  # 1: the words are wrong
    assert "open-webui" in found.lower() or "Open WebUI" in found, found
    return found.splitlines()[0]


def all_helps() -> str:
    import typer
    from typer.core import TyperGroup

    from auricle.cli import app

    def names(group: TyperGroup, *before: str) -> Iterator[tuple[str, ...]]:
        for name, each in group.commands.items():
            yield (*before, name)
            if isinstance(each, TyperGroup):
                yield from names(each, *before, name)

    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    found = [(), *names(group)]
    for each in found:
        command(*each, "--help")
    return f"{len(found)} commands"


def _list(name: str, url: str) -> str:
    return command(name, "list", "--url", url).splitlines()[0]


def steps(url: str, folder: Path) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "imports", import_all
    yield "help", all_helps
    yield "live, library", lambda: live_by_the_library(url)
    yield "file and job, library", lambda: file_by_the_library(url)
    yield "transcribe", lambda: transcribe_a_file_of_an_odd_name(url, folder)
    yield "live", lambda: live_by_the_command(url, folder)
    yield "doctor --client", lambda: diagnose(url)
    for name in ("jobs", "sessions", "transcripts"):
        yield f"{name} list", partial(_list, name, url)


def use(url: str, folder: Path) -> int:
    """Take all steps, print how each ended, and return the number that failed."""
    failed = 0
    for name, step in steps(url, folder):
        try:
            result = f"ok    {name}: {step()}"
        except Exception:
            failed += 1
            result = f"FAIL  {name}: {traceback.format_exc()}"
        sys.stdout.buffer.write(f"{result}\n".encode())
        sys.stdout.flush()
    return failed


@contextlib.contextmanager
def server(folder: Path, engine: str) -> Iterator[str]:
    """Run a server on this system, and give its URL."""
    values = {
        "AURICLE_ENGINE": engine,
        "AURICLE_PORT": "0",
        "AURICLE_WORKERS": "1",
        "AURICLE_LIVE_SPEAKERS": "1000",
        "AURICLE_STATE_DIR": str(folder / "state"),
        "AURICLE_KEEP_TRANSCRIPTS": "1",
        "PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(ROOT)]),
    }
    program = [sys.executable, "-m", "auricle", "serve"]
    log = folder / "server.log"
    with log.open("wb") as written:
        process = subprocess.Popen(program, env=os.environ | values, stderr=written)
    try:
        yield _started(process, log)
    finally:
        process.kill()
        process.wait()


def _started(process: "subprocess.Popen[bytes]", log: Path) -> str:
    url = said = ""
    while process.poll() is None:
        for line in log.read_text("utf-8", "replace").splitlines():
            event = json.loads(line) if line.startswith("{") and line.endswith("}") else {}
            if event.get("event") == "platform":
                said = f"said  {event['message']}"
            elif event.get("event") == "started":
                url = str(event["url"])
            elif event.get("event") == "ready":
                print(said, flush=True)
                return url
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
    raise RuntimeError(f"the server ended: {log.read_text('utf-8', 'replace')}")


def main(arguments: list[str]) -> int:
    import tempfile

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        if arguments and arguments[0] != "--model":
            return use(arguments[0], Path(folder))
        engine = "whisper" if arguments else "tests.support.scripted_engine"
        with server(Path(folder), engine) as url:
            return use(url, Path(folder))


if __name__ == "__main__":
    sys.exit(min(1, main(sys.argv[1:])))
