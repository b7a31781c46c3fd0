"""The command ``stt-resilience``."""

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from stt_resilience import drivers, report, servers
from stt_resilience.cases import CASES, UNDISTURBED
from stt_resilience.cases.base import Bench, Case, NotApplicable, Options
from stt_resilience.drivers.base import Lost, Refused
from stt_resilience.process import ForeignServer, Server, StartError
from stt_resilience.report import Cell, Table
from stt_resilience.servers import Protocol
from stt_resilience.speech import Talk, read_clips, talk

PACKAGE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stt-resilience"
BUSY_S = 2.0
"""Time for which the use of the machine is measured before each start of a server."""
MAX_BUSY_PERCENT = 10.0
CASE_LIMIT_S = 600.0
"""Longest run of a case, besides the time of its speech and silence."""

DESCRIPTION = """\
Play real speech to a live speech-to-text server while something fails, and count what is lost.

Each server is started on 127.0.0.1 as its documentation says (servers/NAME.toml), or one that runs
already is used (--url). Each case prints what it showed as soon as it is done; the table follows.
"""
EXAMPLES = """\
examples:
  stt-resilience --list
  stt-resilience --server auricle
  stt-resilience --server auricle whisper-live --protocols all --out results.json
  stt-resilience --server auricle --protocols deepgram vosk --cases worker-killed socket-cut
  stt-resilience --url ws://127.0.0.1:9090 --driver whisper-live
  stt-resilience --url wss://stt.example.com/v1/listen --driver deepgram --option model=base
  stt-resilience --join a.json b.json --out all.json

Cases run in the order of --list; "undisturbed" always runs, since the others are compared with it.
Run it on a machine without other work: a server that is too slow loses words without a fault.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suite; return the exit status."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.list:
        print(_listing())
        return 0
    if chosen.join:
        try:
            _join(chosen.join, chosen.out)
        except (OSError, ValueError) as error:
            parser.error(str(error))
        return 0
    if not chosen.server and not chosen.url:
        parser.error("choose a server: --server NAME, or --url URL with --driver NAME")
    if chosen.url and not chosen.driver:
        parser.error("--url needs --driver")
    if unknown := set(chosen.server) - {*servers.available(), "all"}:
        parser.error(f"unknown servers: {', '.join(sorted(unknown))}; --list shows the known ones")
    if chosen.model and not (Path(chosen.model) / "model.bin").is_file():
        parser.error(f"--model {chosen.model} has no model.bin")
    try:
        return asyncio.run(_run(chosen))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stt-resilience",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [case.name for case in CASES]
    add = parser.add_argument
    add("--list", action="store_true", help="list servers, drivers and cases, and end")
    add("--server", nargs="+", default=[], metavar="NAME", help="servers to start; all: each one")
    add("--url", help="use a server that runs; cases that must kill or restart it are skipped")
    add("--driver", choices=sorted(drivers.NAMES), metavar="NAME", help="the protocol of --url")
    add(
        "--option",
        nargs="+",
        type=_option,
        default=[],
        metavar="NAME=VALUE",
        help="options of --driver, such as model=base; the files of drivers name them",
    )
    add("--health", default="", metavar="URL", help="URL of the health of the server of --url")
    add(
        "--protocols",
        nargs="+",
        default=[],
        choices=[*sorted(drivers.NAMES), "all"],
        metavar="NAME",
        help="drivers of the server; default: the first of its description; all: each one",
    )
    add(
        "--cases",
        nargs="+",
        default=names,
        choices=names,
        metavar="NAME",
        help="those of --list; default: all",
    )
    add("--load", type=int, default=20, metavar="N", help="sessions at once in the case load (20)")
    add("--silence-minutes", type=float, default=2.0, metavar="M", help="of silence and noise (2)")
    add("--patience", type=float, default=45.0, metavar="S", help="wait for the last results (45)")
    add("--idle", type=float, default=90.0, metavar="S", help="watch a silent connection (90)")
    add("--speech", type=Path, metavar="DIR", help="clips.json and WAV or FLAC files of 16 kHz")
    add("--clips", type=int, default=0, metavar="N", help="use the first N clips only")
    add("--model", default="", metavar="DIR", help="a model for servers whose description uses one")
    add("--out", type=Path, metavar="FILE", help="write JSON, and Markdown next to it")
    add(
        "--join",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="make one table of the JSON of several runs, and run nothing",
    )
    return parser


def _option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text} is not NAME=VALUE")
    return name, int(value) if value.isdecimal() else value


def _listing() -> str:
    lines = ["servers:"]
    for name, path in servers.available().items():
        spec = servers.read(path)
        protocols = ", ".join(each.driver for each in spec.protocols)
        lines.append(f"  {name:22} {protocols}")
        lines.append(f"  {'':22} {spec.title} {spec.version}; {spec.model}")
    lines += ["drivers:", f"  {', '.join(sorted(drivers.NAMES))}", "cases:"]
    lines += [f"  {case.name:22} {case.question}" for case in CASES]
    return "\n".join(lines)


async def _run(chosen: argparse.Namespace) -> int:
    if (task := asyncio.current_task()) is not None:  # so that servers are ended as well
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    folder = chosen.speech or next(
        each / "speech" for each in (PACKAGE, PACKAGE.parent) if (each / "speech").is_dir()
    )
    clips = read_clips(folder)[: chosen.clips or None]
    half = len(clips) // 2
    talks = talk(clips), talk([*clips[half:], *clips[:half]])
    options = Options(chosen.load, chosen.silence_minutes * 60, chosen.patience, chosen.idle)
    cases = [case for case in CASES if case.name in chosen.cases or case is UNDISTURBED]
    table: Table = {case.name: {} for case in cases}
    conditions = report.conditions(sys.argv[1:]) | {
        "speech_s": round(talks[0].duration_s, 1),
        "servers": {},
    }
    run = Path(tempfile.mkdtemp(prefix="stt-resilience-"))
    try:
        await _columns(chosen, cases, options, talks, table, conditions, run)
    finally:
        _show(table, conditions, chosen.out)
        if not any("failed" in cell.data for row in table.values() for cell in row.values()):
            shutil.rmtree(run, ignore_errors=True)
        else:
            print(f"logs of the servers: {run}")
    return 0


def _join(paths: Sequence[Path], out: Path | None) -> None:
    """Show the results of several runs in one table."""
    names = [case.name for case in CASES]
    table: Table = {name: {} for name in names}
    about: dict[str, Any] = {}
    for path in paths:
        cases, conditions = report.read(path)
        for case, row in cases.items():
            cells = table.setdefault(case, {})
            if case != UNDISTURBED.name and (twice := cells.keys() & row.keys()):
                raise ValueError(f"{path} has {case} of {', '.join(twice)} once more")
            cells |= row | cells  # that of the first run, which most cases are compared with
        about[path.stem] = conditions
    _show({case: row for case, row in table.items() if row}, about, out)


def _show(table: Table, about: dict[str, Any], out: Path | None) -> None:
    """Print a table, and write it."""
    columns = list(dict.fromkeys(name for row in table.values() for name in row))
    if not columns:
        return
    print("\n" + report.as_text(table, columns, shutil.get_terminal_size((120, 50)).columns))
    if out:
        report.write(out, table, columns, about)
        print(f"written: {out} and {out.with_suffix('.md')}")


async def _columns(
    chosen: argparse.Namespace,
    cases: Sequence[Case],
    options: Options,
    talks: tuple[Talk, Talk],
    table: Table,
    conditions: dict[str, Any],
    run: Path,
) -> None:
    """Fill the table: one column for each protocol of each server."""

    def fill(server: Server | ForeignServer, protocol: Protocol, name: str) -> Bench:
        live, files = drivers.live(protocol), drivers.files(protocol)
        return Bench(server, name, live, files, *talks, options)

    if chosen.url:
        protocol = Protocol(chosen.driver, chosen.url, dict(chosen.option))
        foreign = ForeignServer(protocol, chosen.health)
        await _column(fill(foreign, foreign.protocols[0], chosen.url), cases, table)
        return
    known = servers.available()
    names = list(known) if "all" in chosen.server else chosen.server
    for name in names:
        spec = servers.read(known[name])
        server = Server(spec, CACHE / name, run / name, chosen.model, say)
        (run / name).mkdir(parents=True)
        conditions["servers"][name] = {"version": spec.version, "model": spec.model}
        wanted = [
            protocol
            for index, protocol in enumerate(server.protocols)
            if protocol.driver in chosen.protocols
            or "all" in chosen.protocols
            or (index == 0 and not chosen.protocols)
        ]
        if not wanted:
            table[UNDISTURBED.name][name] = _skipped("none of these protocols")
            continue
        try:
            server.install()
        except StartError as error:
            table[UNDISTURBED.name][name] = _failed(f"not installed: {error}")
            continue
        for protocol in wanted:
            await _column(fill(server, protocol, f"{name} / {protocol.driver}"), cases, table)


async def _column(bench: Bench, cases: Sequence[Case], table: Table) -> None:
    """Run all cases of one protocol, each with a newly started server."""
    if bench.live is None and bench.files is None:
        table[UNDISTURBED.name][bench.name] = _skipped("no driver for this protocol")
        return
    for case in cases:
        say(f"{bench.name}: {case.name} …")
        started_s = time.monotonic()
        cell = await _cell(bench, case)
        table[case.name][bench.name] = cell
        say(f"{bench.name}: {case.name}, {time.monotonic() - started_s:.0f} s")
        for line in cell.lines:
            say(f"    {line}")
        if case is UNDISTURBED and not bench.undisturbed:
            say("    the other cases need this one")
            return


async def _cell(bench: Bench, case: Case) -> Cell:
    limit_s = CASE_LIMIT_S + 2 * bench.talk.duration_s + bench.options.silence_s
    busy_percent = psutil.cpu_percent(BUSY_S)
    try:
        case.check(bench)
        if isinstance(bench.server, Server):
            await bench.server.start()
        async with asyncio.timeout(limit_s):
            outcome = await case.run(bench)
    except NotApplicable as reason:
        return _skipped(str(reason))
    except (StartError, Refused, Lost) as error:
        return _failed(str(error) or type(error).__name__)
    except TimeoutError:
        return _failed(f"not done after {limit_s:.0f} s")
    except Exception as error:  # such as a message that is not of the protocol
        return _failed(f"{type(error).__name__}: {error}")
    finally:
        if isinstance(bench.server, Server):
            bench.server.kill_all()
    is_busy = busy_percent > MAX_BUSY_PERCENT
    other = (f"the machine had other work: {busy_percent:.0f} % of its time",) if is_busy else ()
    return Cell((*outcome.lines, *other), outcome.data | {"other_work_percent": busy_percent})


def _skipped(reason: str) -> Cell:
    return Cell((f"n/a: {reason}",), {"skipped": reason})


def _failed(reason: str) -> Cell:
    return Cell((f"failed: {reason}",), {"failed": reason})


def say(line: str) -> None:
    """Print a line of the progress, with the time."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
