"""``auricle transcribe`` with local workers or a server."""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from auricle.files import registry
from tests.cli.conftest import Run
from tests.support.clips import CLIPS, words
from tests.support.command import command, completed, environment, serving, until
from tests.support.model import CACHE_DIR, bundled_model

pytestmark = pytest.mark.process

NO_SERVER = "http://127.0.0.1:9"
SHORT, PAIR = CLIPS["short.wav"], CLIPS["pair.wav"]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run one server for tests that don't change its state."""
    with serving(tmp_path_factory.mktemp("server")) as (_, server_url):
        yield server_url


def transcribe(
    folder: Path, *arguments: object, **settings: object
) -> subprocess.CompletedProcess[str]:
    texts = [str(argument) for argument in arguments]
    given = {"workers": 1, "decode_workers": 1} | settings
    return completed("transcribe", *texts, environ=environment(folder, **given))


def files_in_work(url: str) -> int:
    return int(httpx2.get(f"{url}/health").json()["files"]["working"])


def test_a_recording_becomes_text_on_stdout(tmp_path: Path) -> None:
    done = transcribe(tmp_path, SHORT.path)
    assert done.returncode == 0
    assert done.stdout.startswith("29376 ")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


@pytest.mark.wall_clock
@pytest.mark.smoke
def test_speakers_are_labelled_by_local_workers(tmp_path: Path) -> None:
    done = transcribe(tmp_path, PAIR.path, "--speakers")
    assert done.stderr == ""
    assert done.stdout.startswith("Speaker 1: ")
    assert done.stdout.count("Speaker") == 1


@pytest.mark.parametrize(
    ("variables", "shown"),
    [
        ({"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "会議.wav"),
        ({"PYTHONIOENCODING": "latin-1"}, "??.wav"),
    ],
    ids=["pipes get UTF-8", "an encoding that was chosen"],
)
def test_a_letter_that_the_locale_lacks_costs_no_transcript(
    tmp_path: Path, variables: dict[str, str], shown: str
) -> None:
    meeting = tmp_path / os.fsdecode("会議.wav".encode())  # independent of this process' encoding
    meeting.write_bytes(SHORT.path.read_bytes())
    environ = environment(tmp_path) | variables
    files = str(meeting), str(PAIR.path)
    with command("transcribe", *files, environ=environ, is_forked=False) as running:
        assert running.wait() == 0
    assert shown in running.stdout
    assert "29376 " in running.stdout
    assert "Traceback" not in running.stderr


def test_certificates_that_cant_be_read_end_in_one_line(tmp_path: Path, url: str) -> None:
    environ = environment(tmp_path, url=url) | {"SSL_CERT_FILE": "/nonexistent/ca.pem"}
    with command("transcribe", str(SHORT.path), environ=environ) as running:
        assert running.wait() == 2
    assert running.stderr.count("\n") == 1
    assert "SSL_CERT_FILE" in running.stderr
    assert "/nonexistent/ca.pem" in running.stderr


def test_several_recordings_are_distinguished_and_keep_their_order(tmp_path: Path) -> None:
    done = transcribe(tmp_path, PAIR.path, SHORT.path)
    headings = [line for line in done.stdout.splitlines() if line.startswith("==>")]
    assert headings == [f"==> {PAIR.path} <==", f"==> {SHORT.path} <=="]


def test_what_cant_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    noise = tmp_path / "notes.wav"
    noise.write_text("no recording at all")
    done = transcribe(tmp_path, "nowhere.wav", noise, SHORT.path)
    assert done.returncode == 1
    assert "29376 " in done.stdout
    missing, unreadable = done.stderr.splitlines()
    assert missing == "nowhere.wav: can't be read: No such file or directory"
    assert unreadable.startswith(f"{noise}: ")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("missing.wav", "can't be read: No such file or directory"),
        ("folder", "is not a file."),
        ("empty.wav", "is empty."),
    ],
)
@pytest.mark.parametrize("options", [(), ("--url", NO_SERVER), ("--url", NO_SERVER, "--detach")])
def test_a_file_is_checked_before_a_model_is_loaded_or_a_server_is_asked(
    auricle: Run, tmp_path: Path, name: str, problem: str, options: tuple[str, ...]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.wav").touch()
    model = ("--model", "/no/such/model")  # loading it would be another error
    done = auricle("transcribe", *options, *model, str(tmp_path / name))
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"{tmp_path / name}: {problem}\n"


def test_a_target_is_checked_before_any_work(auricle: Run, tmp_path: Path) -> None:
    target = tmp_path / "missing" / "x.srt"
    done = auricle("transcribe", "--model", "/no/such/model", "-o", str(target), str(SHORT.path))
    assert done.exit_code == 2
    assert f"{target} can't be written: there is no folder" in done.stderr
    assert not target.parent.exists()


def test_the_suffix_of_the_output_chooses_the_format(tmp_path: Path) -> None:
    for name, start in (
        ("a.srt", b"1\n00:00:00,320 --> "),
        ("a.docx", b"PK"),
        ("a.md", b"# short"),
    ):
        done = transcribe(tmp_path, "-o", tmp_path / name, SHORT.path)
        assert (done.returncode, done.stdout) == (0, "")
        assert (tmp_path / name).read_bytes().startswith(start)


def test_subtitles_go_into_a_folder(tmp_path: Path) -> None:
    done = transcribe(tmp_path, "-f", "srt", "-o", f"{tmp_path}/out/", SHORT.path)
    assert done.returncode == 0
    assert done.stdout == ""
    written = (tmp_path / "out" / "short.srt").read_text()
    assert written.startswith("1\n00:00:00,320 --> 00:00:01,536\n29376 ")


def test_a_folder_that_cant_be_written_fails_that_recording_only(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "short.txt").mkdir()
    done = transcribe(tmp_path, "-o", tmp_path / "out", SHORT.path, PAIR.path)
    assert done.returncode == 1
    assert "short.txt can't be written" in done.stderr
    assert (tmp_path / "out" / "pair.txt").read_text()


def test_a_worker_that_dies_on_the_way_costs_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    marker.touch()
    prompt = f"scripted:segfault-once:{marker}"
    done = transcribe(tmp_path, "--prompt", prompt, SHORT.path)
    assert not marker.exists()
    assert done.returncode == 0
    assert done.stdout.startswith("29376 ")


def test_a_recording_that_kills_every_worker_fails_alone(tmp_path: Path) -> None:
    done = transcribe(tmp_path, "--prompt", "scripted:segfault", SHORT.path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{SHORT.path}: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--language", "klingon"], "Unsupported language"),
        (["-f", "srt"], "-o FOLDER"),
        (["--model", "/nowhere/at/all"], "AURICLE_MODEL"),
        (["--multichannel", "--speakers"], "exclude each other"),
        (["--url", "nowhere"], "--url"),
        (["--url", "http://127.0.0.1:9"], "auricle serve"),
    ],
)
def test_what_cant_be_done_ends_in_one_line(auricle: Run, arguments: list[str], said: str) -> None:
    result = auricle("transcribe", *arguments, str(SHORT.path), str(PAIR.path))
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert said in result.stderr


def test_missing_channels_are_refused_before_a_model_is_loaded(
    auricle: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "METHODS", {})
    result = auricle("transcribe", "--multichannel", "--model", "/nowhere", str(SHORT.path))
    assert result.exit_code == 2
    assert "does not support multichannel" in result.stderr


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal")
def test_ctrl_c_leaves_no_process_and_no_traceback_behind(tmp_path: Path) -> None:
    arguments = ["--prompt", "scripted:sleep:1000", str(SHORT.path)]
    environ = environment(tmp_path, job_timeout_min_s=2000)
    with command("transcribe", *arguments, environ=environ) as running:
        until(lambda: len(running.children()) == 4, running)
        children = running.children()
        running.process.send_signal(signal.SIGINT)
        assert running.wait() == 130
        assert not [child for child in children if child.is_running()]
    assert "Traceback" not in running.stderr


def test_a_server_gives_the_same_as_own_workers(tmp_path: Path, url: str) -> None:
    arguments = ("-f", "json", "--word-timestamps", SHORT.path)
    own = json.loads(transcribe(tmp_path, *arguments).stdout)
    remote = json.loads(transcribe(tmp_path, "--url", url, *arguments).stdout)
    for document in (own, remote):
        del document["timing_ms"]
    assert own == remote
    assert own["segments"][0]["words"]


def test_the_server_may_be_named_by_the_environment(tmp_path: Path, url: str) -> None:
    done = transcribe(tmp_path, SHORT.path, url=url)
    assert done.returncode == 0
    assert done.stdout.startswith("29376 ")


def test_what_a_server_refuses_is_reported_for_that_recording(tmp_path: Path, url: str) -> None:
    noise = tmp_path / "notes.wav"
    noise.write_text("no recording at all")
    done = transcribe(tmp_path, "--url", url, noise, SHORT.path, "nowhere.wav")
    assert done.returncode == 1
    assert "29376 " in done.stdout
    assert "unsupported_format" in done.stderr or "bad_audio" in done.stderr
    assert "nowhere.wav: can't be read" in done.stderr


SCRIPTED = "tests.support.scripted_engine"
TWO = f"one={SCRIPTED},broken={SCRIPTED}:scripted:setup-error;load=demand"


def test_own_workers_load_one_of_several_models(tmp_path: Path) -> None:
    assert transcribe(tmp_path, SHORT.path, models=TWO).stdout.startswith("29376 ")
    assert transcribe(tmp_path, "--model", "broken", SHORT.path, models=TWO).returncode == 2
    unknown = transcribe(tmp_path, "--model", "large-v3", SHORT.path, models=TWO)
    assert unknown.returncode == 2
    assert "its models are: one, broken." in unknown.stderr


def test_a_server_is_asked_for_the_model(tmp_path: Path) -> None:
    with serving(tmp_path, models=f"one={SCRIPTED},two={SCRIPTED}") as (_, url):
        done = transcribe(tmp_path, "--model", "two", SHORT.path, url=url)
        assert done.stdout.startswith("29376 ")
        jobs = {each["name"]: each["jobs"] for each in httpx2.get(f"{url}/health").json()["models"]}
        assert (jobs["one"]["done"], jobs["two"]["done"]) == (0, 1)
        unknown = transcribe(tmp_path, "--model", "large-v3", SHORT.path, url=url)
        assert unknown.returncode == 1
        assert "its models are: one, two. (model_not_found)" in unknown.stderr


def test_a_server_with_keys_wants_one(tmp_path: Path) -> None:
    with serving(tmp_path, api_keys="anna:secret-key") as (_, url):
        without = transcribe(tmp_path, SHORT.path, url=url)
        assert without.returncode == 1
        assert "set --api-key or AURICLE_API_KEY" in without.stderr
        with_key = transcribe(tmp_path, SHORT.path, url=url, api_key="secret-key")
        assert with_key.returncode == 0, with_key.stderr


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal")
@pytest.mark.wall_clock
def test_ctrl_c_cancels_the_servers_job(tmp_path: Path) -> None:
    with serving(tmp_path, job_timeout_min_s=2000) as (server, url):
        arguments = ["--url", url, "--prompt", "scripted:sleep:1000", str(SHORT.path)]
        with command("transcribe", *arguments, environ=environment(tmp_path)) as running:
            until(lambda: files_in_work(url) == 1, running)  # its upload may not have ended
            running.process.send_signal(signal.SIGINT)
            assert running.wait() == 130
        until(lambda: files_in_work(url) == 0, server)
        assert httpx2.get(f"{url}/jobs").json()["jobs"] == []
    assert re.fullmatch(
        f"{SHORT.path}: its job [0-9a-f]{{32}} on the server was cancelled.\n", running.stderr
    )


@pytest.mark.wall_clock
def test_a_server_that_was_restarted_gets_the_recording_again(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    marker.touch()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = ["--prompt", f"scripted:sleep-once:1000:{marker}", str(SHORT.path)]
    environ = environment(tmp_path, url=f"http://127.0.0.1:{port}")
    with (
        serving(tmp_path, port=port, job_timeout_min_s=2000) as (first, _),
        command("transcribe", *arguments, environ=environ) as running,
    ):
        until(lambda: not marker.exists(), running)
        first.process.kill()
        first.wait()
        with serving(tmp_path, port=port):
            assert running.wait() == 0
    assert running.stdout.startswith("29376 ")


@pytest.mark.model
def test_whisper_transcribes_the_file(tmp_path: Path) -> None:
    bundled_model()
    done = transcribe(
        tmp_path,
        SHORT.path,
        engine="whisper",
        model="base",
        cache_dir=CACHE_DIR,
    )
    assert words(done.stdout) == words(SHORT.text)
