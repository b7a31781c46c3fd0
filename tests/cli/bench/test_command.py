"""``auricle bench`` as a real process."""

import json
from pathlib import Path

import httpx2
import psutil
import pytest

from auricle.cli.bench.report import BenchResult
from auricle.cli.bench.target import find_target
from auricle.config.capacity import save_capacity
from auricle.config.settings import Settings
from auricle.engines.placement import measured_of
from tests.support.command import command, environment, serving, until
from tests.support.model import CACHE_DIR, bundled_model

pytestmark = pytest.mark.process

SCRIPTED = "tests.support.scripted_engine"
HEADING = ["machine", "model", "yardstick", "recording"]
WHISPER = {"engine": "whisper", "model": "base", "cache_dir": CACHE_DIR}


def without_yardstick(folder: Path) -> dict[str, str]:
    """Return an environment where there is no Whisper base, which takes seconds."""
    (folder / "file").touch()
    return environment(folder, cache_dir=folder / "file" / "cache")


@pytest.mark.wall_clock
def test_a_quick_run_prints_and_writes_its_figures(tmp_path: Path) -> None:
    report = tmp_path / "bench.json"
    arguments = ("--quick", "--streams", "2", "--json", str(report))
    with command("bench", *arguments, environ=without_yardstick(tmp_path)) as running:
        assert running.wait() == 0, running.stderr
    assert running.stderr == ""
    lines = running.stdout.splitlines()
    assert [line.split()[0] for line in lines[:4]] == HEADING
    document = json.loads(report.read_text())
    assert document["of"]["engine"] == "scripted"
    assert document["yardstick"]["speed_per_core"] is None
    # A busy machine does not hold them.
    assert document["live_streams"].keys() == {"with_partials", "without"}
    assert [level["streams"] for level in document["levels"]] == [2, 2]
    assert document["file"]["speed"] > 1


def test_ctrl_c_ends_it_with_its_server(tmp_path: Path) -> None:
    with command("bench", "--quick", environ=without_yardstick(tmp_path)) as running:
        running.line_with("recording")  # the server is ready
        until(lambda: len(running.children()) > 3, running)  # those that read files start last
        children = running.children()
        running.interrupt()
        assert running.wait() == 130
    assert not [child for child in children if psutil.pid_exists(child.pid) and child.is_running()]
    assert "Traceback" not in running.stderr


@pytest.mark.slow
def test_a_model_on_demand_is_measured_by_its_name(tmp_path: Path) -> None:
    report = tmp_path / "bench.json"
    models = f"one={SCRIPTED};workers=1,two={SCRIPTED}:scripted:slow:0.1;workers=1;load=demand"
    environ = environment(tmp_path, models=models, engine="", model="")
    arguments = ("--quick", "--streams", "1", "--model", "two", "--json", str(report))
    with command("bench", *arguments, environ=environ) as running:
        assert running.wait() == 0, running.stderr
    document = json.loads(report.read_text())
    assert document["of"]["model"] == "scripted:slow:0.1"
    assert [level["streams"] for level in document["levels"]] == [1, 1]


def test_one_number_of_streams_is_no_capacity_to_save(tmp_path: Path) -> None:
    environ = environment(tmp_path)
    with command("bench", "--save", "--streams", "2", environ=environ) as running:
        assert running.wait() == 2
    assert "omit --streams" in running.stderr


def test_it_needs_a_file_that_it_can_write(tmp_path: Path) -> None:
    environ = environment(tmp_path)
    with command("bench", "--json", str(tmp_path), environ=environ) as running:
        assert running.wait() == 2
    assert "is a folder" in running.stderr


def test_what_is_saved_is_what_a_server_begins_with(tmp_path: Path, scripted: Settings) -> None:
    of = measured_of(find_target(scripted).placement)
    result = BenchResult("1.0", 1e9, of, is_quick=False, streams=27)
    save_capacity(scripted.model.cache_dir, result.capacity())
    with serving(tmp_path, workers=of.workers, live_speakers=0) as (server, url):
        assert server.stderr.count('"capacity_used"') == 1
        live = httpx2.get(f"{url}/health").json()["live"]
    assert (live["capacity"], live["learned"]) == (27, True)
    with serving(tmp_path, workers=of.workers + 1) as (server, _):
        assert f"workers {of.workers} instead of {of.workers + 1}" in server.stderr


@pytest.mark.model
@pytest.mark.slow
def test_with_whisper_base_the_figures_are_in_proportion(tmp_path: Path) -> None:
    bundled_model()
    report = tmp_path / "bench.json"
    arguments = ("--streams", "1", "--json", str(report))
    with command("bench", *arguments, environ=environment(tmp_path, **WHISPER)) as running:
        assert running.wait() == 0, running.stderr
    document = json.loads(report.read_text())
    with_partials, without = document["levels"]
    assert with_partials["partials_per_s"] > without["partials_per_s"] == 0
    # A busy machine finishes the level before the last finals, or refuses a stream.
    assert all(1 <= level["finals"] <= 3 for level in document["levels"])
    assert document["per_yardstick"]["file_speed"] > 0
