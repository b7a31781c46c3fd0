"""The checks of ``auricle doctor``, with and without problems."""

import http.server
import json
import re
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from auricle import __version__
from auricle.cli.doctor import checks
from auricle.cli.doctor.checks import (
    CHECKS,
    PROBES,
    check_address,
    check_audio,
    check_disk,
    check_engine,
    check_gpu,
    check_libopus,
    check_live,
    check_memory,
    check_model,
    check_processors,
    check_python,
    check_sandbox,
    check_variables,
)
from auricle.cli.part import find_parts
from auricle.cli.support.finding import Finding, Level
from auricle.config.settings import Settings
from auricle.engines.whisper.models.fetch import known_models
from tests.cli.conftest import Run
from tests.support.command import LIMIT_S, serving
from tests.support.older_kernel import LANDLOCK, interpreter

pytestmark = pytest.mark.process


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "ANSWER_LIMIT_S", LIMIT_S)


def settings(**overrides: object) -> Settings:
    return Settings.load({"port": 0, **overrides})


@pytest.mark.parametrize("check", [check_python, check_variables, check_libopus, check_engine])
def test_what_was_installed_properly_is_well(check: type) -> None:
    finding = check(settings())
    assert finding.level is Level.OK
    assert finding.advice == ""


@pytest.mark.parametrize("check", PROBES)
def test_a_slow_machine_is_told_the_limit_and_how_to_raise_it(
    check: Callable[..., Finding],
) -> None:
    finding = check(settings(), limit_s=0.001)
    assert finding.level is Level.WRONG
    assert "within 0.001 s" in finding.text
    assert "--timeout 0.005" in finding.advice


def test_a_misspelled_variable_is_worth_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_WORKER", "2")
    finding = check_variables(settings())
    assert finding.level is Level.WARNING
    assert "AURICLE_WORKERS" in finding.advice


def test_a_libopus_that_is_named_and_not_there_is_wrong(tmp_path: Path) -> None:
    finding = check_libopus(settings(libopus=str(tmp_path / "libopus.so")))
    assert finding.level is Level.WRONG
    assert "libopus" in finding.advice


def test_a_model_directory_without_a_model_is_wrong(tmp_path: Path) -> None:
    finding = check_model(settings(model=str(tmp_path)))
    assert finding.level is Level.WRONG
    assert "model.bin" in finding.advice


def test_a_download_of_the_model_is_announced(tmp_path: Path) -> None:
    absent = next((model for model in known_models(tmp_path) if not model.is_local), None)
    if absent is None:
        pytest.skip("every model is here")
    finding = check_model(settings(model=absent.name, cache_dir=str(tmp_path)))
    assert finding.level is Level.WARNING
    assert f"{absent.size_mb} MB" in finding.text


def test_an_unknown_model_is_an_error() -> None:
    assert check_model(settings(model="basse")).level is Level.WRONG


@pytest.mark.skipif("sys.platform != 'linux'")
def test_the_restrictions_of_workers_are_checked_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", interpreter(tmp_path, LANDLOCK))
    finding = check_sandbox(settings())
    assert finding.level is Level.WARNING
    assert "files" in finding.text
    assert "Linux" in finding.advice


def test_a_sandbox_that_is_turned_off_is_worth_a_word() -> None:
    assert check_sandbox(settings(sandbox="off")).level is Level.WARNING


def test_one_worker_is_worth_a_word() -> None:
    assert check_processors(settings(workers=1)).level is Level.WARNING
    assert check_processors(settings(workers=2, worker_threads=1)).level is Level.OK


def test_more_threads_than_cores_are_worth_a_word() -> None:
    finding = check_processors(settings(workers=256, worker_threads=64))
    assert finding.level is Level.WARNING
    assert "AURICLE_WORKERS" in finding.advice


def test_more_workers_than_memory_are_worth_a_word() -> None:
    assert "960 MB for 2 workers" in check_memory(settings(workers=2)).text
    finding = check_memory(settings(workers=256, model="large-v3"))
    assert finding.level is Level.WARNING
    assert "AURICLE_WORKERS" in finding.advice


def test_workers_for_a_gpu_are_not_counted_against_cores_and_memory() -> None:
    crowded = settings(device="cuda", workers=256, worker_threads=64)
    assert check_processors(crowded).level is Level.OK
    assert check_memory(crowded).level is Level.OK


def test_a_free_port_is_well() -> None:
    assert check_address(settings()).level is Level.OK


def test_a_port_in_use_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finding = check_address(settings(port=port))
        assert finding.level is Level.WARNING
        assert f"127.0.0.1 port {port}" in finding.text
        assert "AURICLE_PORT" in finding.advice


@pytest.mark.process
@pytest.mark.usefixtures("_patient")
def test_a_server_of_auricle_that_runs_is_well(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, url):
        port = int(url.rpartition(":")[2])
        finding = check_address(settings(port=port))
        assert (finding.level, finding.advice) == (Level.OK, "")
        assert f"Auricle {__version__} is running there" in finding.text


@pytest.mark.process
@pytest.mark.usefixtures("_patient")
def test_a_server_that_has_learned_nothing_is_worth_a_measurement(tmp_path: Path) -> None:
    with serving(tmp_path, live_speakers=0) as (_, url):
        port = int(url.rpartition(":")[2])
        finding = check_live(settings(port=port))
        assert finding.level is Level.WARNING
        assert finding.text == (
            "0 people are being transcribed now; this server holds about 12, which is not learned "
            "yet"
        )
        assert "`auricle bench --save`" in finding.advice
        assert "AURICLE_LIVE_SPEAKERS" in finding.advice


def test_live_speech_of_a_server_that_does_not_run_is_no_problem() -> None:
    finding = check_live(settings())
    assert (finding.level, finding.advice) == (Level.OK, "")
    assert "no server is running" in finding.text


class Service(http.server.BaseHTTPRequestHandler):
    """``/health`` of a server in a state that takes long to reach."""

    live: dict[str, object]

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        health = {"version": "7", "decode_workers": [], "live": self.live}
        self.wfile.write(json.dumps(health).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize(
    ("state", "fixed", "text", "advice"),
    [
        ({"late": True}, 0, "captions are late: 12 people are", "a smaller AURICLE_MODEL"),
        ({"speakers": 12.4}, 0, "full: 12 people are", "more cores"),
        ({"waiting_clients": 3}, 0, "full: .+; waiting clients: 3$", "another server"),
        ({"waiting_clients": 3}, 12, "full: ", "Raise or unset AURICLE_LIVE_SPEAKERS"),
        ({}, 0, r"^12 people are being transcribed now; this server holds about 12$", "^$"),
        ({"speakers": 0.6, "learned": False}, 12, "^1 person is being transcribed now", "^$"),
    ],
)
@pytest.mark.usefixtures("_patient")
def test_a_server_without_a_free_place_comes_with_advice(
    state: dict[str, object], fixed: int, text: str, advice: str
) -> None:
    live = {"speakers": 11.6, "capacity": 12.4, "learned": True, "late": False}
    handler = type("Handler", (Service,), {"live": live | {"waiting_clients": 0} | state})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        finding = check_live(settings(port=server.server_port, live_speakers=fixed))
        server.shutdown()
    assert re.search(text, finding.text)
    assert re.search(advice, finding.advice)
    assert (finding.level is Level.OK) == (finding.advice == "")


class OtherService(http.server.BaseHTTPRequestHandler):
    """Another program's health check."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status": "ok", "version": "7"}')

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.usefixtures("_patient")
def test_another_program_that_answers_http_is_still_reported() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), OtherService) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        finding = check_address(settings(port=other.server_port))
        other.shutdown()
    assert finding.level is Level.WARNING
    assert "AURICLE_PORT" in finding.advice


def test_an_address_that_is_not_ours_is_reported() -> None:
    # 192.0.2.0/24 is for documentation (RFC 5737): no machine has it.
    finding = check_address(settings(host="192.0.2.1", api_keys="anna:key"))
    assert finding.level is Level.WARNING
    assert "192.0.2.1" in finding.advice


def test_an_open_address_without_keys_is_a_warning_if_it_is_wanted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    finding = check_address(settings(host="0.0.0.0", port=port, insecure_no_auth=True))
    assert finding.level is Level.WARNING
    assert "without keys" in finding.text


def test_an_open_address_without_keys_is_wrong() -> None:
    finding = check_address(settings(host="0.0.0.0"))
    assert finding.level is Level.WRONG
    assert "AURICLE_API_KEYS" in finding.advice


def test_folders_that_are_not_there_yet_are_judged_by_those_above(tmp_path: Path) -> None:
    finding = check_disk(settings(cache_dir=str(tmp_path / "new" / "cache")))
    assert finding.level is not Level.WRONG
    assert str(tmp_path / "new" / "cache") in finding.text


def test_without_a_gpu_the_doctor_says_what_is_missing() -> None:
    finding = check_gpu(settings())
    if finding.level is Level.OK:
        pytest.skip("this machine has a GPU")
    assert finding.level is Level.WRONG
    assert finding.advice
    assert check_gpu(settings(device="auto")).level is Level.WARNING  # the CPU will do


def test_the_doctor_prints_a_line_for_each_check(
    auricle: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AURICLE_PORT", "0")
    monkeypatch.setenv("AURICLE_CACHE_DIR", str(tmp_path))
    result = auricle("doctor")
    assert result.exit_code == 0
    lines = [line for line in result.stdout.splitlines() if not line.startswith(" ")]
    assert len(lines) == len(CHECKS) + sum(len(part.checks()) for part in find_parts())


def test_the_doctors_exit_code_reports_that_something_is_wrong(
    auricle: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AURICLE_MODEL", str(tmp_path))
    result = auricle("doctor")
    assert result.exit_code == 1
    assert "→ " in result.stdout


def test_without_a_bucket_audio_is_in_the_state_directory(tmp_path: Path) -> None:
    finding = check_audio(settings(state_dir=tmp_path / "state"))
    assert finding.level is Level.OK
    assert str(tmp_path / "state" / "audio") in finding.text
    assert not (tmp_path / "state").exists()


def test_a_bucket_that_can_be_listed_is_well(bucket_settings: dict[str, str]) -> None:
    finding = check_audio(settings(**bucket_settings))
    assert (finding.level, finding.advice) == (Level.OK, "")


def test_a_bucket_that_does_not_exist_is_wrong(bucket_settings: dict[str, str]) -> None:
    finding = check_audio(settings(**bucket_settings | {"audio_url": "s3://no-such-bucket/x"}))
    assert finding.level is Level.WRONG
    assert "NoSuchBucket" in finding.advice


def test_a_bucket_whose_service_is_away_is_worth_a_look(bucket_settings: dict[str, str]) -> None:
    finding = check_audio(settings(**bucket_settings | {"audio_endpoint": "http://127.0.0.1:1"}))
    assert finding.level is Level.WARNING
    assert "AURICLE_AUDIO_ENDPOINT" in finding.advice
