"""Ray nodes on one machine, in a network namespace, that can be killed, stopped and restarted.

Each node is one ``ray start --block`` with everything below it; its address is 127.0.0.1 for the
head and 127.0.0.2 upwards for the others. The head keeps its tables on disk (RocksDB), so a head
that restarts knows its cluster.
"""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import psutil

from auricle.cluster.wire.capacity import Capacity, parse_capacity
from auricle.values.errors import RemoteProtocolError
from bench.lib.fixed_values import variables
from bench.lib.report import ROOT
from tests.support.poll import wait_until

GCS_PORT = 6379
FIRST_PORT = 8000
GONE_LIMIT_S = 30.0
START_LIMIT_S = 120.0


@dataclass
class Node:
    """One Ray node: a raylet and all that it starts; the first is also the head.

    Args:
        number: 0 is the head.
        folder: For its log, and what all nodes share.
        environment: Variables of everything in it.
    """

    number: int
    folder: Path
    environment: Mapping[str, str]
    _process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Its own address on the loopback."""
        return f"127.0.0.{self.number + 1}"

    @property
    def url(self) -> str:
        """Where its Serve proxy listens."""
        return f"http://{self.address}:{FIRST_PORT + self.number}"

    def start(self) -> None:
        """Start it; it isn't ready at once."""
        place = (
            ["--head", f"--port={GCS_PORT}", f"--temp-dir={self.folder / 'ray'}"]
            if self.number == 0
            else [f"--address=127.0.0.1:{GCS_PORT}"]
        )
        # One replica asks for one CPU: so there is one on each node.
        common = ["--disable-usage-stats", "--num-cpus=1", "--num-gpus=0", "--block"]
        if self.number == 0:
            common.append("--include-dashboard=false")
            # Ray takes the other nodes' processes for a head that runs here already.
            (self.folder / "ray" / "ray_current_cluster").unlink(missing_ok=True)
        with (self.folder / f"node-{self.number}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ray.scripts.scripts", "start"]
                + [*place, f"--node-ip-address={self.address}", *common],
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                start_new_session=True,
            )

    def processes(self) -> list[psutil.Process]:
        """Return everything that runs in it, itself first."""
        assert self._process is not None
        with contextlib.suppress(psutil.NoSuchProcess):
            own = psutil.Process(self._process.pid)
            return [own, *own.children(recursive=True)]
        return []

    def replicas(self) -> list[psutil.Process]:
        """Return the processes of its recognisers: those that have workers."""
        workers = [p for p in self.processes() if "auricle.workers.kinds.asr.child" in _words(p)]
        parents = {parent.pid: parent for p in workers if (parent := p.parent()) is not None}
        return list(parents.values())

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to everything in it."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def kill(self) -> None:
        """Kill all its processes at once, as if the power failed."""
        for _ in range(10):  # processes that start meanwhile are found the next time
            found = self.processes()
            for process in found:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.suspend()
            if len(self.processes()) == len(found):
                break
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(found, GONE_LIMIT_S)
        if self._process is not None:
            self._process.wait(GONE_LIMIT_S)


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _capacity(url: str) -> Capacity | None:
    """Return a proxy's capacity; ``None`` without a response."""
    try:
        response = httpx2.get(f"{url}/v1/capacity", timeout=2)
        return parse_capacity(response.content) if response.status_code == 200 else None
    except (httpx2.HTTPError, RemoteProtocolError):
        return None


@dataclass
class Cluster:
    """Several nodes and the Serve application on them, one replica a node.

    Args:
        folder: For logs and Ray's own files; its path must be short (sockets lie in it).
        count: How many nodes.
        settings: Of the recognisers, without their ``AURICLE_``.
        variables: Others that everything in the nodes sees.
    """

    folder: Path
    count: int
    settings: Mapping[str, object]
    variables: Mapping[str, str] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "gcs").mkdir(parents=True, exist_ok=True)
        of_ours = {"replicas": self.count, "ray_ingress_replicas": self.count, "replica_cpus": 1}
        settings = {**of_ours, **self.settings}
        given = variables(settings)
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._environment = (
            os.environ
            | {
                "PYTHONPATH": path,
                "RAY_USAGE_STATS_ENABLED": "0",
                "RAY_SERVE_WORKER_PROXY_HTTP_PORT": str(FIRST_PORT + 1),
                "RAY_AUTH_MODE": "token",
                "RAY_AUTH_TOKEN": secrets.token_hex(32),
                "RAY_gcs_storage": "rocksdb",
                "RAY_gcs_storage_path": str(self.folder / "gcs"),
            }
            | given
            | dict(self.variables)
        )
        self.nodes = [Node(n, self.folder, self._environment) for n in range(self.count)]

    @property
    def urls(self) -> tuple[str, ...]:
        """The proxies of all nodes."""
        return tuple(node.url for node in self.nodes)

    def start(self) -> None:
        """Start all nodes and the application, and wait until each proxy serves it."""
        for node in self.nodes:
            node.start()
        self.deploy()
        self.wait_ready()

    def deploy(self) -> None:
        """Deploy the application to Serve, which keeps it running."""
        with (self.folder / "deploy.log").open("ab") as log:
            subprocess.run(
                [sys.executable, "-m", "tests.resilience.cluster.deploy", f"127.0.0.1:{GCS_PORT}"]
                + [str(self.count), str(FIRST_PORT)],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                timeout=START_LIMIT_S,
                check=True,
            )

    def ready_at(self, url: str) -> int:
        """Return the number of ready recognisers that this proxy reports; 0 without a response."""
        capacity = _capacity(url)
        return capacity.ready if capacity else 0

    def running_jobs(self) -> int:
        """Return the number of running jobs that the first node's proxy reports."""
        capacity = _capacity(self.urls[0])
        return capacity.stats.queue.running_jobs if capacity else 0

    def wait_ready(self, limit_s: float = START_LIMIT_S) -> None:
        """Wait until every proxy knows of a ready recogniser on each node.

        Raises:
            TimeoutError: The time limit expired.
        """
        wait_until(
            lambda: all(self.ready_at(url) >= self.count for url in self.urls),
            f"the recognisers are ready; see {self.folder}",
            limit_s,
        )

    def close(self) -> None:
        """Kill all nodes."""
        for node in reversed(self.nodes):
            node.kill()
