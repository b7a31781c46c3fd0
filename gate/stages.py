"""The stages of the gate and of ``make verify``: what each runs, and what it may take."""

from collections.abc import Sequence
from dataclasses import dataclass

MINUTE_S = 60.0


@dataclass(frozen=True)
class Stage:
    """A part of the gate or of ``make verify``.

    Attributes:
        name: Also of its log, and of ``make verify STAGE=NAME``.
        command: For ``sh``, from the root of the repository.
        limit_s: Longest time; a stage that takes longer hangs, and is ended.
        second_try: Runs the tests that failed once more; only where all depend on real time.
        tries: How often a command that fails is run, for downloads.
        need: A stage that has to pass first.
    """

    name: str
    command: str
    limit_s: float = 20 * MINUTE_S
    second_try: str = ""
    tries: int = 1
    need: str = "setup"


SMOKE = "-m smoke -o norecursedirs=.*"  # of tests/clients as well
PYTEST_AGAIN = "--last-failed --last-failed-no-failures none"

GATE: Sequence[Sequence[Stage]] = (
    (Stage("setup", "make gate-environments", tries=3, need=""),),
    (Stage("check", "make --keep-going check-fast"),),
    (Stage("types", "make types"), Stage("web", "make docs && make check-web")),
    (Stage("tests", "make test", 45 * MINUTE_S),),
    (Stage("optional-imports", "make test-optional ARGS='-k nothing_imports -n 2 -q'"),),
    (Stage("browser", "make test-browser ARGS='--grep @smoke --grep-invert @live'"),),
    (
        Stage(
            "browser-live",
            "make test-browser ARGS='--grep \"(?=.*@smoke)(?=.*@live)\"'",
            second_try="make test-browser ARGS=--last-failed",
        ),
    ),
    (
        Stage(
            "live",
            f"make test-live ARGS='{SMOKE}'",
            second_try=f"make test-live ARGS='{SMOKE} {PYTEST_AGAIN}'",
        ),
    ),
)
"""The stages of a group run side by side, the groups one after another."""

VERIFY: Sequence[Stage] = (
    Stage("setup", "make test-environments", tries=3, need=""),
    Stage("wall-clock", "make test-live", 60 * MINUTE_S, f"make test-live ARGS='{PYTEST_AGAIN}'"),
    Stage("clients", "make test-clients"),
    Stage("optional", "make test-optional"),
    Stage("deploy", "make test-deploy"),
    Stage("portable", "make test-portable"),
    Stage("cluster", "make test-cluster"),
    Stage("browser", "make test-browser ARGS='--grep-invert @live'"),
    Stage(
        "browser-live",
        "make test-browser ARGS='--grep @live'",
        second_try="make test-browser ARGS=--last-failed",
    ),
    Stage("firefox", "make test-firefox"),
    Stage("coverage", "make coverage", 45 * MINUTE_S),
    Stage("properties", "PROPERTIES=random make test ARGS='-n auto -q -m hypothesis'"),
    Stage("fuzz", "make fuzz ARGS='--seconds 10 --no-lines'"),
    Stage("chaos", "make chaos ARGS='--minutes 3'"),
    Stage("chaos-live", "make chaos-live"),
    Stage("chaos-readers", "make chaos-readers"),
    Stage("durable", "make durable ARGS='--minutes 3 --jobs 40'"),
    Stage("attacks", "make attacks ARGS='--seconds 8'"),
    Stage("work", "make work"),
    Stage("slow", "make test-slow", 90 * MINUTE_S),
)
"""Everything that depends on real time, or on other people's programs: one after another."""
