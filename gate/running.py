"""Run stages: each with a log, a limit and its own session; none stops another."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from gate.reports import Failure, Report, read_reports
from gate.stages import Stage

ROOT = Path(__file__).parents[1]
ENDING_S = 15.0
"""For what a stage that is ended has to remove."""

POLL_S = 0.2
REASON_LINES = 8
"""Of the log of a stage that failed without a failed test: a linter names what it found there."""

MAX_RETRIED = 10
"""More tests than this are no matter of a busy moment."""

MAX_TRIES_AGAIN = 2


@dataclass(frozen=True)
class Result:
    """How a stage ended.

    Attributes:
        stage: What ran.
        passed: Whether it passed, at last.
        seconds: How long it took, without later tries.
        report: Counts of its tests, at the first try.
        log: What it printed.
        reason: Why it failed, if no test did.
        retried: Tests that failed at first, and were tried again.
    """

    stage: Stage
    passed: bool
    seconds: float
    report: Report
    log: Path
    reason: str = ""
    retried: tuple[Failure, ...] = ()

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What is still wrong: tests, or the stage itself."""
        if self.passed:
            return ()
        return self.report.failures or (Failure(self.stage.name, self.reason),)


@dataclass
class _Running:
    stage: Stage
    process: subprocess.Popen[bytes]
    reports: Path
    log: Path
    began_at: float

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began_at

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None or self.seconds > self.stage.limit_s

    def result(self) -> Result:
        """End what the stage left behind, and return how it ended."""
        status = self.process.poll()
        _end(self.process)
        report = read_reports(sorted(self.reports.glob("*.xml")))
        reason = f"exit status {status}"
        if status is None:
            reason = f"took longer than {self.stage.limit_s / 60:g} minutes"
        reason = "\n".join([reason, *_end_of(self.log, REASON_LINES)])
        return Result(self.stage, status == 0, self.seconds, report, self.log, reason)


class Runner:
    """Runs stages in a folder of their own, which a later run replaces."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, group: Sequence[Stage], before: Sequence[Result]) -> list[Result]:
        """Run the stages of a group side by side.

        Args:
            group: The stages.
            before: Results of earlier groups: a stage is not run if one that it needs has failed.
        """
        failed = {result.stage.name for result in before if not result.passed}
        results = []
        for stage in group:
            if stage.need in failed:
                reason = f"not run: {stage.need} failed"
                results.append(Result(stage, False, 0.0, Report(), self._log(stage), reason))
        results += self._run_side_by_side([stage for stage in group if stage.need not in failed], 1)
        for number in range(2, max((stage.tries for stage in group), default=0) + 1):
            again = [r.stage for r in results if not r.passed and r.stage.tries >= number]
            others = [result for result in results if result.stage not in again]
            results = others + self._run_side_by_side(again, number)
        return results

    def _log(self, stage: Stage) -> Path:
        return self._folder / f"{stage.name}.log"

    def _run_side_by_side(self, stages: Sequence[Stage], number: int) -> list[Result]:
        running: list[_Running] = []
        results = []
        try:
            for stage in stages:
                print(f"{stage.name}: {stage.command}", flush=True)
                running.append(self._start(stage, number))
            while running:
                time.sleep(POLL_S)
                for one in [each for each in running if each.has_ended]:
                    results.append(one.result())
                    running.remove(one)
                    outcome = "passed" if results[-1].passed else "FAILED"
                    print(f"{one.stage.name}: {outcome}, {one.seconds:.0f} s", flush=True)
        finally:
            for one in running:
                _end(one.process)
        return results

    def _start(self, stage: Stage, number: int) -> "_Running":
        """Start the command of a stage; later tries add to its log."""
        reports = self._folder / f"{stage.name}.{number}"
        reports.mkdir(parents=True, exist_ok=True)
        cache = self._folder / f"{stage.name}.cache"
        environ = {
            **os.environ,
            "PYTEST_ADDOPTS": f"--junitxml={reports}/pytest.xml -o cache_dir={cache}",
            "PLAYWRIGHT_JUNIT_OUTPUT_NAME": f"{reports}/playwright.xml",
            "VITEST_JUNIT_OUTPUT_NAME": f"{reports}/vitest.xml",
        }
        log = self._log(stage)
        began_at = time.monotonic()
        with log.open("ab") as output:
            process = subprocess.Popen(
                ["sh", "-c", stage.command],
                cwd=ROOT,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return _Running(stage, process, reports, log, began_at)

    def try_again(self, results: Sequence[Result]) -> list[Result]:
        """Run the failed tests of real time again, if they are few; say so for each.

        Returns:
            The results, with what passed at a later try as passed.
        """
        candidates = [
            result
            for result in results
            if not result.passed and result.stage.second_try and result.report.failures
        ]
        if not 0 < sum(len(result.report.failures) for result in candidates) <= MAX_RETRIED:
            return list(results)
        return [
            self._try_stage_again(result) if result in candidates else result for result in results
        ]

    def _try_stage_again(self, first: Result) -> Result:
        for failure in first.report.failures:
            print(f"RETRIED {failure.test}: {failure.cause}", flush=True)
        passed = False
        second = replace(first.stage, command=first.stage.second_try)
        for number in range(2, 2 + MAX_TRIES_AGAIN):
            [again] = self._run_side_by_side([second], number)
            passed = again.passed and again.report.passed > 0
            if passed or not again.report.failures:
                break
        return replace(first, passed=passed, retried=first.report.failures)


def _end_of(log: Path, count: int) -> list[str]:
    """Return the last lines of a log that say something."""
    lines = log.read_text(errors="replace").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("make")][-count:]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the stage if it still runs, and what it left behind in its group of processes."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, signal_number)
        except ProcessLookupError:
            break
        with suppress(subprocess.TimeoutExpired):
            process.wait(ENDING_S)
    process.wait()
