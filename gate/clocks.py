"""Find tests of the gate whose verdict depends on real time, memory or processor time.

A test that sleeps, measures time, allows less than a minute, or reads the memory of its process
fails on a busy machine. Such a test is marked ``wall_clock``, or turns a clock. Helpers of a
module count where a test of the gate uses them. Run by ``make check-fast``: prints the exceptions,
and exits with 1 for anything else.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
OTHER_ROOMS = ("tests/clients/", "tests/optional/", "tests/images/")
"""Never part of the gate as a whole."""

APART = frozenset({"wall_clock", "outside", "slow", "ray"})
HANG_S = 60.0
"""A shorter limit expects something of the machine; a longer one says that something hangs."""

CLOCKS = frozenset(
    {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "thread_time"}
)
MEMORY = frozenset({"memory_info", "getrusage", "get_objects", "get_traced_memory", "cpu_times"})
LIMITED = frozenset({"fail_after", "timeout", "wait_for", "wait_until"})

EXCEPTIONS = {
    "tests/server/net/test_tls.py::find": "looks for objects of one type",
    "tests/server/net/test_lingering.py::send_for_ever": "its client must be cut off, however late",
    "tests/server/telemetry/test_metrics.py::test_how_late_the_event_loop_is_can_be_read": (
        "blocks the loop on purpose: more lateness passes, too"
    ),
    "tests/server/uploads/test_json_audio.py"
    "::test_fields_that_are_too_long_are_refused_before_they_cost_anything": (
        "counts the bytes that one call allocates"
    ),
    "tests/ledger/databases/test_sqlite.py"
    "::test_ten_thousand_queued_jobs_cost_no_memory_at_start": (
        "counts the bytes that one call allocates"
    ),
    "tests/ledger/jobs/test_runner.py::test_a_draining_runner_starts_no_job_of_another_key": (
        "waits for what must not come"
    ),
    "tests/system/test_machine.py"
    "::test_what_exists_is_not_looked_at_by_later_collections": "looks for objects of its own",
    "tests/cli/doctor/test_checks.py"
    "::test_a_slow_machine_is_told_the_limit_and_how_to_raise_it": "the limit has to expire",
    "tests/client/api/test_http.py::use": "a lower bound of the pause that is tested",
    "tests/fuzz/test_cpu.py::test_an_input_may_wait_for_a_busy_machine": (
        "sleeps to show that no processor time is counted"
    ),
    "tests/fuzz/test_cpu.py::work": "uses processor time on purpose, 4 % of its limit",
    "tests/cluster/gateway/test_node.py::say": "a lower bound of a measured time",
    "tests/cluster/gateway/test_node.py::run": "a bound of processor time far above what is used",
    "tests/server/test_main.py::until": "asks a server again, within a minute",
    "tests/conformance/transcriber/test_queue.py"
    "::test_a_reservation_is_worth_its_room_when_all_else_is_full": (
        "looks for a second that jobs behind a closed gate are not done"
    ),
    "tests/resilience/test_two_gateways.py"
    "::test_a_session_keeps_its_finals_when_the_other_gateway_floods": (
        "looks for a second that jobs behind a closed gate are not done"
    ),
    "tests/conformance/transcriber/test_queue.py"
    "::test_a_deadline_ends_the_wait_and_harms_no_other_job": "a lower bound of a wait",
    "tests/apis/asr_webservice/test_files.py::test_a_film_goes_to_the_spool_and_not_to_memory": (
        "counts the bytes that are held during one upload"
    ),
    "tests/apis/native/test_job_events.py"
    "::test_many_streams_of_a_job_read_the_database_as_often_as_one": (
        "allows as many reads as the time that has passed"
    ),
    "tests/apis/native/files/test_errors.py::test_files_have_their_own_bound": (
        "passes the moment to the code"
    ),
}
"""Function, as ``path::name``, and why its verdict is the same on a busy machine."""


@dataclass(frozen=True)
class Finding:
    """A line of a test of the gate that depends on how busy the machine is."""

    path: str
    line: int
    function: str
    why: str

    @property
    def name(self) -> str:
        """Path and function, as in ``EXCEPTIONS``."""
        return f"{self.path}::{self.function}"


def findings(source: str, path: str) -> list[Finding]:
    """Return what depends on real time in the tests of a module that the gate runs.

    Args:
        source: Text of the module.
        path: Its path from the root of the repository, for the findings.
    """
    tree = ast.parse(source)
    if _marks_of_module(tree) & APART:
        return []
    functions = {
        node.name: node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    reached: set[str] = set()
    waiting = [
        name
        for name, node in functions.items()
        if (name.startswith("test_") and not _marks(node.decorator_list) & APART)
        or _is_automatic(node)
    ]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += _names(functions[name]) & functions.keys() - reached
    return [
        Finding(path, line, name, why)
        for name in sorted(reached, key=lambda name: functions[name].lineno)
        for line, why in _clocks(functions[name])
    ]


def _marks_of_module(tree: ast.Module) -> set[str]:
    return {
        mark
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
        for mark in _marks([node.value])
    }


def _marks(nodes: list[ast.expr]) -> set[str]:
    """Return the names of pytest's marks in expressions."""
    return {
        part.attr
        for node in nodes
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute) and ast.unparse(part.value).endswith("mark")
    }


def _is_automatic(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("autouse=True" in ast.unparse(decorator) for decorator in node.decorator_list)


def _names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Return the names that a function uses: helpers, methods, and fixtures by its arguments."""
    names: set[str] = set()
    for part in ast.walk(function):
        if isinstance(part, ast.arg):
            names.add(part.arg)
        elif isinstance(part, ast.Name):
            names.add(part.id)
        elif isinstance(part, ast.Attribute):
            names.add(part.attr)
    return names


def _clocks(function: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the lines of a function, without the functions inside it, that use real time."""
    for node in ast.iter_child_nodes(function):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue  # a function of its own, if it is used
        if isinstance(node, ast.Call) and (why := _why(node)):
            yield node.lineno, why
        yield from _clocks(node)


def _why(call: ast.Call) -> str | None:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    if name == "sleep" and not (call.args and _number(call.args[0]) == 0):
        return "sleeps"
    if name in CLOCKS:
        return "measures time"
    if name in MEMORY:
        return "reads memory or processor time"
    if name in LIMITED:
        limits = [number for value in arguments if (number := _number(value)) is not None]
    else:
        limits = [
            number
            for keyword in call.keywords
            if keyword.arg in ("timeout", "limit_s") and (number := _number(keyword.value))
        ]
    if any(0 < limit < HANG_S for limit in limits):
        return f"allows {min(limits):g} s"
    return None


def _number(node: ast.expr) -> float | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    return None


def modules() -> Iterator[Path]:
    """Yield the modules of tests that the gate runs."""
    for folder in ("tests", "resilience/tests"):
        for path in sorted((ROOT / folder).rglob("test_*.py")):
            if not path.relative_to(ROOT).as_posix().startswith(OTHER_ROOMS):
                yield path


def main(paths: list[str]) -> int:
    """Print what was found in these modules, or in all; return the exit status."""
    found = [
        finding
        for path in ([Path(path).resolve() for path in paths] or modules())
        for finding in findings(path.read_text(), path.relative_to(ROOT).as_posix())
    ]
    for name, why in EXCEPTIONS.items():
        print(f"clocks: exception: {name}: {why}")
    faults = [finding for finding in found if finding.name not in EXCEPTIONS]
    for fault in faults:
        print(f"{fault.path}:{fault.line}: {fault.function} {fault.why}", file=sys.stderr)
    if faults:
        print(
            "clocks: a test of the gate must not depend on how busy the machine is: turn a clock,"
            " count what is done, wait by tests/support/poll.py, or mark the test wall_clock",
            file=sys.stderr,
        )
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
