"""``auricle serve`` with AURICLE_ENGINE_URLS: a gateway as a real process."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from websockets.sync.client import connect

from auricle.audio.chunks import find_chunks
from tests.cli.serve.test_start import CLIP, PROGRAM, post
from tests.support.command import LIMIT_S, Command, command, environment, serving, started_at
from tests.support.poll import wait_until
from tests.support.recognisers import Recogniser, running_recogniser
from tests.support.scripted_engine import answer

pytestmark = pytest.mark.process

KEY = "a-key-between-machines"
(SPEECH,) = find_chunks(CLIP.pcm)
"""The clip without the silence around it, which is what workers get."""


@contextmanager
def gateway(folder: Path, *recognisers: Recogniser) -> Iterator[tuple[Command, str]]:
    urls = ",".join(recogniser.url for recogniser in recognisers)
    with serving(folder, engine_urls=urls, engine_key=KEY) as served:
        yield served


def health(url: str) -> Any:
    return httpx2.get(f"{url}/health", timeout=LIMIT_S).json()


def states(url: str) -> list[tuple[str, str]]:
    return [(worker["id"], worker["state"]) for worker in health(url)["workers"]]


def until(condition: Any) -> None:
    wait_until(condition, "the condition")


def metric(url: str, name: str) -> float:
    lines = httpx2.get(f"{url}/metrics", timeout=LIMIT_S).text.splitlines()
    [value] = [line.split()[1] for line in lines if line.split()[0] == name]
    return float(value)


@pytest.mark.wall_clock
@pytest.mark.smoke
def test_a_gateway_may_recognise_partials_itself(tmp_path: Path) -> None:
    streams = "tests.support.scripted_streams"
    with running_recogniser(engine_key=KEY) as one:
        mine: dict[str, object] = {"engine": "", "models": f"quick={streams}", "workers": 1}
        remote = {"engine_urls": one.url, "engine_key": KEY, "partial_model": "quick"}
        with serving(tmp_path, **mine, **remote) as (_, url):
            until(lambda: metric(url, 'auricle_workers{pool="partials",state="ready"}') == 1)
            stream = f"{url.replace('http', 'ws')}/v1/stream?format=pcm16&language=en"
            with connect(stream, open_timeout=LIMIT_S) as live:
                live.send(CLIP.pcm.tobytes())
                jobs = 'auricle_optional_jobs_total{outcome="done",pool="partials"}'
                until(lambda: metric(url, jobs) > 0)
                live.send('{"type": "stop"}')
                texts = [
                    event["text"] for line in live if (event := json.loads(line))["type"] == "final"
                ]
            [final] = texts
            assert final


@pytest.mark.wall_clock
def test_a_gateway_serves_with_the_recognisers_of_others(tmp_path: Path) -> None:
    with (
        running_recogniser(engine_key=KEY) as one,
        running_recogniser(engine_key=KEY) as other,
        gateway(tmp_path, one, other) as (server, url),
    ):
        [started] = [event for event in server.events() if event["event"] == "started"]
        assert started["recognisers"] == 2
        until(lambda: len(server.children()) == 1)  # the one that reads files
        until(lambda: states(url) == [("1/asr-1", "ready"), ("2/asr-1", "ready")])
        answered = post(url)
        assert answered.json()["text"] == answer(SPEECH.pcm)
        until(lambda: health(url)["status"] == "ok")  # the one that reads files is ready, too
        report = health(url)
        assert (report["model"], report["jobs"]["done"]) == ("scripted", 1)
        assert report["queue"]["max_audio_s"] == 600
        until(lambda: metric(url, 'auricle_workers{pool="asr",state="ready"}') == 2)
        assert metric(url, 'auricle_worker_jobs_total{outcome="done"}') == 1
        assert httpx2.get(f"{url}/readyz").status_code == 200

        other.kill()
        until(lambda: states(url) == [("1/asr-1", "ready"), ("2", "backing_off")])
        assert health(url)["status"] == "degraded"
        assert post(url).status_code == 200
        one.kill()
        until(lambda: httpx2.get(f"{url}/readyz").status_code == 503)
        refused = post(url)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_worker_ready")
        assert int(refused.headers["retry-after"]) >= 1
        assert httpx2.get(f"{url}/livez").status_code == 200
        assert httpx2.get(f"{url}/status").status_code in (200, 404)  # pages may not be built
        server.interrupt()
        assert server.wait() == 0
    assert KEY not in server.stdout + server.stderr
    assert "recogniser_out" in server.stderr
    assert "Traceback" not in server.stderr


def test_a_wrong_key_ends_in_one_line(tmp_path: Path) -> None:
    with running_recogniser(engine_key="another") as only:
        environ = environment(tmp_path, engine_urls=only.url, engine_key=KEY)
        with command("serve", environ=environ) as server:
            assert server.wait() == 2
    [failed] = [event for event in server.events() if event["event"] == "start_failed"]
    assert "AURICLE_ENGINE_KEY" in failed["message"]


def test_the_key_is_handed_to_no_worker_and_never_shown(tmp_path: Path) -> None:
    with running_recogniser(engine_key=KEY) as only, gateway(tmp_path, only) as (server, url):
        until(lambda: health(url)["status"] == "ok")  # the one that reads files is ready
        children = [child.environ() for child in (*server.children(), *only.workers())]
        assert len(children) == 2
        assert not [environ for environ in children if KEY in environ.values()]
    environ = environment(tmp_path, engine_key=KEY)
    with command("settings", environ=environ) as printing:
        assert printing.wait() == 0
    assert "AURICLE_ENGINE_KEY=set" in printing.stdout
    assert KEY not in printing.stdout


def test_a_gateway_has_not_imported_what_only_recognisers_may(tmp_path: Path) -> None:
    with running_recogniser() as only:
        server = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env=environment(tmp_path, engine_urls=only.url),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            assert server.stdout is not None
            url = started_at(server.stdout)
            assert post(url).json()["text"] == answer(SPEECH.pcm)
            psutil.Process(server.pid).terminate()
            imported = set(server.stdout.read().splitlines()[-1].split())
            assert server.wait(LIMIT_S) == 0
        finally:
            server.kill()
            server.wait()
            assert server.stdout is not None
            server.stdout.close()
    assert {"imported", "auricle", "uvicorn", "httpx2"} <= imported
    assert not imported & {"faster_whisper", "ctranslate2", "av", "torch", "ray"}
