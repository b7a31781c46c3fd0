"""Stages do not stop each other, and a second try is bounded and said."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from gate.running import MAX_RETRIED, Result, Runner
from gate.stages import PYTEST_AGAIN, Stage
from tests.support.poll import wait_until

pytestmark = pytest.mark.process

PYTEST = f"{sys.executable} -m pytest --rootdir . -c /dev/null -p no:xdist"
FAILS_ONCE = """
from pathlib import Path
def test_of_real_time():
    mark = Path(__file__).with_suffix(".tried")
    tries = len(mark.read_text()) if mark.exists() else 0
    mark.write_text("x" * (tries + 1))
    assert tries >= {passes_after}, "the machine was busy"
def test_that_passes(): pass
"""


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    (tmp_path / "logs").mkdir()
    return Runner(tmp_path / "logs")


def stage(name: str, command: str, **others: object) -> Stage:
    return Stage(name, command, need="", **others)  # type: ignore[arg-type]


def of_real_time(folder: Path, source: str) -> Stage:
    """Return a stage that runs a module of tests, and tries it again."""
    folder.joinpath("test_module.py").write_text(source)
    command = f"cd {folder} && {PYTEST}"
    return stage("live", command, second_try=f"{command} {PYTEST_AGAIN}")


def test_a_stage_that_fails_stops_no_other(runner: Runner) -> None:
    results = runner.run([stage("one", "echo no such file >&2; exit 3")], [])
    results += runner.run([stage("two", "echo fine"), stage("three", "true")], results)
    outcomes = {result.stage.name: result.passed for result in results}
    assert outcomes == {"one": False, "two": True, "three": True}
    [failure] = results[0].failures
    assert (failure.test, failure.cause) == ("one", "exit status 3\nno such file")


def test_a_stage_is_not_run_without_what_it_needs(runner: Runner) -> None:
    before = runner.run([stage("setup", "false")], [])
    [result] = runner.run([Stage("tests", "true")], before)
    assert not result.passed
    assert result.failures[0].cause == "not run: setup failed"


def test_downloads_are_tried_again(runner: Runner, tmp_path: Path) -> None:
    command = f'echo x >>{tmp_path}/tries; test "$(wc -l <{tmp_path}/tries)" = 3'
    assert runner.run([stage("setup", command, tries=3)], [])[0].passed
    (tmp_path / "tries").unlink()
    assert not runner.run([stage("setup", command, tries=2)], [])[0].passed


def test_a_stage_that_hangs_is_ended_with_all_that_it_started(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path / "pid"
    command = f"sleep 1000 & echo $! >{pid}.new; mv {pid}.new {pid}; wait"
    clock = SimpleNamespace(monotonic=lambda: 3601.0 if pid.exists() else 0.0, sleep=time.sleep)
    monkeypatch.setattr("gate.running.time", clock)
    [result] = runner.run([stage("hangs", command, limit_s=3600.0)], [])
    assert result.failures[0].cause == "took longer than 60 minutes"
    child = int(pid.read_text())
    wait_until(lambda: not Path(f"/proc/{child}/cmdline").exists() or None, "its end")


def test_a_test_of_real_time_passes_at_a_later_try(
    runner: Runner, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = of_real_time(tmp_path, FAILS_ONCE.format(passes_after=2))
    first = runner.run([one], [])
    assert [failure.cause for failure in first[0].failures] == [
        "AssertionError: the machine was busy"
    ]
    assert first[0].report.passed == 1
    [result] = runner.try_again(first)
    assert result.passed
    assert [failure.test for failure in result.retried] == ["test_module::test_of_real_time"]
    line = "RETRIED test_module::test_of_real_time: AssertionError: the machine was busy"
    assert line in capsys.readouterr().out


def test_a_third_failure_is_final(runner: Runner, tmp_path: Path) -> None:
    one = of_real_time(tmp_path, FAILS_ONCE.format(passes_after=3))
    [result] = runner.try_again(runner.run([one], []))
    assert not result.passed
    assert (tmp_path / "test_module.tried").read_text() == "xxx"


def test_many_failures_are_not_tried_again(runner: Runner, tmp_path: Path) -> None:
    source = f"import pytest\n@pytest.mark.parametrize('n', range({MAX_RETRIED + 1}))\n"
    one = of_real_time(tmp_path, source + "def test_one(n): assert False\n")
    results: list[Result] = runner.run([one], [])
    assert runner.try_again(results) == results


def test_a_stage_that_breaks_without_a_failed_test_is_not_tried_again(
    runner: Runner, tmp_path: Path
) -> None:
    one = of_real_time(tmp_path, "def test_one(: pass\n")
    [result] = runner.try_again(runner.run([one], []))
    assert not result.passed
    assert not result.retried or result.report.passed == 0


def test_an_interrupted_run_leaves_no_stage_behind(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    program = (
        "import signal, sys; from pathlib import Path\n"
        "from gate.running import Runner; from gate.stages import Stage\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        f"command = 'echo $$ >{pid}.new; mv {pid}.new {pid}; sleep 1000'\n"
        f"Runner(Path({str(tmp_path)!r})).run([Stage('one', command, need='')], [])\n"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        child = int(wait_until(lambda: pid.read_text() if pid.exists() else None, "its start"))
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(120) == 143
    wait_until(lambda: not Path(f"/proc/{child}/cmdline").exists() or None, "the end of its stage")
