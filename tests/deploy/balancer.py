"""The real nginx and the real HAProxy on the configurations of ``deploy/``, before two gateways.

Only the operator's values are replaced: addresses, ports and the certificate.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.certificates import Issued, issued
from tests.support.command import LIMIT_S, ROOT, STEP_S, Command, serving

SBIN = "/usr/sbin:/usr/local/sbin"
ADDRESSES = {"a": "127.0.0.2", "b": "127.0.0.3"}
"""All of 127.0.0.0/8 is this machine, on Linux."""

NGINX = """\
{user}
daemon off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/auricle.conf;
}}
"""


@dataclass(frozen=True)
class Ports:
    """Where everything is to listen."""

    balancer: int
    gateway: int
    agent: int


@dataclass(frozen=True)
class Gateway:
    server: Command
    url: str


@dataclass(frozen=True)
class Site:
    """Two gateways behind a balancer that runs."""

    url: str
    port: int
    certificate: Issued
    gateways: dict[str, Gateway]
    folder: Path


def program(name: str) -> str:
    """Return where a balancer's program is; without it the test is skipped."""
    path = shutil.which(name, path=os.pathsep.join([os.environ["PATH"], SBIN]))
    if path is None:
        package = {"nginx": "nginx-light"}.get(name, name)
        pytest.skip(f"{name} is not installed (Debian: apt-get install {package})")
    return path


def free_port(*addresses: str) -> int:
    """Return a port that is free on all of these addresses."""
    while True:
        with socket.create_server((addresses[0], 0)) as first:
            port: int = first.getsockname()[1]
            try:
                for address in addresses[1:]:
                    socket.create_server((address, port)).close()
            except OSError:
                continue
            return port


def free_ports() -> Ports:
    return Ports(free_port("127.0.0.1"), *(free_port(*ADDRESSES.values()) for _ in range(2)))


def configured(text: str, ports: Ports, folder: Path) -> str:
    """Return a configuration of ``deploy/`` with the places of this machine in it."""
    places = {
        **{f"gateway-{name}.internal:6007": f"{ADDRESSES[name]}:{ports.gateway}" for name in "ab"},
        "agent-port 6008": f"agent-port {ports.agent}",
        "listen 443 ssl": f"listen 127.0.0.1:{ports.balancer} ssl",
        "bind :443": f"bind 127.0.0.1:{ports.balancer}",
        "/etc/nginx/tls/fullchain.pem": str(folder / "tls" / "server.crt"),
        "/etc/nginx/tls/privkey.pem": str(folder / "tls" / "server.key"),
        "/etc/haproxy/tls/captions.pem": str(folder / "tls" / "both.pem"),
        "log stdout format raw local0 notice": f"stats socket {folder}/haproxy.sock level admin",
    }
    for there, here in places.items():
        text = text.replace(there, here)
    assert "internal" not in text
    assert "/etc/" not in "".join(line.partition("#")[0] for line in text.splitlines())
    return text


def prepared(name: str, ports: Ports, folder: Path) -> list[str]:
    """Write what a balancer needs into a folder; return the command that checks or runs it."""
    found = program(name)
    made = issued(folder / "tls")
    (folder / "tls" / "both.pem").write_text(made.pem + made.key.read_text())
    if name == "haproxy":
        text = (ROOT / "deploy" / "haproxy" / "haproxy.cfg").read_text()
        (folder / "haproxy.cfg").write_text(configured(text, ports, folder))
        return [found, "-f", str(folder / "haproxy.cfg")]
    text = (ROOT / "deploy" / "nginx" / "auricle.conf").read_text()
    (folder / "auricle.conf").write_text(configured(text, ports, folder))
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, user=user))
    return [found, "-c", str(folder / "nginx.conf"), "-e", "stderr"]


@contextmanager
def balancing(name: str, ports: Ports, folder: Path) -> Iterator[None]:
    """Run a balancer until it is not needed any more."""
    command = prepared(name, ports, folder)
    with (folder / "balancer.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + LIMIT_S
            while not _listens(ports.balancer):
                said = (folder / "balancer.log").read_text()
                assert process.poll() is None, said
                assert time.monotonic() < deadline, said
                time.sleep(STEP_S)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def site(name: str, folder: Path, **settings: object) -> Iterator[Site]:
    """Run two gateways, ``a`` and ``b``, behind a balancer."""
    program(name)
    ports, gateways = free_ports(), {}
    with ExitStack() as stack:
        for gateway, address in ADDRESSES.items():
            own = {
                "gateway_id": gateway,
                "host": address,
                "port": ports.gateway,
                "agent_check_port": ports.agent,
                "trusted_proxies": "127.0.0.1",
                "workers": 2,  # one may be held
                "job_timeout_min_s": LIMIT_S,
            }
            running = serving(folder / gateway, **(own | settings))
            gateways[gateway] = Gateway(*stack.enter_context(running))
        stack.enter_context(balancing(name, ports, folder))
        made = Issued(folder / "tls")
        yield Site(f"https://localhost:{ports.balancer}", ports.balancer, made, gateways, folder)
