"""``auricle serve`` as a person meets it: a real process, its output, its end."""

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from auricle.cli.serve import curl_line
from tests.fakes.clips import CLIPS
from tests.fakes.command import LIMIT_S, ROOT, command, environment, serving, until
from tests.fakes.scripted_engine import answer
from tests.fakes.wyoming import spoken

pytestmark = pytest.mark.process

CLIP = CLIPS["short.wav"]
WAV = {"content-type": "audio/wav"}


def post(url: str, **query: str) -> Any:
    return httpx2.post(
        f"{url}/utterance",
        content=CLIP.path.read_bytes(),
        headers=WAV,
        params=query,
        timeout=LIMIT_S,
    )


def running_jobs(url: str) -> int:
    [line] = [
        line
        for line in httpx2.get(f"{url}/metrics").text.splitlines()
        if line.startswith("auricle_running_jobs ")
    ]
    return int(float(line.split()[1]))


def test_it_serves_speech_and_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    with serving(tmp_path) as (server, url):
        children = server.children()
        assert len(children) == 4
        answered = post(url)
        assert answered.status_code == 200
        assert answered.json()["text"] == answer(CLIP.pcm)
        server.interrupt()
        assert server.wait() == 0
        assert not [child for child in children if child.is_running()]
    assert "Traceback" not in server.stderr
    assert not list((tmp_path / "spool").iterdir())


def test_the_curl_line_that_it_prints_works(tmp_path: Path) -> None:
    with serving(tmp_path) as (server, url):
        line = server.line_with("curl ").split()
        assert line[:2] == ["curl", "--data-binary"]
        assert (ROOT / line[2].removeprefix("@")).is_file()
        assert line[-1] == f"{url}/utterance"


def test_the_curl_line_names_a_key_where_one_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert curl_line("http://h", has_keys=True) == (
        "curl --data-binary @FILE -H 'Content-Type: audio/*' "
        "-H 'Authorization: Bearer KEY' http://h/utterance"
    )


def test_options_win_over_variables(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "1", "--decode-workers", "1", workers=3) as (_, url):
        health = httpx2.get(f"{url}/health").json()
        assert len(health["workers"]) == len(health["decode_workers"]) == 1


def test_it_serves_other_machines_without_keys_if_told_so_and_warns(tmp_path: Path) -> None:
    with serving(tmp_path, "--insecure-no-auth", host="0.0.0.0") as (server, url):
        assert httpx2.get(f"{url}/health").status_code == 200
        assert "whoever reaches this machine can use it" in server.stderr


def test_a_misspelled_variable_is_told_at_the_start(tmp_path: Path) -> None:
    environ = environment(tmp_path) | {"AURICLE_WORKER": "2"}
    with command("serve", environ=environ) as server:
        assert "AURICLE_WORKERS" in server.line_with("AURICLE_WORKER is not a setting")


def test_what_was_accepted_is_finished_after_ctrl_c(tmp_path: Path) -> None:
    with serving(tmp_path, drain_s=LIMIT_S) as (server, url):
        answers: list[Any] = []
        asked = threading.Thread(
            target=lambda: answers.append(post(url, initial_prompt="scripted:sleep:2"))
        )
        asked.start()
        until(lambda: running_jobs(url) == 1, server)
        server.interrupt()
        server.line_with("draining")
        refused = post(url)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "draining")
        asked.join(LIMIT_S)
        assert answers[0].status_code == 200
        assert server.wait() == 0


def test_a_second_ctrl_c_does_not_wait_for_it(tmp_path: Path) -> None:
    with serving(tmp_path, drain_s=10 * LIMIT_S, attempt_floor_s=10 * LIMIT_S) as (server, url):
        answered: list[bool] = []
        asked = threading.Thread(target=lambda: answered.append(_is_answered(url)))
        asked.start()
        until(lambda: running_jobs(url) == 1, server)
        server.interrupt()
        server.line_with("draining")
        server.interrupt()
        server.wait()
        asked.join(LIMIT_S)
        assert answered == [False]


def test_home_assistant_is_heard_out_after_ctrl_c(tmp_path: Path) -> None:
    options = ("--wyoming", "--wyoming-host", "0.0.0.0", "--wyoming-port", "0", "--wyoming-open")
    with serving(tmp_path, *options, drain_s=LIMIT_S) as (server, _):
        port = int(server.stdout.split("finds it on 0.0.0.0 port ")[1].split()[0])
        assert f"whoever reaches 0.0.0.0 port {port} can use it" in server.stderr
        with socket.create_connection(("127.0.0.1", port), LIMIT_S) as home:
            said = spoken()
            home.sendall(said[: len(said) // 2])
            assert "voice-started" in home.makefile().readline()
            server.interrupt()
            server.line_with("draining")
            home.sendall(said[len(said) // 2 :])
            home.shutdown(socket.SHUT_WR)
            assert '"transcript-stop"' in home.makefile().read()
        [session] = [e for e in server.events() if e["event"] == "session_started"]
        assert (session["dialect"], session["client"]) == ("wyoming", "wyoming")
        assert (session["address"], session["user_agent"]) == ("127.0.0.1", None)
        assert server.wait() == 0
    assert "Traceback" not in server.stderr


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
        ({"host": "0.0.0.0"}, "--insecure-no-auth"),
        ({"allowed_origins": "*"}, "AURICLE_ALLOWED_ORIGINS"),
        ({"model": "/nowhere/at/all"}, "AURICLE_MODEL"),
        ({"model": "no-such-model"}, "auricle models"),
        ({"api_keys": "anna:"}, "AURICLE_API_KEYS"),
        ({"keys_file": "/nowhere/at/all"}, "auricle keys add"),
        ({"spool_dir": __file__}, "AURICLE_SPOOL_DIR"),
        ({"wyoming": 1, "wyoming_host": "0.0.0.0"}, "AURICLE_WYOMING_OPEN"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cant_be_served_ends_in_one_line(
    tmp_path: Path, settings: dict[str, object], said: str
) -> None:
    with command("serve", environ=environment(tmp_path, **settings)) as server:
        assert server.wait() == 2
    lines = [line for line in server.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1
    assert lines[0].startswith("auricle: ")
    assert said in lines[0]


def test_a_port_in_use_is_told_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with command("serve", environ=environment(tmp_path, port=port)) as server:
            assert server.wait() == 2
    assert f"Port {port} on 127.0.0.1 can't be used" in server.stderr
    assert server.stdout == ""


def test_a_model_that_cant_be_loaded_ends_in_one_line(tmp_path: Path) -> None:
    environ = environment(tmp_path, engine="auricle.engine.short_window:load")
    with command("serve", environ=environ) as server:
        assert server.wait() == 2
    lines = [line for line in server.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1
    assert "can't be loaded" in lines[0]


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
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        url = server.stdout.readline().split(" serves on ")[1].split()[0]
        assert server.stdout.readline().startswith("Ready")
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


def test_its_logs_are_json_and_say_nothing_of_what_was_said(tmp_path: Path) -> None:
    with serving(tmp_path) as (server, url):
        assert post(url, trace_id="t-1", hotwords="whispered").status_code == 200
        server.interrupt()
        server.wait()
    events = [json.loads(line) for line in server.stderr.splitlines()]
    assert [event["trace_id"] for event in events if event.get("trace_id")] == ["t-1"]
    assert "whispered" not in server.stderr
    assert answer(CLIP.pcm) not in server.stderr
