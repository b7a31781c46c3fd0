"""``auricle serve`` with several models, as a real process."""

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from auricle.audio.chunks import find_chunks
from auricle.cli.support.console import EXIT_UNUSABLE
from tests.support.clips import CLIPS
from tests.support.command import LIMIT_S, command, environment, until
from tests.support.model import CACHE_DIR, bundled_model
from tests.support.model_pools import scripted
from tests.support.moonshine import moonshine_directory
from tests.support.scripted_engine import answer

pytestmark = pytest.mark.process

CLIP = CLIPS["short.wav"]
SPEECH = CLIPS["fellow.wav"]
WAV = {"content-type": "audio/wav"}


def post(url: str, path: Path = CLIP.path, **query: str) -> Any:
    return httpx2.post(
        f"{url}/utterance", content=path.read_bytes(), headers=WAV, params=query, timeout=LIMIT_S
    )


def get(url: str) -> httpx2.Response:
    return httpx2.get(url, timeout=LIMIT_S)


def health(url: str) -> Any:
    return get(f"{url}/health").json()


def test_several_models_serve_and_a_job_waits_for_one_that_is_loaded_on_demand(
    tmp_path: Path,
) -> None:
    (piece,) = find_chunks(CLIP.pcm)
    models = scripted("main", "broken=scripted:setup-error", "rare=;load=demand;workers=1")
    environ = environment(tmp_path, engine="", models=models, workers=1)
    with command("serve", environ=environ) as server:
        started = server.event("started")
        url = started["url"]
        assert [(model["name"], model["load"]) for model in started["models"]] == [
            ("main", "start"),
            ("broken", "start"),
            ("rare", "demand"),
        ]
        assert server.event("model_not_loaded")["model"] == "broken"
        until(lambda: get(f"{url}/readyz").status_code == 200, server)
        for name in ("", "main"):
            assert post(url, model=name).json()["text"] == answer(piece.pcm)
        assert health(url)["status"] == "degraded"

        accepted = post(url, model="rare", wait="0", job_id="late")
        assert accepted.status_code == 202
        until(lambda: get(f"{url}/jobs/late").json()["state"] in ("done", "failed"), server)
        job = get(f"{url}/jobs/late").json()
        assert job["state"] == "done", job
        assert job["result"]["text"] == answer(piece.pcm)
        assert post(url, model="rare").status_code == 200

        missing, broken = post(url, model="nova-9"), post(url, model="broken")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")
        assert (broken.status_code, broken.json()["error"]["code"]) == (503, "model_unavailable")
        assert int(broken.headers["retry-after"]) >= 1

        server.process.send_signal(signal.SIGHUP)
        assert server.event("model_unchanged")["model"] == "main"
        server.interrupt()
        assert server.wait() == 0


def test_a_gateway_ignores_a_reload(tmp_path: Path) -> None:
    environ = environment(tmp_path, engine_urls="http://127.0.0.1:9")
    with command("serve", environ=environ) as server:
        server.event("started")
        server.process.send_signal(signal.SIGHUP)
        assert server.event("reloading")["models"] is False
        server.interrupt()
        assert server.wait() == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"models": "base, base"}, "the name 'base' occurs twice"),
        ({"models": scripted("a=;workers=256", "b=;workers=256")}, "MB are available: a 76800 MB"),
    ],
)
def test_a_table_that_cannot_be_served_ends_in_one_event_that_says_why(
    tmp_path: Path, settings: dict[str, str], message: str
) -> None:
    environ = environment(tmp_path, **{"engine": "", **settings})
    with command("serve", environ=environ) as server:
        assert message in server.event("start_failed")["message"]
        assert server.wait() == EXIT_UNUSABLE


@pytest.mark.slow
def test_whisper_and_moonshine_serve_together(tmp_path: Path) -> None:
    bundled_model()
    models = f"whisper-base, fast=moonshine:{moonshine_directory()}"
    environ = environment(
        tmp_path, engine="", models=models, cache_dir=CACHE_DIR, workers=1, queue_audio_s=300
    )
    with command("serve", environ=environ) as server:
        url = server.event("started")["url"]
        server.event("model_ready")
        until(lambda: get(f"{url}/readyz").status_code == 200, server)
        asked = {"language": "en", "max_wait_s": "100"}
        names = ["whisper-base", "fast"] * 2
        with ThreadPoolExecutor(4) as threads:
            answers = list(
                threads.map(lambda name: post(url, SPEECH.path, model=name, **asked), names)
            )
        texts: dict[str, set[str]] = {}
        for name, got in zip(names, answers, strict=True):
            assert got.status_code == 200, got.text
            assert got.json()["model"] == name
            texts.setdefault(name, set()).add(got.json()["text"])
        (whisper,), (moonshine,) = texts["whisper-base"], texts["fast"]
        assert whisper != moonshine  # each has its own way to write "my fellow Americans"
        for text in (whisper, moonshine):
            assert "ask what you can do for your country" in text
        assert [model["jobs"]["done"] for model in health(url)["models"]] == [2, 2]
