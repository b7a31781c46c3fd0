"""What the tools said, and what it means; their words are as pip-audit 2.10 and npm 11 say them."""

import json
import re
import sys
from pathlib import Path

import pytest

from supply import audit
from supply.audit import Report, audit_python, read_npm_audit, read_pip_audit, rounds
from supply.lock import ROOT, Pin

pytestmark = pytest.mark.process

H11, VITE, AXE = Pin("h11", "0.16.0"), Pin("vite", "8.3.8"), Pin("axe-core", "4.13.0")
SKIPPED = {"name": "h11", "skip_reason": "Dependency not found on PyPI: h11 (0.16.0)"}
CLEAN = {"name": "h11", "version": "0.16.0", "vulns": []}
KNOWN = {**CLEAN, "vulns": [{"id": "CVE-2025-43859", "fix_versions": ["0.17"], "aliases": []}]}


def pip_audit(entry: object) -> str:
    return json.dumps({"dependencies": [entry], "fixes": []})


def test_what_pip_audit_skipped_is_not_audited() -> None:
    report = Report("some.lock", frozenset([H11]), read_pip_audit(pip_audit(SKIPPED)))
    assert report.skipped == {H11}
    assert str(report) == (
        "some.lock: 1 packages: 0 audited, 1 skipped: the database can't be reached"
    )


def test_what_pip_audit_never_mentions_is_not_audited() -> None:
    other = Pin("colorama", "0.4.6")
    report = Report("some.lock", frozenset([H11, other]), read_pip_audit(pip_audit(CLEAN)))
    assert report.skipped == {other}
    assert str(report) == "some.lock: 2 packages: 1 audited, 1 skipped"


def test_another_version_that_was_audited_reveals_nothing() -> None:
    report = Report("some.lock", frozenset([Pin("h11", "0.15")]), read_pip_audit(pip_audit(CLEAN)))
    assert len(report.skipped) == 1


def test_a_known_vulnerability_is_named() -> None:
    report = Report("some.lock", frozenset([H11]), read_pip_audit(pip_audit(KNOWN)))
    assert not report.skipped
    assert report.findings == ["h11 0.16.0: CVE-2025-43859"]
    assert str(report).endswith("\n  h11 0.16.0: CVE-2025-43859")


def test_no_list_for_pip_audit_has_a_name_twice() -> None:
    old, new = Pin("numpy", "2.4.6"), Pin("numpy", "2.5.5")
    assert rounds([new, H11, old, H11]) == [[H11, old], [new]]
    assert rounds([]) == []


def test_an_npm_that_got_no_answer_has_audited_nothing() -> None:
    said = json.dumps({"message": "405 Method Not Allowed", "statusCode": 405, "error": {}})
    assert read_npm_audit(said, [VITE]) == {}


def test_npm_names_a_flaw_once_and_at_the_package_that_has_it() -> None:
    flaw = {
        "source": 1,
        "name": "vite",
        "url": "https://github.com/advisories/GHSA-0000-0000-0000",
        "severity": "high",
    }
    said = {
        "auditReportVersion": 2,
        "vulnerabilities": {
            "vite": {"name": "vite", "severity": "high", "via": [flaw]},
            "axe-core": {"name": "axe-core", "severity": "high", "via": ["vite"]},
        },
    }
    assert read_npm_audit(json.dumps(said), [VITE, AXE]) == {
        VITE: ["GHSA-0000-0000-0000 (high)"],
        AXE: [],
    }


def tool(folder: Path, program: str) -> str:
    """Write a program that stands for pip-audit."""
    path = folder / "pip-audit"
    path.write_text(f"#!{sys.executable}\nimport json, sys\n{program}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("program", "audited"),
    [
        (f"print({pip_audit(CLEAN)!r})", 1),
        ("sys.exit('ConnectionError: no route')", 0),
    ],
)
def test_what_the_tool_leaves_out_or_fails_at_is_skipped(
    tmp_path: Path, program: str, audited: int
) -> None:
    lock = ROOT / "requirements.lock"
    [report] = audit_python(tool(tmp_path, program), [lock])
    assert len(report.pins) - len(report.skipped) == audited
    assert report.lock == "requirements.lock"


@pytest.mark.parametrize(
    ("entry", "options", "code", "end"),
    [
        (SKIPPED, [], 2, "packages were not looked up: nothing is known about them."),
        (
            SKIPPED,
            ["--skips-are-fine"],
            0,
            "packages were not looked up: nothing is known about them.",
        ),
        (KNOWN, ["--skips-are-fine"], 1, "vulnerabilities are known; see above."),
    ],
)
def test_the_end_is_good_only_if_all_was_looked_up(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    entry: object,
    options: list[str],
    code: int,
    end: str,
) -> None:
    program = tool(tmp_path, f"print({pip_audit(entry)!r})")
    monkeypatch.setattr(sys, "argv", ["audit", program, *options])
    monkeypatch.setattr(audit, "npm_locks", list)
    assert audit.main() == code
    assert capsys.readouterr().out.strip().endswith(end)


def test_all_is_well_once_every_pin_was_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = """
pins = [line.strip().split("==") for line in open("pins.txt")]
print(json.dumps({"dependencies": [{"name": n, "version": v, "vulns": []} for n, v in pins]}))
"""
    monkeypatch.setattr(sys, "argv", ["audit", tool(tmp_path, program)])
    monkeypatch.setattr(audit, "npm_locks", list)
    assert audit.main() == 0
    out = capsys.readouterr().out
    assert re.search(r"requirements\.lock: (\d+) packages: \1 audited, 0 skipped\n", out)
    assert out.endswith("audit: all packages were looked up, and no vulnerability is known.\n")
