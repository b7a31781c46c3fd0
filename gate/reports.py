"""What the tests of a stage reported: the JUnit files of pytest, Playwright and Vitest."""

import re
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

CAUSE = re.compile(r"^(?:E +)?(?:AssertionError|assert\b|\w*(?:Error|Exception|Warning)\b)")
MAX_CAUSE = 160


@dataclass(frozen=True)
class Failure:
    """A test that failed, and the first line that says why."""

    test: str
    cause: str


@dataclass(frozen=True)
class Report:
    """Counts of a stage.

    Attributes:
        passed: Tests that passed.
        failures: Tests that failed, an error of a fixture included.
        skipped: Tests that were skipped.
        seconds_by_file: Seconds that the tests of each file took.
    """

    passed: int = 0
    failures: tuple[Failure, ...] = ()
    skipped: int = 0
    seconds_by_file: dict[str, float] = field(default_factory=dict)


def read_reports(paths: Iterable[Path]) -> Report:
    """Return the sum of JUnit files; one that is missing or torn counts nothing."""
    passed = skipped = 0
    failures: dict[str, Failure] = {}
    seconds: dict[str, float] = defaultdict(float)
    for case in (case for path in paths for case in _cases(path)):
        test = _name(case)
        seconds[case.get("classname", "")] += float(case.get("time") or 0)
        if (problem := _problem(case)) is not None:
            failures.setdefault(test, Failure(test, _cause(problem)))
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return Report(passed, tuple(failures.values()), skipped, dict(seconds))


def _cases(path: Path) -> Iterator[ET.Element]:
    try:
        yield from ET.parse(path).iter("testcase")
    except (OSError, ET.ParseError):
        return


def _problem(case: ET.Element) -> ET.Element | None:
    failure = case.find("failure")
    return failure if failure is not None else case.find("error")


def _name(case: ET.Element) -> str:
    """Return ``tests.room.test_module::test_name``, or the title of a browser test."""
    return f"{case.get('classname')}::{case.get('name')}"


def _cause(problem: ET.Element) -> str:
    text = f"{problem.get('message') or ''}\n{problem.text or ''}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    cause = next((line for line in lines if CAUSE.match(line)), lines[0] if lines else "no reason")
    return cause[:MAX_CAUSE]
