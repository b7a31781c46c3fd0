"""``auricle live`` with a real server and a scripted engine."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from anyio import to_thread

from auricle.apis.native.wire.stream import Start
from auricle.values.events import Final
from tests.support.clips import CLIPS
from tests.support.command import (
    LIMIT_S,
    ROOT,
    Command,
    command,
    completed,
    environment,
    serving,
    until,
)
from tests.support.live_server import live_server

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal"),
]

PAIR, STORY = CLIPS["pair.wav"], CLIPS["story.ogg"]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run one server for tests that don't change its state."""
    with serving(tmp_path_factory.mktemp("server")) as (_, server_url):
        yield server_url


@pytest.fixture(scope="module")
def lines(url: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the text of the pair's two utterances."""
    done = live(tmp_path_factory.mktemp("first"), PAIR.path, "--fast", url=url)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


def live(folder: Path, *arguments: object, **settings: object) -> subprocess.CompletedProcess[str]:
    texts = [str(argument) for argument in arguments]
    return completed("live", *texts, environ=environment(folder, **settings))


def test_each_utterance_is_a_line(lines: list[str]) -> None:
    assert len(lines) == 2
    assert all(line.count(" ") == 1 for line in lines)  # as the engine answers


def test_a_file_holds_them_all(tmp_path: Path, url: str, lines: list[str]) -> None:
    done = live(tmp_path, PAIR.path, "--fast", "-o", tmp_path / "a.srt", url=url)
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "")
    cues = (tmp_path / "a.srt").read_text().strip().split("\n\n")
    assert [cue.splitlines()[2] for cue in cues] == lines


def test_json_comes_at_the_end(tmp_path: Path, url: str, lines: list[str]) -> None:
    done = live(tmp_path, PAIR.path, "--fast", "-f", "json", "--word-timestamps", url=url)
    document = json.loads(done.stdout)
    assert [segment["text"] for segment in document["segments"]] == lines
    assert document["text"] == " ".join(lines)
    assert document["duration_ms"] == pytest.approx(PAIR.samples / 16, abs=40)
    first, second = document["segments"]
    assert first["words"]
    assert first["end"] < second["start"]


@pytest.mark.wall_clock
def test_speech_until_ctrl_c_is_transcribed(tmp_path: Path, url: str) -> None:
    target = tmp_path / "a.txt"
    arguments = [str(STORY.path), "-o", str(target)]
    with command("live", *arguments, environ=environment(tmp_path, url=url)) as running:
        until(target.exists, running)
        early = target.read_text()
        running.interrupt()
        assert running.wait() == 130
    assert target.read_text().startswith(early)
    assert running.stderr == "Waiting for the last captions; press Ctrl-C again to exit at once.\n"


@pytest.mark.wall_clock
def test_a_second_ctrl_c_leaves_a_server_that_does_not_answer(tmp_path: Path) -> None:
    with serving(tmp_path) as (server, server_url):
        arguments = [str(STORY.path), "-f", "vtt"]
        with command("live", *arguments, environ=environment(tmp_path, url=server_url)) as running:
            until(lambda: has_audio(server_url), running)  # before, the first Ctrl-C ends it
            server.process.send_signal(signal.SIGSTOP)
            try:
                running.interrupt()
                running.line_with("Ctrl-C again to exit at once.")
                running.interrupt()
                assert running.wait() == 130
            finally:
                server.process.send_signal(signal.SIGCONT)
    assert running.stdout.startswith("WEBVTT")
    assert running.stderr.count("\n") == 1


def has_audio(url: str) -> bool:
    return (
        'auricle_client_audio_seconds_total{client="anonymous"}'
        in httpx2.get(f"{url}/metrics").text
    )


def connected(url: str) -> int:
    return int(httpx2.get(f"{url}/health").json()["sessions"]["connected"])


@pytest.mark.wall_clock
@pytest.mark.smoke
def test_a_server_that_is_killed_and_restarted_costs_no_word(
    tmp_path: Path, lines: list[str]
) -> None:
    with serving(tmp_path) as (first, url):
        port = int(url.rsplit(":", 1)[1])
        with command("live", str(PAIR.path), environ=environment(tmp_path, url=url)) as running:
            until(lambda: bool(running.stdout), running)
            first.process.kill()
            first.wait()
            with serving(tmp_path, port=port):
                assert running.wait() == 0
    assert running.stdout.splitlines() == lines
    assert running.stderr.startswith("The connection was lost: ")
    assert running.stderr.endswith("Connected.\n")


@pytest.mark.wall_clock
def test_output_may_be_closed_early(tmp_path: Path, url: str, lines: list[str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "auricle", "live", str(STORY.path), "--fast"],
        env=environment(tmp_path, url=url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as running:
        assert running.stdout
        assert running.stderr
        assert running.stdout.readline()
        running.stdout.close()
        assert running.stderr.read() == ""
        assert running.wait(LIMIT_S) == 1


def test_a_server_with_keys_wants_one(tmp_path: Path, lines: list[str]) -> None:
    with serving(tmp_path, api_keys="anna:secret-key") as (_, url):
        without = live(tmp_path, PAIR.path, "--fast", url=url)
        assert without.returncode == 2
        assert without.stderr == (
            "auricle: The server requires a valid key: set --api-key or AURICLE_API_KEY.\n"
        )
        with_key = live(tmp_path, PAIR.path, "--fast", url=url, api_key="secret-key")
    assert with_key.stdout.splitlines() == lines


@pytest.mark.wall_clock
def test_a_full_server_is_waited_for(tmp_path: Path, lines: list[str]) -> None:
    with serving(tmp_path, max_sessions=1) as (_, url):
        environ = environment(tmp_path, url=url)
        with command("live", str(STORY.path), environ=environ) as first:
            until(lambda: connected(url) == 1, first)
            with command("live", str(PAIR.path), "--fast", environ=environ) as second:
                second.line_with("try again later. (queue_full). Retrying…")
                first.interrupt()
                assert second.wait() == 0
    assert second.stdout.splitlines() == lines
    assert second.stderr.endswith("Connected.\n")


@contextlib.contextmanager
def full(folder: Path) -> Iterator[tuple[str, list[Command]]]:
    """Run a server that holds two speakers, and has them; give its URL and the speakers."""
    with contextlib.ExitStack() as stack:
        _, url = stack.enter_context(serving(folder, live_speakers=2))
        environ = environment(folder, url=url)
        speakers = [
            stack.enter_context(command("live", str(STORY.path), environ=environ)) for _ in range(2)
        ]
        until(lambda: speaking(url) >= 1.5, speakers[0])
        yield url, speakers


def speaking(url: str) -> float:
    return float(httpx2.get(f"{url}/health").json()["live"]["speakers"])


FULL = re.compile(
    r"Waiting for a free place: (2 people are|1 person is) being transcribed now; "
    r"this server holds about 2\. Trying again in \d+ s\.\n"
)


@pytest.mark.wall_clock
def test_a_free_place_is_waited_for(tmp_path: Path, lines: list[str]) -> None:
    with full(tmp_path) as (url, speakers):
        environ = environment(tmp_path, url=url)
        with command("live", str(PAIR.path), "--fast", environ=environ) as third:
            said = third.line_with("Waiting")
            assert FULL.fullmatch(said)
            for speaker in speakers:
                speaker.interrupt()
            assert third.wait() == 0
    assert third.stdout.splitlines() == lines
    assert third.stderr.endswith("Connected.\n")


@pytest.mark.wall_clock
def test_ctrl_c_ends_the_wait_for_a_free_place_at_once(tmp_path: Path) -> None:
    with full(tmp_path) as (url, _):
        environ = environment(tmp_path, url=url)
        with command("live", str(PAIR.path), environ=environ) as waiting:
            assert FULL.fullmatch(waiting.line_with("Waiting"))
            waiting.interrupt()
            assert waiting.wait() == 130
    assert waiting.stdout == ""
    assert waiting.stderr.count("\n") == 1


@pytest.mark.anyio
async def test_captions_may_be_late_by_what_is_asked(tmp_path: Path) -> None:
    async with live_server() as server:
        server.says_first = [Final(1, 1, "", 0, 16_000, None, None, 0, False, "too_late")]
        environ = environment(tmp_path, url=server.url)
        arguments = ["live", str(PAIR.path), "--fast", "--max-lag", "2.5"]
        with command(*arguments, environ=environ) as running:
            assert await to_thread.run_sync(running.wait) == 0
    (start,) = server.openings
    assert isinstance(start, Start)
    assert start.max_lag_s == 2.5
    assert running.stdout.startswith(
        "[1.0 s missing: the server was too busy to transcribe it in time]\n"
    )


@pytest.mark.wall_clock
@pytest.mark.smoke
def test_captions_are_drawn_on_a_terminal(tmp_path: Path, url: str, lines: list[str]) -> None:
    import pty

    master, slave = pty.openpty()
    environ = environment(tmp_path, url=url) | {"TERM": "xterm", "COLUMNS": "80"}
    process = subprocess.Popen(
        [sys.executable, "-m", "auricle", "live", str(PAIR.path)],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    os.close(slave)
    drawn = b""
    with contextlib.suppress(OSError):  # EIO: its end
        while chunk := os.read(master, 65_536):
            drawn += chunk
    os.close(master)
    assert process.stderr
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait(LIMIT_S) == 0
    text = drawn.decode()
    assert "Playing pair.wav" in text
    assert "\x1b[2m" in text  # unstable text
    for line in lines:
        assert f"{line}\r\n" in text
