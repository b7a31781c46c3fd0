"""What a caller notices of dying workers: real faults under load, and the time to recover.

Part 1: 8 clients post real speech for 60 s while every 5 s a worker is killed (SIGKILL), segfaults,
is stopped (SIGSTOP) or eats all the memory that it is allowed. No request may fail, and each text
must be the one that the undisturbed service gives.

Part 2: one worker only. It is killed; how long until the next answer, against how long a start
takes, and what callers are told in between.

Part 3: two workers. One is killed; answers go on.
"""

import argparse
import asyncio
import itertools
import json
import os
import signal
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psutil

from bench.report import machine, write_json
from bench.service import CORPUS, ROOT, Service, serve

FAULTS = ("SIGKILL", "segfault", "SIGSTOP", "memory")
FAULT_EACH_S = 5.0
CLIENTS = 8
MAX_WAIT_S = 120.0
ENGINE = "bench.faults:load"
SETTLE_LIMIT_S = 90.0


@dataclass(frozen=True)
class Answer:
    """One request: when it was sent and answered (monotonic), and what came back."""

    clip: str
    sent_at: float
    took_s: float
    status: int
    text: str
    attempts: int


@dataclass(frozen=True)
class Count:
    """What must not grow."""

    descriptors: int
    children: int
    tasks: int


def clips() -> dict[str, bytes]:
    """Return some ten real clips of 2 to 10 s, as files."""
    if CORPUS.is_dir():
        entries = [json.loads(line) for line in (CORPUS / "manifest.jsonl").open()]
        chosen = [e["file"] for e in entries if 2 <= e["seconds"] <= 10][::9][:12]
        return {name: (CORPUS / name).read_bytes() for name in chosen}
    print(f"{CORPUS} is missing: using testdata")
    return {path.name: path.read_bytes() for path in (ROOT / "testdata").glob("fellow.*a*")}


async def post(client: httpx2.AsyncClient, name: str, audio: bytes) -> Answer:
    sent_at = time.monotonic()
    answer = await client.post(
        "/utterance",
        params={"language": "en", "beam_size": "1", "max_wait_s": str(MAX_WAIT_S)},
        headers={"content-type": "application/octet-stream"},
        content=audio,
    )
    body = answer.json()
    took_s = time.monotonic() - sent_at
    return Answer(
        name, sent_at, took_s, answer.status_code, body.get("text", ""), body.get("attempts", 0)
    )


def open_client(service: Service) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=service.url, timeout=MAX_WAIT_S + 30)


def count(service: Service) -> Count:
    metrics = httpx2.get(f"{service.url}/metrics", timeout=10).text
    tasks = next(
        float(line.split()[1])
        for line in metrics.splitlines()
        if line.startswith("auricle_asyncio_tasks ")
    )
    children = len(service.process.children(recursive=True))
    return Count(service.process.num_fds(), children, int(tasks))


def busy_worker(service: Service) -> int:
    workers = service.health()["workers"]
    busy = [worker["pid"] for worker in workers if worker["state"] == "busy"]
    return int((busy or [worker["pid"] for worker in workers if worker["pid"]])[0])


def inflict(service: Service, fault: str, faults: Path) -> None:
    if fault in ("SIGKILL", "SIGSTOP"):
        os.kill(busy_worker(service), getattr(signal, fault))
    else:
        (faults / fault).touch()


async def under_fire(service: Service, faults: Path, seconds: float) -> dict[str, Any]:
    audio = clips()
    async with open_client(service) as client:
        expected = {name: (await post(client, name, data)).text for name, data in audio.items()}
        before, pid = count(service), service.process.pid
        answers: list[Answer] = []
        inflicted: list[tuple[float, str]] = []
        ends_at = time.monotonic() + seconds

        async def one_client(offset: int) -> None:
            names = itertools.islice(itertools.cycle(audio), offset, None)
            while time.monotonic() < ends_at:
                name = next(names)
                answers.append(await post(client, name, audio[name]))

        async def faulty() -> None:
            for fault in itertools.cycle(FAULTS):
                await asyncio.sleep(FAULT_EACH_S)
                if time.monotonic() >= ends_at:
                    return
                inflicted.append((time.monotonic(), fault))
                await asyncio.to_thread(inflict, service, fault, faults)

        await asyncio.gather(faulty(), *(one_client(n) for n in range(CLIENTS)))
        after = await settle(service, before)
    return summary(service, answers, inflicted, expected, before, after, pid)


async def settle(service: Service, before: Count) -> Count:
    """Wait until the counts are back, or for so long that they never will be."""
    deadline = time.monotonic() + SETTLE_LIMIT_S
    after = await asyncio.to_thread(count, service)
    while after != before and time.monotonic() < deadline:
        await asyncio.sleep(0.5)
        after = await asyncio.to_thread(count, service)
    return after


def first_fault(answer: Answer, inflicted: list[tuple[float, str]]) -> str | None:
    """Return the kind of the first fault while this answer was awaited."""
    ends_at = answer.sent_at + answer.took_s
    return next((kind for at, kind in inflicted if answer.sent_at <= at <= ends_at), None)


def summary(
    service: Service,
    answers: list[Answer],
    inflicted: list[tuple[float, str]],
    expected: dict[str, str],
    before: Count,
    after: Count,
    pid: int,
) -> dict[str, Any]:
    failed = [a for a in answers if a.status != 200]
    wrong = [a for a in answers if a.status == 200 and a.text != expected[a.clip]]
    usual_s = statistics.median(a.took_s for a in answers)
    health = service.health()
    print(f"\n{len(answers)} requests by {CLIENTS} clients, {len(inflicted)} faults")
    print(f"failed: {len(failed)}  text other than undisturbed: {len(wrong)}")
    print(f"median answer {usual_s:.2f} s; retried jobs {health['jobs']['retried']}")
    longest: dict[str, float] = {}
    for fault in FAULTS:
        hit = [a.took_s for a in answers if first_fault(a, inflicted) == fault]
        longest[fault] = round(max(hit, default=0.0), 2)
        print(f"  longest answer that {fault:9} was the first to hit {longest[fault]:6.2f} s")
    same_pid = (
        psutil.pid_exists(pid) and service.process.pid == pid and service.process.is_running()
    )
    print(f"server's pid unchanged: {same_pid}")
    print(f"before {before}\nafter  {after}")
    return {
        "requests": len(answers),
        "faults": [kind for _, kind in inflicted],
        "failed": [a.status for a in failed],
        "other_text": len(wrong),
        "median_s": round(usual_s, 3),
        "longest_s": longest,
        "pid_unchanged": same_pid,
        "before": before.__dict__,
        "after": after.__dict__,
        "jobs": health["jobs"],
    }


async def one_worker(service: Service) -> dict[str, Any]:
    """Kill the only worker, and ask at once and again and again."""
    name, data = next(iter(clips().items()))
    async with open_client(service) as client:
        usual_s = statistics.median([(await post(client, name, data)).took_s for _ in range(5)])
        rounds = []
        for _ in range(5):
            (worker,) = service.health()["workers"]
            killed_at = time.monotonic()
            os.kill(worker["pid"], signal.SIGKILL)
            await asyncio.sleep(0.2)  # what is posted before the death is seen just waits
            refusals, retry_after = 0, set()
            while True:
                answer = await client.post(
                    "/utterance",
                    params={"language": "en", "beam_size": "1"},
                    headers={"content-type": "application/octet-stream"},
                    content=data,
                )
                if answer.status_code == 200:
                    break
                assert answer.status_code == 503, answer.status_code
                refusals += 1
                retry_after.add(answer.headers["retry-after"])
                await asyncio.sleep(0.1)
            rounds.append((time.monotonic() - killed_at, refusals, sorted(retry_after)))
        ready_s = start_s(service)
    to_answer_s = statistics.median(took_s for took_s, _, _ in rounds)
    print(f"\nkilled {len(rounds)} times: next answer after {to_answer_s:.2f} s (median)")
    print(f"  spawn to ready {ready_s:.2f} s, one answer {usual_s:.2f} s")
    print(f"  meanwhile refused with 503, Retry-After {rounds[0][2]} ({rounds[0][1]} times)")
    return {
        "to_next_answer_s": round(to_answer_s, 2),
        "spawn_to_ready_s": ready_s,
        "one_answer_s": round(usual_s, 2),
        "retry_after_s": rounds[0][2],
        "refusals": [refused for _, refused, _ in rounds],
    }


def start_s(service: Service) -> float:
    """Return how long the latest starts took, from the server's own log."""
    took_ms = [
        json.loads(line)["start_ms"]
        for line in service.log_lines()
        if '"event": "worker_ready"' in line and '"worker": "asr-' in line
    ]
    return round(float(statistics.median(took_ms[-5:])) / 1000, 2)


def budgets(service: Service) -> list[float]:
    """Return the budgets of the batches that were ended for hanging."""
    lines = [line for line in service.log_lines() if '"reason": "hung"' in line]
    return sorted(json.loads(line)["budget_s"] for line in lines)


async def two_workers(service: Service) -> dict[str, Any]:
    """Kill one of two workers while one client posts: no answer may be much later than usual."""
    name, data = next(iter(clips().items()))
    async with open_client(service) as client:
        usual = [(await post(client, name, data)).took_s for _ in range(8)]
        after_kill = []
        for _ in range(5):
            await asyncio.to_thread(service.wait_ready)
            idle = [w["pid"] for w in service.health()["workers"] if w["state"] == "ready"]
            os.kill(idle[0], signal.SIGKILL)
            answer = await post(client, name, data)
            assert answer.status == 200, answer.status
            after_kill.append(answer.took_s)
    print(f"\nof two workers one is killed: next answer {statistics.median(after_kill):.2f} s")
    print(f"  longest {max(after_kill):.2f} s; undisturbed {statistics.median(usual):.2f} s")
    return {
        "next_answer_s": [round(took_s, 2) for took_s in after_kill],
        "undisturbed_s": round(statistics.median(usual), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of part 1")
    parser.add_argument("--short", action="store_true", help="part 1 for 25 s, for checks")
    parser.add_argument("--json", type=Path, default=ROOT / "bench/results/recovery.json")
    arguments = parser.parse_args()
    seconds = 25.0 if arguments.short else arguments.seconds
    print(machine())
    result: dict[str, Any] = {"machine": machine()}
    with tempfile.TemporaryDirectory() as folder:
        faults = Path(folder) / "faults"
        faults.mkdir()
        os.environ["AURICLE_BENCH_FAULTS"] = str(faults)
        log = Path(folder) / "server.log"
        with serve(2, log, engine=ENGINE) as service:
            result["under_fire"] = asyncio.run(under_fire(service, faults, seconds))
            result["under_fire"]["attempt_budgets_s"] = budgets(service)
            print(f"attempt budgets of the stopped workers: {budgets(service)} s")
        with serve(1, log, engine=ENGINE) as service:
            result["one_worker"] = asyncio.run(one_worker(service))
        with serve(2, log, engine=ENGINE) as service:
            result["two_workers"] = asyncio.run(two_workers(service))
    write_json(arguments.json, result)
    fire = result["under_fire"]
    if fire["failed"] or fire["other_text"] or not fire["pid_unchanged"]:
        raise SystemExit("a word was lost")
    if fire["before"] != fire["after"]:
        raise SystemExit("something leaks")


if __name__ == "__main__":
    main()
