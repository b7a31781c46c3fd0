"""The check finds tests of the gate that depend on how busy the machine is."""

from pathlib import Path
from textwrap import dedent

import pytest

from gate.clocks import findings, main, modules

pytestmark = pytest.mark.unit

PATH = "tests/room/test_module.py"


def found(source: str) -> list[tuple[str, str]]:
    return [(each.function, each.why) for each in findings(dedent(source), PATH)]


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("time.sleep(0.1)", "sleeps"),
        ("await anyio.sleep(delay_s)", "sleeps"),
        ("began = time.monotonic()", "measures time"),
        ("spent = process_time()", "measures time"),
        ("rss = psutil.Process().memory_info().rss", "reads memory or processor time"),
        ("process.wait(timeout=5)", "allows 5 s"),
        ("with anyio.fail_after(2.5): pass", "allows 2.5 s"),
        ("wait_until(is_up, limit_s=10)", "allows 10 s"),
    ],
)
def test_what_depends_on_real_time_is_found(statement: str, why: str) -> None:
    source = f"async def test_one():\n    {statement}\n"
    assert found(source) == [("test_one", why)]


@pytest.mark.parametrize(
    "statement",
    [
        "await anyio.sleep(0)",
        "process.wait(timeout=120)",
        "process.wait(timeout=LIMIT_S)",
        "with anyio.fail_after(60): pass",
        "clock.advance(5)",
    ],
)
def test_what_says_that_something_hangs_is_allowed(statement: str) -> None:
    assert found(f"async def test_one():\n    {statement}\n") == []


def test_a_helper_counts_where_a_test_of_the_gate_uses_it() -> None:
    source = """
        def helper(): time.sleep(1)
        def unused(): time.sleep(1)
        class Client:
            def method(self): time.sleep(1)
        @pytest.fixture
        def server(): helper()
        def test_one(server): Client().method()
    """
    assert found(source) == [("helper", "sleeps"), ("method", "sleeps")]


@pytest.mark.parametrize("mark", ["wall_clock", "outside", "slow"])
def test_what_runs_apart_may_use_real_time(mark: str) -> None:
    assert not found(f"@pytest.mark.{mark}\ndef test_one(): time.sleep(1)\n")
    assert not found(f"pytestmark = [pytest.mark.{mark}]\ndef test_one(): time.sleep(1)\n")


def test_a_module_with_both_kinds_is_checked_for_those_of_the_gate() -> None:
    source = """
        @pytest.mark.wall_clock
        def test_apart(): time.sleep(1)
        def test_of_the_gate(): time.sleep(1)
    """
    assert found(source) == [("test_of_the_gate", "sleeps")]


def test_a_finding_is_printed_with_its_place_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gate.clocks.ROOT", tmp_path)
    path = tmp_path / "test_module.py"
    path.write_text("import time\ndef test_one():\n    time.sleep(1)\n")
    assert main([str(path)]) == 1
    assert "test_module.py:3: test_one sleeps" in capsys.readouterr().err
    path.write_text("def test_one(): pass\n")
    assert main([str(path)]) == 0


def test_this_module_is_among_those_that_are_checked() -> None:
    assert Path(__file__).resolve() in {path.resolve() for path in modules()}
