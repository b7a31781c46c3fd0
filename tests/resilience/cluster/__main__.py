"""Two gateways and two Ray nodes on one machine while each of them fails: each word, once.

    python -m tests.resilience.cluster [--form model|scripted] [--seconds 40] [--only replica,node]

All programs run in a network namespace with only a loopback. Each node has a Serve proxy, an
ingress and a recogniser with one worker of one thread; two ``auricle serve`` use both proxies.
Clients send real speech in real time through both gateways, while

- *replica*: a recogniser's process is killed (SIGKILL), then the other one's; Serve restarts them;
- *node*: all processes of the second node are killed at once; it restarts 5 s later;
- *stopped*: all its processes are stopped (SIGSTOP) for 10 s, with open connections;
- *gateway*: one gateway is ended (SIGTERM) and restarted; its clients continue with it;
- *head*: all processes of the first node, Ray's head included, are killed; it restarts after 3 s.

A run without faults gives the expected finals. Under each fault the finals of each stream must be
the same, once, and in order; delays are measured from the last sample of an utterance to its final.
*scripted* returns a checksum of the samples, so that any sample that moved shows.
"""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2

from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.charts import Bars, draw
from bench.lib.report import ROOT, machine, write_json
from bench.lib.service import Server
from bench.lib.speech import speeches
from tests.resilience.cluster import namespace
from tests.resilience.cluster.nodes import START_LIMIT_S, Cluster
from tests.resilience.live_chaos import Take, compare, is_whole, take

STREAMS = 4
"""Half of them through each gateway."""
SCRIPTED = "tests.support.scripted_engine"
SCRIPT = "scripted:sleep:0.3"
"""Each of its jobs takes 0.3 s."""
BUSY_LIMIT_S = 3.0
FAULTS = ("replica", "node", "stopped", "gateway", "head")
WHAT = {
    "calm": "no fault",
    "replica": "both recognisers killed, one after the other",
    "node": "a node killed, restarted after 5 s",
    "stopped": "a node stopped for 10 s",
    "gateway": "a gateway restarted (SIGTERM)",
    "head": "Ray's head and its node killed, restarted after 3 s",
}
FIRST_FAULT_S = 6.0
"""All streams have started by then."""
AWAY_S, STOPPED_S, HEAD_AWAY_S, BETWEEN_REPLICAS_S = 5.0, 10.0, 3.0, 12.0


@dataclass
class Site:
    """The nodes and the gateways."""

    cluster: Cluster
    gateways: list[Server]
    prompt: str | None
    """Prompt of each stream; it controls the scripted engine."""

    async def wait_ready(self) -> None:
        """Wait until all recognisers are ready, and all gateways know it."""
        for node in self.cluster.nodes:
            if len(node.processes()) < 3:  # Ray gave it up, and a supervisor would start it again
                await asyncio.to_thread(node.kill)
                node.start()
        await asyncio.to_thread(self.cluster.wait_ready)
        with anyio.fail_after(START_LIMIT_S):
            async with httpx2.AsyncClient() as client:
                for gateway in self.gateways:
                    while not await _is_ready(client, gateway.url):  # noqa: ASYNC110  # far away
                        await asyncio.sleep(0.2)


async def _is_ready(client: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(f"{url}/readyz")).status_code == 200
    except httpx2.HTTPError:
        return False


async def busy(site: Site) -> None:
    """Wait until a job runs, so that the fault affects it."""
    with anyio.move_on_after(BUSY_LIMIT_S):
        while not await asyncio.to_thread(site.cluster.running_jobs):  # noqa: ASYNC110  # far away
            await asyncio.sleep(0.02)


async def kill_replicas(site: Site) -> None:
    for number, node in enumerate(site.cluster.nodes):
        if number:  # so that the first one can restart
            await asyncio.sleep(BETWEEN_REPLICAS_S)
        (replica,) = await asyncio.to_thread(node.replicas)
        await busy(site)
        replica.kill()


async def kill_node(site: Site) -> None:
    node = site.cluster.nodes[1]
    await busy(site)
    await asyncio.to_thread(node.kill)
    await asyncio.sleep(AWAY_S)
    node.start()


async def stop_node(site: Site) -> None:
    node = site.cluster.nodes[1]
    await busy(site)
    node.signal(signal.SIGSTOP)
    await asyncio.sleep(STOPPED_S)
    node.signal(signal.SIGCONT)


async def restart_gateway(site: Site) -> None:
    gateway = site.gateways[0]
    await busy(site)
    await asyncio.to_thread(gateway.end, signal.SIGTERM)
    gateway.start()


async def restart_head(site: Site) -> None:
    head = site.cluster.nodes[0]
    await busy(site)
    await asyncio.to_thread(head.kill)
    await asyncio.sleep(HEAD_AWAY_S)
    head.start()


ACTIONS: dict[str, Callable[[Site], Awaitable[None]]] = {
    "replica": kill_replicas,
    "node": kill_node,
    "stopped": stop_node,
    "gateway": restart_gateway,
    "head": restart_head,
}


async def speak(site: Site, speech: Sequence[Pcm16], fault: str) -> list[Take]:
    """Run all streams at once, and apply the fault meanwhile."""
    takes = [Take() for _ in speech]

    async def one(index: int) -> None:
        gateway = site.gateways[index % len(site.gateways)]
        takes[index] = await take(gateway.url, speech[index], site.prompt)

    async with anyio.create_task_group() as group:
        for index in range(len(speech)):
            group.start_soon(one, index)
        if fault in ACTIONS:
            await asyncio.sleep(FIRST_FAULT_S)
            await ACTIONS[fault](site)
    return takes


async def run(site: Site, speech: Sequence[Pcm16], faults: Sequence[str]) -> dict[str, Any]:
    """Run the scenarios, and compare each with the one without faults."""
    await site.wait_ready()
    calm: list[Take] = []
    results: dict[str, Any] = {}
    for fault in ("calm", *faults):
        began_at = time.monotonic()
        takes = await speak(site, speech, fault)
        calm = calm or takes
        figures = compare(calm, takes)
        spoke_s = time.monotonic() - began_at
        await site.wait_ready()
        figures["until_ready_s"] = round(time.monotonic() - began_at - spoke_s, 1)
        results[fault] = figures
        print(
            f"{fault:8} ({WHAT[fault]}): {figures['finals']} finals, {figures['words']} words; "
            f"streams with other words {figures['streams_with_other_words']}, not once and in "
            f"order {figures['not_once_and_in_order']}, errors {figures['finals_with_errors']}; "
            f"longest delay {figures['delay_max_s']:.2f} s (p50 {figures['delay_p50_s']:.2f} s)",
            flush=True,
        )
    return results


def site_in(folder: Path, form: str) -> Site:
    """Return the site, not started, with its logs and sockets in the folder."""
    engine: dict[str, object] = {}
    if form == "scripted":
        engine = {"engine": SCRIPTED}
    settings = {"workers": 1, "worker_threads": 1, "sandbox_folders": f"{folder},{ROOT}", **engine}
    cluster = Cluster(folder / "ray", 2, settings)
    urls = ",".join(cluster.urls)
    gateways = [
        Server(
            folder / f"gateway-{n}.log",
            engine_urls=urls,
            gateways=2,
            gateway_id=f"g{n}",
            state_dir=folder / f"state-{n}",
        )
        for n in range(2)
    ]
    return Site(cluster, gateways, SCRIPT if form == "scripted" else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--form", choices=("model", "scripted"), default="model")
    parser.add_argument("--seconds", type=float, default=40.0, help="of speech a stream")
    parser.add_argument("--only", default=",".join(FAULTS))
    parser.add_argument("--merge", action="store_true", help="into what --out holds already")
    parser.add_argument("--out", type=Path, default=ROOT / "bench/results/cluster_chaos")
    arguments = parser.parse_args()
    namespace.enter("tests.resilience.cluster", sys.argv[1:])
    print(machine())
    speech = speeches(arguments.seconds, STREAMS)
    with tempfile.TemporaryDirectory(prefix="au-", ignore_cleanup_errors=True) as folder:
        site = site_in(Path(folder), arguments.form)
        with ExitStack() as stack:
            stack.callback(site.cluster.close)
            try:
                site.cluster.start()
                for gateway in site.gateways:
                    gateway.start()
                    stack.callback(gateway.end, signal.SIGTERM)
                results = asyncio.run(run(site, speech, arguments.only.split(",")))
            except BaseException:
                _show_logs(Path(folder))
                raise
    path = arguments.out.with_suffix(".json")
    if arguments.merge and path.exists():
        results = json.loads(path.read_text())["scenarios"] | results
    whole = {name: is_whole(figures) for name, figures in results.items()}
    write_json(
        path,
        {
            "machine": machine(),
            "form": arguments.form,
            "streams": STREAMS,
            "audio_s": [round(pcm.size / SAMPLE_RATE_HZ) for pcm in speech],
            "scenarios": results,
            "whole": whole,
        },
    )
    draw(
        arguments.out.with_suffix(".svg"),
        "Two gateways, two nodes: every word, once",
        [picture(results)],
    )
    for name, is_good in whole.items():
        print(f"{name}: {'every word, once' if is_good else 'FAILED'}")
    if not all(whole.values()):
        raise SystemExit(1)


def picture(results: dict[str, Any]) -> Bars:
    """Return the delays as bars."""
    kinds = {"p50": "delay_p50_s", "p95": "delay_p95_s", "max": "delay_max_s"}
    series = {kind: [figures[key] for figures in results.values()] for kind, key in kinds.items()}
    return Bars("Delay from the last sample of an utterance to its final, s", list(results), series)


def _show_logs(folder: Path) -> None:
    for log in sorted(folder.rglob("*.log")):
        if log.parent.name in ("ray", folder.name):
            print(f"--- {log.name}")
            print(log.read_text(errors="replace")[-2000:])


if __name__ == "__main__":
    main()
