"""The summary names each stage and each cause; reports of all runners are read."""

import json
from pathlib import Path

import pytest

from gate.reports import Failure, Report, read_reports
from gate.running import Result
from gate.stages import GATE, VERIFY, Stage
from gate.summary import summary, tail, write_json

pytestmark = pytest.mark.unit

PYTEST_XML = """<?xml version="1.0"?><testsuites><testsuite>
<testcase classname="tests.a.test_b" name="test_ok[1]" time="1.5"/>
<testcase classname="tests.a.test_b" name="test_no" time="0.5">
<failure message="assert 1 == 2&#10; +  where 1 = f()">def test_no(): ...</failure></testcase>
<testcase classname="tests.a.test_b" name="test_skipped" time="0"><skipped/></testcase>
</testsuite></testsuites>"""
PLAYWRIGHT_XML = """<testsuites><testsuite>
<testcase classname="page.spec.ts" name="a page › opens" time="2">
<failure message="page.spec.ts:7:1 a page › opens" type="FAILURE"><![CDATA[
  [chromium] › page.spec.ts:7:1 › a page › opens
    Error: expect(locator).toBeVisible() failed
]]></failure></testcase></testsuite></testsuites>"""


def result(name: str = "tests", **others: object) -> Result:
    values = {"passed": True, "seconds": 12.3, "report": Report(5), "log": Path("/logs/tests.log")}
    return Result(Stage(name, "true"), **{**values, **others})  # type: ignore[arg-type]


def test_reports_of_pytest_and_playwright_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(PYTEST_XML)
    (tmp_path / "b.xml").write_text(PLAYWRIGHT_XML)
    report = read_reports([tmp_path / "a.xml", tmp_path / "b.xml"])
    assert (report.passed, report.skipped) == (1, 1)
    assert report.failures == (
        Failure("tests.a.test_b::test_no", "assert 1 == 2"),
        Failure("page.spec.ts::a page › opens", "Error: expect(locator).toBeVisible() failed"),
    )
    assert report.seconds_by_file == {"tests.a.test_b": 2.0, "page.spec.ts": 2.0}


def test_a_torn_report_counts_nothing(tmp_path: Path) -> None:
    (tmp_path / "torn.xml").write_text("<testsuites><testcase")
    assert read_reports([tmp_path / "torn.xml", tmp_path / "missing.xml"]) == Report()


def test_the_summary_names_stages_causes_and_logs() -> None:
    cause = Failure("tests.a::test_no", "assert 1 == 2")
    failed = result(passed=False, report=Report(4, (cause,), 2))
    text = summary([result("check"), failed], 13.5)
    assert "tests.a::test_no" in text
    assert "assert 1 == 2" in text
    assert "/logs/tests.log" in text
    assert "yardstick 13.5" in text
    assert text.splitlines()[-1] == "9 passed, 1 failed"


def test_a_test_that_passed_later_is_named_and_counts_as_passed() -> None:
    busy = Failure("tests.a::test_live", "TimeoutError")
    retried = result(report=Report(4, (busy,)), retried=(busy,))
    text = summary([retried], 7.0)
    assert "RETRIED tests.a::test_live (passed later): TimeoutError" in text
    assert text.splitlines()[-1] == "5 passed, 0 failed"


def test_the_end_of_a_log_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "tests.log"
    log.write_text("\n".join(map(str, range(100))))
    assert tail(result(log=log)).splitlines()[-1] == "99"
    assert "0" not in tail(result(log=log)).splitlines()


def test_the_summary_is_written_as_json(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    slow = result(report=Report(1, seconds_by_file={f"file{n}": float(n) for n in range(60)}))
    write_json(path, [slow], "12345678", 13.456)
    body = json.loads(path.read_text())
    assert (body["commit"], body["yardstick"]) == ("12345678", 13.46)
    assert len(body["slowest_files_s"]) == 50
    assert next(iter(body["slowest_files_s"])) == "file59"


def test_a_second_try_is_for_stages_of_real_time_only() -> None:
    stages = [*(stage for group in GATE for stage in group), *VERIFY]
    assert {stage.name for stage in stages if stage.second_try} == {
        *("browser-live", "live", "wall-clock"),
    }
    assert len({stage.name for stage in VERIFY}) == len(VERIFY)
