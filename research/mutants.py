"""How many small faults in the code do its own tests find? ``make mutants`` says.

mutmut changes one thing at a time (an operator, a number, an argument, a condition) in a copy of
the code and runs the tests that reach it. A mutant that no test notices has *survived*: a test is
missing, the code isn't needed, or the change makes no difference. Constants at the top of a module
and what decorators wrap are left alone by mutmut; so that properties are not, they are written out
as functions in the copy.

    make mutants                          all groups of modules
    make mutants ARGS="policy framer"     some of them

Only the tests in the files of a module's own group judge it. Hypothesis draws the same examples
each time. Mutants that run into the time limit are tried once more: on a busy machine some are
just slow.
"""

import argparse
import ast
import collections
import configparser
import difflib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.lib.report import machine, write_json

ROOT = Path(__file__).parents[1]
WORK = ROOT / ".cache/mutants/work"
MUTMUT = Path(sys.executable).with_name("mutmut")
WORST_FACTOR, WORST_EXTRA_S = 8.0, 4.0
"""Time limit of a mutant: a multiple of the time of its tests, and a constant."""

OUTCOMES = {0: "survived", 1: "killed", 3: "killed", 5: "no tests", 33: "no tests"}
OUTCOMES |= dict.fromkeys((24, -24, 36, 152, 255), "timeout")
OUTCOMES |= dict.fromkeys((-9, -11), "killed")  # out of memory, or of stack


@dataclass(frozen=True)
class Group:
    """Modules (paths below ``src/auricle``) and the tests (below ``tests``) that judge them."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


GROUPS = {
    "queue": Group(
        modules=(
            "workers/kinds/asr/scheduler",
            "workers/kinds/asr/admission",
            "workers/fair_queue",
            "workers/kinds/asr/backlog",
            "workers/poison",
            "workers/kinds/asr/speed",
        ),
        tests=(
            "workers/kinds/asr/scheduler",
            "workers/kinds/asr/test_scheduler_model.py",
            "workers/kinds/asr/test_admission.py",
            "workers/test_fair_queue.py",
            "workers/kinds/asr/test_backlog.py",
            "workers/test_poison.py",
            "workers/kinds/asr/test_speed.py",
        ),
    ),
    "engine": Group(("engines/base",), ("engines/test_base.py",)),
    "pool": Group(
        ("workers/pool", "workers/delivery", "workers/kinds/asr/schedule"),
        (
            "workers/test_pool.py",
            "workers/test_delivery.py",
            "workers/kinds/asr/test_schedule.py",
        ),
    ),
    "policy": Group(("workers/process/policy",), ("workers/process/test_policy.py",)),
    "journal": Group(
        ("session/journal", "session/arrivals", "session/utterances/recording"),
        (
            "session/test_journal.py",
            "session/test_arrivals.py",
            "session/utterances/test_recording.py",
        ),
    ),
    "channel": Group(("session/channel",), ("session/test_channel.py",)),
    "admission": Group(
        (
            "server/live/admission/admission",
            "server/live/admission/capacity",
            "server/live/admission/line",
            "server/live/admission/activity",
        ),
        ("server/live/admission",),
    ),
    "ledger": Group(
        ("ledger/jobs/job", "ledger/jobs/lease", "webhooks/outbox", "ledger/jobs/quota"),
        (
            "ledger/jobs/test_job.py",
            "ledger/jobs/test_lease.py",
            "webhooks/test_outbox.py",
            "ledger/jobs/test_quota.py",
        ),
    ),
    "framer": Group(("protocol/framing",), ("protocol/test_framing.py",)),
    # Of each other layer, what decides which words are said, kept or sent.
    "packets": Group(("protocol/opus_packet",), ("protocol/test_opus_packet.py",)),
    "audio": Group(("audio/gate", "audio/cuts"), ("audio/test_gate.py", "audio/test_cuts.py")),
    "words": Group(
        (
            "session/utterances/agreement",
            "session/utterances/ring",
            "session/utterances/continuation",
            "session/pace",
        ),
        (
            "session/utterances/test_agreement.py",
            "session/utterances/test_ring.py",
            "session/utterances/test_continuation.py",
            "session/test_pace.py",
        ),
    ),
    "files": Group(
        ("files/assemble", "files/channels/merge", "files/fair_semaphore"),
        (
            "files/test_assemble.py",
            "files/channels/test_merge.py",
            "files/test_fair_semaphore.py",
        ),
    ),
    "text": Group(("text/filters/correction/sound",), ("text/filters/correction/test_sound.py",)),
    "voices": Group(("voices/matching",), ("voices/test_matching.py",)),
    "readers": Group(("apis/readers/log",), ("apis/readers/test_log.py",)),
    "access": Group(
        ("server/access/rate_limits", "server/access/connection_limits"),
        ("server/access/test_rate_limits.py", "server/access/test_connection_limits.py"),
    ),
    "models": Group(("multi_model/policy",), ("multi_model/test_policy.py",)),
    "cluster": Group(
        ("cluster/gateway/ejection", "cluster/gateway/view"),
        ("cluster/gateway/test_ejection.py", "cluster/gateway/test_view.py"),
    ),
    "client": Group(
        ("client/kept_audio", "client/losses", "client/backoff"),
        ("client/test_kept_audio.py", "client/test_losses.py", "client/test_backoff.py"),
    ),
}
"""What the guarantees of docs/explanation/reliability.md depend on, and one group of each layer."""


def copy_tree(group: Group) -> None:
    """Make the tree that mutmut works on: what others edit meanwhile changes nothing."""
    shutil.rmtree(WORK, ignore_errors=True)
    for part in ("src", "tests", "testdata", "bench", "research"):
        shutil.copytree(
            ROOT / part, WORK / part, ignore=shutil.ignore_patterns("__pycache__", "results")
        )
    shutil.copy2(ROOT / "pyproject.toml", WORK)
    paths = [f"src/auricle/{module}.py" for module in group.modules]
    for path in paths:
        source = WORK / path
        source.write_text(write_out_properties(source.read_text()))
    config = configparser.ConfigParser()
    config["mutmut"] = {
        "source_paths": "src",
        "only_mutate": lines(paths),
        "also_copy": lines(["testdata", "bench", "research"]),
        "pytest_add_cli_args": lines(["-p no:cacheprovider", "--hypothesis-profile=mutants"]),
        "pytest_add_cli_args_test_selection": lines(f"tests/{test}" for test in group.tests),
        "timeout_multiplier": str(WORST_FACTOR),
        "timeout_constant": str(WORST_EXTRA_S),
        "use_git_change_detection": "false",
    }
    with (WORK / "setup.cfg").open("w") as file:
        config.write(file)


def lines(values: Iterable[str]) -> str:
    """Return a list as mutmut reads it from ``setup.cfg``."""
    return "\n" + "\n".join(values)


def write_out_properties(source: str) -> str:
    """Return the same code with ``name = property(_get_name)`` for each ``@property``."""
    text = source.splitlines()
    found = [
        (node, decorator)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Name) and decorator.id == "property"
    ]
    for node, decorator in sorted(found, key=lambda pair: -pair[0].lineno):
        indent = " " * node.col_offset
        assert node.end_lineno is not None
        text.insert(node.end_lineno, f"{indent}{node.name} = property(_get_{node.name})")
        head = text[node.lineno - 1]
        text[node.lineno - 1] = head.replace(f"def {node.name}(", f"def _get_{node.name}(")
        del text[decorator.lineno - 1]
    return "\n".join(text) + "\n"


def commit() -> str:
    """Return the commit that is checked out."""
    command = ["git", "rev-parse", "--short=8", "HEAD"]
    return subprocess.check_output(command, cwd=ROOT, text=True).strip()


def mutmut(*arguments: str) -> str:
    """Run a command of mutmut's in the copy; return what it printed."""
    done = subprocess.run(
        [MUTMUT, *arguments],
        cwd=WORK,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        sys.exit(done.stdout[-6000:])
    return done.stdout


def outcomes(module: str) -> dict[str, str]:
    """Return what became of each mutant of a module, by mutmut's name for it."""
    meta = WORK / f"mutants/src/auricle/{module}.py.meta"
    codes: dict[str, int | None] = json.loads(meta.read_text())["exit_code_by_key"]
    return {
        name: "untried" if code is None else OUTCOMES.get(code, "suspicious")
        for name, code in codes.items()
    }


def variants(source: str) -> dict[str, list[str]]:
    """Return the lines of each variant of each function, by mutmut's name for it."""
    text = source.splitlines()
    return {
        node.name: [
            text[node.lineno - 1].replace(node.name, node.name.rpartition("__mutmut_")[0]),
            *text[node.lineno : node.end_lineno],
        ]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "__mutmut_" in node.name
    }


def changes(module: str) -> dict[str, list[str]]:
    """Return the lines that each mutant of a module takes out and puts in, by its name."""
    functions = variants((WORK / f"mutants/src/auricle/{module}.py").read_text())
    package = "auricle." + module.replace("/", ".")
    found = {}
    for name, body in functions.items():
        original = functions[name.rpartition("__mutmut_")[0] + "__mutmut_orig"]
        diff = difflib.unified_diff(original, body, n=0, lineterm="")
        kept = [line for line in diff if line[:1] in "+-" and line[:3] not in ("+++", "---")]
        found[f"{package}.{name}"] = kept
    return found


def try_out(group: Group, processes: int) -> dict[str, dict[str, str]]:
    """Return what became of the mutants of each module."""
    copy_tree(group)
    children = f"--max-children={processes}"
    mutmut("run", children)
    slow = [
        name
        for module in group.modules
        for name, fate in outcomes(module).items()
        if fate == "timeout"
    ]
    if slow:
        mutmut("run", children, *slow)
    return {module: outcomes(module) for module in group.modules}


def row(module: str, counts: collections.Counter[str]) -> dict[str, float]:
    """Print and return the figures of a module; endless loops count as detected."""
    mutants, killed, timeouts = counts.total(), counts["killed"], counts["timeout"]
    found = killed + timeouts
    percent = round(100 * found / max(1, mutants), 1)
    print(
        f"{module:32} {mutants:7} {killed:7} {timeouts:9} {mutants - found:9} {percent:8}",
        flush=True,
    )
    return {
        "mutants": mutants,
        "killed": killed,
        "timeouts": timeouts,
        "survived": mutants - found,
        "percent": percent,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Which faults do the tests find?")
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], help=" ".join(GROUPS))
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=ROOT / "bench/results/mutants.json")
    arguments = parser.parse_args()
    started_at = time.monotonic()
    result: dict[str, Any] = {
        "machine": machine(),
        "commit": commit(),
        "modules": {},
        "survivors": {},
    }
    total: collections.Counter[str] = collections.Counter()
    print(f"{'module':32} mutants  killed  timeouts  survived  percent", flush=True)
    for name in arguments.groups or GROUPS:
        for module, fates in try_out(GROUPS[name], arguments.processes).items():
            counts = collections.Counter(fates.values())
            total += counts
            result["modules"][module] = row(module, counts)
            diffs = changes(module)
            found = ("killed", "timeout")
            survivors = {
                mutant: diffs[mutant] for mutant, fate in fates.items() if fate not in found
            }
            result["survivors"] |= survivors
    result["total"] = row("all", total)
    result["took_s"] = round(time.monotonic() - started_at)
    for mutant, diff in result["survivors"].items():
        print(f"\n{mutant}", *diff, sep="\n  ")
    write_json(arguments.out, result)


if __name__ == "__main__":
    main()
