"""``auricle serve`` as a real process: its start, output and shutdown."""

import json
import os
import pty
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from websockets.asyncio.client import connect

from auricle import __version__
from auricle.apis.registry import find_apis
from auricle.audio.chunks import find_chunks
from auricle.cli.serve.start import curl_line
from tests.support.clips import CLIPS
from tests.support.command import (
    LIMIT_S,
    ROOT,
    command,
    environment,
    serving,
    serving_anew,
    started_at,
    until,
)
from tests.support.model import bundled_model
from tests.support.scripted_engine import answer

pytestmark = pytest.mark.process

CLIP = CLIPS["short.wav"]
WAV = {"content-type": "audio/wav"}
APIS_WITH_PORTS = [api.name for api in find_apis() if api.ports]
PORTS_STARTED = [f"{name}_started" for name in APIS_WITH_PORTS]


def post(url: str, **query: str) -> Any:
    return httpx2.post(
        f"{url}/utterance",
        content=CLIP.path.read_bytes(),
        headers=WAV,
        params=query,
        timeout=LIMIT_S,
    )


def hold(folder: Path) -> tuple[Path, str]:
    """Return a new file, and the script of a job that lasts until it is removed."""
    held = folder / "held"
    held.touch()
    return held, f"scripted:hold:{held}"


def running_jobs(url: str) -> int:
    [line] = [
        line
        for line in httpx2.get(f"{url}/metrics").text.splitlines()
        if line.startswith("auricle_running_jobs ")
    ]
    return int(float(line.split()[1]))


def test_it_serves_speech_and_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    with serving_anew(tmp_path, workers=2, decode_workers=2) as (server, url):
        answered = post(url)
        assert answered.status_code == 200
        until(lambda: len(server.children()) == 4, server)  # workers of files start last
        children = server.children()
        (piece,) = find_chunks(CLIP.pcm)
        assert answered.json()["text"] == answer(piece.pcm)
        server.interrupt()
        assert server.wait() == 0
        assert not [child for child in children if child.is_running()]
    assert "Traceback" not in server.stderr
    assert not list((tmp_path / "spool").iterdir())


def test_garbage_collection_looks_at_nothing_that_was_loaded_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = tmp_path / "frozen"
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, gc, os, pathlib, sys\n"
        f"folder = pathlib.Path({str(report)!r})\n"
        "folder.mkdir(exist_ok=True)\n"
        "def report():\n"
        "    (folder / str(os.getpid())).write_text(str(gc.get_freeze_count()))\n"
        "atexit.register(report)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with serving_anew(tmp_path) as (server, url):
        assert post(url).status_code == 200
        server.interrupt()
        assert server.wait() == 0
    assert int((report / str(server.process.pid)).read_text()) > 50_000


def test_the_curl_line_that_it_prints_works() -> None:
    line = curl_line("http://h", has_keys=False).split()
    assert line[:2] == ["curl", "--data-binary"]
    assert (ROOT / line[2].removeprefix("@")).is_file()
    assert line[-1] == "http://h/utterance"


def test_the_curl_line_names_a_key_where_one_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert curl_line("http://h", has_keys=True) == (
        "curl --data-binary @FILE -H 'Content-Type: audio/*' "
        "-H 'Authorization: Bearer KEY' http://h/utterance"
    )


def test_it_serves_other_machines_without_keys_if_configured_and_warns(tmp_path: Path) -> None:
    with serving(tmp_path, "--insecure-no-auth", host="0.0.0.0") as (server, url):
        assert httpx2.get(f"{url}/health").status_code == 200
        [warning] = [e for e in server.events() if e["event"] == "open_without_keys"]
        assert warning["level"] == "warning"


def test_a_misspelled_variable_is_reported_at_the_start(tmp_path: Path) -> None:
    environ = environment(tmp_path) | {"AURICLE_WORKER": "2"}
    with command("serve", environ=environ) as server:
        message = server.event("unknown_setting")["message"]
    assert message.startswith("AURICLE_WORKER is not a setting")
    assert "AURICLE_WORKERS" in message


def test_what_was_accepted_is_finished_after_ctrl_c(tmp_path: Path) -> None:
    with serving(tmp_path, drain_s=LIMIT_S, job_timeout_min_s=LIMIT_S) as (server, url):
        answers: list[Any] = []
        held, script = hold(tmp_path)
        poster = threading.Thread(target=lambda: answers.append(post(url, initial_prompt=script)))
        poster.start()
        until(lambda: running_jobs(url) == 1, server)
        server.interrupt()
        server.line_with("draining")
        refused = post(url)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "draining")
        held.unlink()
        poster.join(LIMIT_S)
        assert answers[0].status_code == 200
        assert server.wait() == 0


def test_a_sigterm_to_the_whole_process_group_ends_it_in_order(tmp_path: Path) -> None:
    with serving(tmp_path, drain_s=LIMIT_S, job_timeout_min_s=LIMIT_S) as (server, url):
        answers: list[Any] = []
        held, script = hold(tmp_path)
        poster = threading.Thread(target=lambda: answers.append(post(url, initial_prompt=script)))
        poster.start()
        until(lambda: running_jobs(url) == 1, server)
        for pid in (*(child.pid for child in server.children()), server.process.pid):
            os.kill(pid, signal.SIGTERM)
        held.unlink()
        poster.join(LIMIT_S)
        assert answers[0].status_code == 200
        assert server.wait() == 0
    exits = [event for event in server.events() if event["event"] == "worker_exited"]
    assert {event["reason"] for event in exits} == {"stopped"}
    assert len(exits) == 2


def test_a_second_ctrl_c_does_not_wait_for_it(tmp_path: Path) -> None:
    with serving(tmp_path, drain_s=10 * LIMIT_S, job_timeout_min_s=10 * LIMIT_S) as (server, url):
        answered: list[bool] = []
        poster = threading.Thread(target=lambda: answered.append(_is_answered(url)))
        poster.start()
        until(lambda: running_jobs(url) == 1, server)
        server.interrupt()
        server.line_with("draining")
        server.interrupt()
        server.wait()
        poster.join(LIMIT_S)
        assert answered == [False]


def test_a_hang_of_every_worker_shows_before_their_budget_is_used_up(tmp_path: Path) -> None:
    with serving(tmp_path, workers=2, batch_jobs=1, job_timeout_min_s=10 * LIMIT_S) as (
        server,
        url,
    ):

        def health() -> Any:
            return httpx2.get(f"{url}/health").json()

        # One that is stopped while it starts holds no batch, and is never overdue.
        until(lambda: all(worker["state"] == "ready" for worker in health()["workers"]), server)
        pids = [worker["pid"] for worker in health()["workers"]]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        answers: list[Any] = []
        posters = [threading.Thread(target=lambda: answers.append(post(url))) for _ in pids]
        for poster in posters:
            poster.start()
        both_overdue = 'auricle_workers_overdue{pool="asr"} 2.0'
        until(lambda: both_overdue in httpx2.get(f"{url}/metrics", timeout=LIMIT_S).text, server)
        assert not is_ready(url)
        assert health()["status"] == "degraded"
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        until(lambda: is_ready(url), server)
        for poster in posters:
            poster.join(LIMIT_S)
        assert [answered.status_code for answered in answers] == [200, 200]
        assert health()["status"] == "ok"
        assert [worker["pid"] for worker in health()["workers"]] == pids


def _is_answered(url: str) -> bool:
    try:
        answered = post(url, initial_prompt="scripted:sleep:1000", max_wait_s="2000")
    except httpx2.TransportError:
        return False
    return bool(answered.is_success)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"host": "0.0.0.0"}, "AURICLE_API_KEYS"),
        ({"engine": "whisper", "model": "/nowhere/at/all"}, "AURICLE_MODEL"),
        ({"speaker_model": __file__}, "AURICLE_SPEAKER_MODEL"),
        ({"spool_dir": __file__}, "AURICLE_SPOOL_DIR"),
        *(
            pytest.param(settings, said, marks=pytest.mark.slow)  # the rooms test the messages
            for settings, said in (
                ({"allowed_origins": "*"}, "AURICLE_ALLOWED_ORIGINS"),
                ({"engine": "whisper", "model": "no-such-model"}, "auricle models"),
                ({"api_keys": "anna:"}, "AURICLE_API_KEYS"),
                ({"keys_file": "/nowhere/at/all"}, "auricle keys add"),
                *(
                    ({name: 1, f"{name}_host": "0.0.0.0"}, f"AURICLE_{name.upper()}_OPEN")
                    for name in APIS_WITH_PORTS
                ),
            )
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cant_be_served_ends_in_one_event_that_says_why(
    tmp_path: Path, settings: dict[str, object], said: str
) -> None:
    with command("serve", environ=environment(tmp_path, **settings)) as server:
        assert server.wait() == 2
    [failed] = [event for event in server.events() if event["event"] == "start_failed"]
    assert failed["level"] == "error"
    assert said in failed["message"]


def test_a_second_server_on_the_same_state_directory_ends_and_says_why(tmp_path: Path) -> None:
    with serving(tmp_path), command("serve", environ=environment(tmp_path)) as second:
        assert second.wait() == 2
    [failed] = [event for event in second.events() if event["event"] == "start_failed"]
    assert f"Another server uses {tmp_path / 'state'}" in failed["message"]
    assert "AURICLE_STATE_DIR" in failed["message"]


def test_a_damaged_database_is_reported_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "state" / "ledger.sqlite3"
    path.parent.mkdir()
    path.write_bytes(b"This is not a database." * 100)
    content = path.read_bytes()
    with command("serve", environ=environment(tmp_path)) as server:
        assert server.wait() == 2
    [failed] = [event for event in server.events() if event["event"] == "start_failed"]
    assert f"{path} is damaged or is not a database" in failed["message"]
    assert path.read_bytes() == content


def test_a_port_in_use_is_reported_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with command("serve", environ=environment(tmp_path, port=port)) as server:
            assert server.wait() == 2
    [failed] = server.events()
    assert f"Port {port} on 127.0.0.1 can't be used" in failed["message"]
    assert server.stdout == ""


@pytest.mark.model
def test_a_model_that_cant_be_loaded_ends_in_one_line(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(bundled_model(), damaged, ignore=shutil.ignore_patterns("model.bin"))
    with (bundled_model() / "model.bin").open("rb") as file:
        (damaged / "model.bin").write_bytes(file.read(1000))
    environ = environment(tmp_path, engine="whisper", model=damaged)
    with command("serve", environ=environ) as server:
        assert server.wait() == 2
    [failed] = [event for event in server.events() if event["event"] == "start_failed"]
    assert "can't be loaded" in failed["message"]


PROGRAM = """
import sys
from auricle.cli import app
try:
    app(["serve"])
finally:
    print("imported", *sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_the_process_that_served_has_not_imported_what_only_workers_may(tmp_path: Path) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert server.stdout is not None
        url = started_at(server.stdout)
        assert post(url).status_code == 200
        psutil.Process(server.pid).terminate()
        imported = set(server.stdout.read().splitlines()[-1].split())
        assert server.wait(LIMIT_S) == 0
    finally:
        server.kill()
        server.wait()
        assert server.stdout is not None
        server.stdout.close()
    assert {"imported", "auricle", "uvicorn"} <= imported
    assert not imported & {"faster_whisper", "ctranslate2", "av", "torch", "ray"}


def test_its_logs_are_json_and_contain_no_speech(tmp_path: Path) -> None:
    with serving(tmp_path) as (server, url):
        assert post(url, trace_id="t-1", hotwords="whispered").status_code == 200
        server.interrupt()
        server.wait()
    events = [json.loads(line) for line in server.stderr.splitlines()]
    assert [event["trace_id"] for event in events if event.get("trace_id")] == ["t-1"]
    assert "whispered" not in server.stderr
    (piece,) = find_chunks(CLIP.pcm)
    assert answer(piece.pcm) not in server.stderr


def test_its_life_is_in_the_log_as_events(tmp_path: Path) -> None:
    settings: dict[str, object] = {
        "api_keys": "anna:secret-of-anna",
        "operator_key": "secret-of-the-operator",
        "key_sessions": 3,
        "live_speakers": 0,
    }
    options = [part for name in APIS_WITH_PORTS for part in (f"--{name}", f"--{name}-port", "0")]
    with serving(tmp_path, *options, **settings) as (server, url):
        ports = [e["port"] for e in server.events() if e["event"] in PORTS_STARTED]
        assert len(ports) == len(PORTS_STARTED)
        for port in ports:
            socket.create_connection(("127.0.0.1", port), LIMIT_S).close()
        until(lambda: len(server.children()) == 2, server)  # the one that reads files starts last
        server.interrupt()
        assert server.wait() == 0
    assert server.stdout == ""
    events = server.events()  # each line is JSON
    life = [*PORTS_STARTED, "started", "ready", "draining", "stopped"]
    assert [event["event"] for event in events if event["event"] in life] == life
    by_name = {event["event"]: event for event in events}
    started, ready, stopped = by_name["started"], by_name["ready"], by_name["stopped"]
    assert {started["version"], ready["version"], stopped["version"]} == {__version__}
    assert (started["url"], started["pid"]) == (url, server.process.pid)
    assert started["workers"] == 1
    assert started["device"] == "cpu"
    assert (started["engine"], started["model"]) == ("scripted", "scripted")
    assert ready["model"] == "scripted"
    assert started["settings"] == {
        "AURICLE_PORT": 0,
        "AURICLE_API_KEYS": "1 set",
        "AURICLE_OPERATOR_KEY": "set",
        **{f"AURICLE_{name.upper()}": True for name in APIS_WITH_PORTS},
        **{f"AURICLE_{name.upper()}_PORT": 0 for name in APIS_WITH_PORTS},
        "AURICLE_KEY_SESSIONS": 3,
        "AURICLE_SPOOL_DIR": str(tmp_path / "spool"),
        "AURICLE_STATE_DIR": str(tmp_path / "state"),
        "AURICLE_CACHE_DIR": str(tmp_path / "cache"),
        "AURICLE_ENGINE": "tests.support.scripted_engine",
        "AURICLE_WORKERS": 1,
        "AURICLE_DECODE_WORKERS": 1,
        "AURICLE_SANDBOX_FOLDERS": f"{tmp_path},{ROOT}",
    }
    assert "secret-of" not in server.stderr
    exits = [event for event in events if event["event"] == "worker_exited"]
    assert len(exits) == 2
    assert {(event["reason"], event["level"]) for event in exits} == {("stopped", "info")}
    assert events[-1] is stopped
    assert stopped["uptime_s"] > 0


def test_on_a_terminal_it_says_where_it_is_and_how_to_try_it(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    server = subprocess.Popen(
        [sys.executable, "-m", "auricle", "serve"],
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    os.close(theirs)
    try:
        assert server.stderr is not None
        url = started_at(server.stderr)
        output = ""
        while "curl" not in output:
            assert select.select([ours], [], [], LIMIT_S)[0]
            output += os.read(ours, 65536).decode()
        assert "Auricle serves on" in output
        assert url in output
    finally:
        server.kill()
        server.communicate()
        os.close(ours)


@pytest.mark.wall_clock
def test_it_serves_with_its_outputs_closed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environ = environment(tmp_path, port=port) | {"FORCE_COLOR": "1"}
    shell = f'exec "{sys.executable}" -m auricle serve <&- >&- 2>&-'
    server = subprocess.Popen(["/bin/sh", "-c", shell], env=environ, cwd=ROOT)
    deadline = time.monotonic() + LIMIT_S
    try:
        while not is_ready(f"http://127.0.0.1:{port}"):
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert post(f"http://127.0.0.1:{port}").status_code == 200
        server.terminate()
        assert server.wait(LIMIT_S) == 0
    finally:
        server.kill()
        server.wait()


def is_ready(url: str) -> bool:
    try:
        return bool(httpx2.get(f"{url}/readyz").is_success)
    except httpx2.TransportError:
        return False


def test_python_warnings_and_uncaught_exceptions_are_events_of_the_log(
    tmp_path: Path,
) -> None:
    environ = environment(tmp_path, engine="tests.support.scripted_engine")
    program = PROGRAM.replace("try:", BUGS + "try:")
    done = subprocess.Popen(
        [sys.executable, "-c", program],
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.stderr is not None
    events = [json.loads(line) for line in done.stderr]
    assert done.wait() != 0
    uncaught = [event for event in events if event["event"] == "uncaught_exception"]
    assert {event.get("where", "main") for event in uncaught} == {"thread", "finalizer", "main"}
    assert all(event["error"] == "ZeroDivisionError" for event in uncaught)
    assert any("a warning of Python" in event["event"] for event in events)
    done.stderr.close()


BUGS = """
import threading, warnings
from auricle.cli.serve import start

class Bad:
    def __del__(self):
        1 / 0

async def broken(settings):
    warnings.warn("a warning of Python", stacklevel=1)
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    Bad()
    1 / 0

start._serve = broken
"""


async def test_a_live_session_is_logged_when_it_starts(tmp_path: Path) -> None:
    headers = {"authorization": "Bearer key-of-anna"}
    agent = "evil\x1b[31m \u00e9" + "x" * 500
    with serving(tmp_path, api_keys="anna:key-of-anna") as (server, url):
        address = f"ws{url.removeprefix('http')}/v1/stream?format=pcm16"
        async with connect(
            address,
            additional_headers=headers,
            user_agent_header=agent.encode().decode("latin-1").replace("\x1b", "\t"),
            open_timeout=LIMIT_S,
            proxy=None,
        ) as socket:
            session = json.loads(await socket.recv())
            started = server.event("session_started")
            assert "request" not in {event["event"] for event in server.events()}
        ended = server.event("request")
    assert started["client"] == "anna"
    assert started["address"] == "127.0.0.1"
    assert started["dialect"] == "native"
    assert started["session"] == session["session"] == ended["session"]
    assert started["request_id"] == ended["request_id"]
    assert started["user_agent"].startswith("evil?[31m ??xxx")
    assert len(started["user_agent"]) == 200
