"""The services of ``compose/team.yaml`` together, with its settings and configuration files.

PostgreSQL, Caddy and Prometheus are Debian's packages instead of images; only names and addresses
of the containers are replaced. Debian has no Grafana: its files are compared with what they name.
"""

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from websockets.sync.client import connect

from tests.deploy.balancer import free_port
from tests.deploy.prometheus import ask, program, prometheus
from tests.deploy.tools import DEPLOY, documents
from tests.support.clips import CLIPS
from tests.support.command import LIMIT_S, STEP_S, Command, serving, until
from tests.support.postgres import PostgresServer, postgres_server, programs

pytestmark = [pytest.mark.process, pytest.mark.outside]

TEAM = DEPLOY / "compose" / "team.yaml"
SECRETS = {
    "AURICLE_API_KEYS": "anna:key-of-anna",
    "AURICLE_OPERATOR_KEY": "key-of-the-operator",
    "POSTGRES_PASSWORD": "passwordofpostgres",
    "GRAFANA_PASSWORD": "password-of-grafana",
}
ANNA = {"authorization": "Bearer key-of-anna"}
WAV = {"content-type": "audio/wav"}
OPERATOR = {"authorization": "Bearer key-of-the-operator"}
KILLS = 6
"""The alert fires above 5 restarts in 15 minutes."""


def interpolated(value: str) -> str:
    """Return a value of the compose file as Docker gives it to the container."""

    def replacement(found: re.Match[str]) -> str:
        return SECRETS.get(found["name"], found["default"] or "")

    return re.sub(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*)|:\?[^}]*)?\}", replacement, value)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    [document] = documents(TEAM)
    found: dict[str, Any] = document["services"]
    return found


def settings(service: dict[str, Any]) -> dict[str, str]:
    """Return the environment of a service, without what is empty."""
    values = {name: interpolated(value) for name, value in service["environment"].items()}
    return {name: value for name, value in values.items() if value}


def mounted(service: dict[str, Any]) -> dict[str, Path]:
    """Return the files of ``deploy/`` that are mounted, by their paths in the container."""
    pairs = [volume.split(":")[:2] for volume in service["volumes"] if volume.startswith(".")]
    return {target: (TEAM.parent / source).resolve() for source, target in pairs}


def test_grafana_is_given_the_dashboard_and_its_data_source(services: dict[str, Any]) -> None:
    files = mounted(services["grafana"])
    assert all(path.is_file() for path in files.values())
    [provider] = documents(files["/etc/grafana/provisioning/dashboards/auricle.yaml"])
    [source] = documents(files["/etc/grafana/provisioning/datasources/auricle.yaml"])
    folder = provider["providers"][0]["options"]["path"]
    assert files[f"{folder}/auricle.json"].samefile(DEPLOY / "grafana" / "auricle.json")
    assert source["datasources"][0]["type"] == "prometheus"
    assert source["datasources"][0]["isDefault"] is True
    assert source["datasources"][0]["url"] == "http://prometheus:9090"
    assert "127.0.0.1:9090:9090" in services["prometheus"]["ports"]


def test_only_the_proxy_is_reached_from_elsewhere(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for port in service.get("ports", []):
            assert name == "caddy" or port.startswith("127.0.0.1:"), (name, port)
        assert "@sha256:" in service["image"] or service["image"].startswith("auricle:")


def prepare(postgres: PostgresServer, environ: dict[str, str]) -> str:
    """Create user and database as the image of PostgreSQL does, and return our URL of it."""
    with psycopg.connect(postgres.conninfo, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE auricle LOGIN PASSWORD '{SECRETS['POSTGRES_PASSWORD']}'")
        connection.execute("CREATE DATABASE auricle OWNER auricle")
    url = environ["AURICLE_DATABASE_URL"]
    assert url == f"postgresql://auricle:{SECRETS['POSTGRES_PASSWORD']}@postgres/auricle"
    folder = postgres.conninfo.split()[0].removeprefix("host=")
    return url.replace("@postgres/auricle", f"@/auricle?host={folder}")


@contextmanager
def caddy(folder: Path, path: Path, server_url: str) -> Iterator[tuple[str, ssl.SSLContext]]:
    """Run Caddy with a Caddyfile, and give its URL and what a client that trusts it needs."""
    executable = shutil.which("caddy")
    if executable is None:
        pytest.skip("Caddy is not installed (Debian: apt-get install caddy)")
    text = path.read_text()
    assert text.count("auricle:6007") == 1
    text = text.replace("auricle:6007", server_url.removeprefix("http://"))
    ours = folder / "Caddyfile"
    ours.write_text(
        "{\n\tadmin off\n\tskip_install_trust\n\tauto_https disable_redirects\n}\n" + text
    )
    port = free_port("127.0.0.1")
    environ = {**os.environ, "SITE": f"localhost:{port}", "HOME": str(folder)}
    with (folder / "caddy.log").open("w") as log:
        running = subprocess.Popen(
            [executable, "run", "--adapter", "caddyfile", "--config", ours],
            env=environ,
            stdout=log,
            stderr=log,
        )
    authority = folder / ".local/share/caddy/pki/authorities/local/root.crt"
    try:
        yield f"https://localhost:{port}", trusting(authority, port, running, folder / "caddy.log")
    finally:
        running.terminate()
        running.wait(LIMIT_S)


def trusting(
    authority: Path, port: int, running: "subprocess.Popen[bytes]", log: Path
) -> ssl.SSLContext:
    """Return a context that trusts Caddy's own authority, once a handshake with it succeeds.

    Caddy reports that it serves before it has issued the site's certificate.
    """
    deadline = time.monotonic() + LIMIT_S
    while True:
        assert running.poll() is None, log.read_text()
        try:
            context = ssl.create_default_context(cafile=authority)
            with (
                socket.create_connection(("localhost", port)) as connection,
                context.wrap_socket(connection, server_hostname="localhost"),
            ):
                return context
        except OSError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(STEP_S)


def transcribed_live(url: str, context: ssl.SSLContext) -> list[str]:
    """Return the finals of a clip over the proxy's WebSocket."""
    address = f"wss{url.removeprefix('https')}/v1/stream?format=pcm16"
    finals = []
    with connect(address, additional_headers=ANNA, ssl=context, proxy=None) as websocket:
        pcm = CLIPS["pair.wav"].pcm.tobytes()
        for at in range(0, len(pcm), 6400):
            websocket.send(pcm[at : at + 6400])
        websocket.send('{"type": "stop"}')
        for message in map(json.loads, websocket):
            if message["type"] == "final":
                finals.append(message["text"])
            if message["type"] == "closed":
                break
    return finals


def restarts(client: httpx2.Client) -> float:
    text = client.get("/metrics", headers=OPERATOR).text
    found = re.search(r'^auricle_worker_restarts_total\{pool="asr"\} (\S+)$', text, re.MULTILINE)
    return float(found[1]) if found else 0


def kill_a_worker(client: httpx2.Client, server: Command) -> None:
    """Kill the worker that recognises, and return once another one is ready."""
    before = restarts(client)
    [worker] = client.get("/health", headers=OPERATOR).json()["workers"]
    os.kill(worker["pid"], signal.SIGKILL)
    until(lambda: restarts(client) > before, server)
    until(lambda: client.get("/readyz").status_code == 200, server)


def firing(url: str) -> set[str]:
    found = ask(url, "alerts")
    return {one["labels"]["alertname"] for one in found["alerts"] if one["state"] == "firing"}


def test_a_team_is_served_over_tls_its_work_is_in_the_database_and_killed_workers_raise_an_alert(
    services: dict[str, Any], tmp_path: Path
) -> None:
    program("prometheus")
    if (binaries := programs()) is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    environ = settings(services["auricle"])
    environ["AURICLE_TRUSTED_PROXIES"] = "127.0.0.1"
    given = {name.removeprefix("AURICLE_").lower(): value for name, value in environ.items()}
    config = mounted(services["prometheus"])["/etc/prometheus/prometheus.yml"].read_text()
    (tmp_path / "operator_key").write_text(SECRETS["AURICLE_OPERATOR_KEY"])
    with postgres_server(binaries) as postgres:
        given["database_url"] = prepare(postgres, environ)
        with (
            serving(tmp_path, **given, backoff_first_s=0.01, backoff_max_s=0.01) as (server, own),
            caddy(tmp_path, mounted(services["caddy"])["/etc/caddy/Caddyfile"], own) as (
                url,
                context,
            ),
            prometheus(
                tmp_path,
                config.replace("auricle:6007", own.removeprefix("http://"))
                .replace("- alerts.yml", f"- {DEPLOY / 'prometheus/alerts.yml'}")
                .replace("/run/secrets/operator_key", str(tmp_path / "operator_key")),
            ) as metrics,
            httpx2.Client(base_url=url, verify=context, timeout=LIMIT_S, trust_env=False) as client,
        ):
            clip = CLIPS["short.wav"].path.read_bytes()
            assert client.post("/utterance", content=clip, headers=WAV).status_code == 401
            assert client.post("/utterance", content=clip, headers=ANNA | WAV).json()["text"]
            job = client.post("/utterance?wait=0", content=clip, headers=ANNA | WAV).json()[
                "job_id"
            ]
            assert transcribed_live(url, context)
            until(
                lambda: client.get(f"/jobs/{job}", headers=ANNA).json()["state"] == "done", server
            )
            path = "/v1/transcripts"  # those of sessions may be stored after their finals are sent
            until(lambda: len(client.get(path, headers=ANNA).json()["transcripts"]) == 2, server)
            with psycopg.connect(given["database_url"]) as database:
                [number] = database.execute("SELECT count(*) FROM transcripts").fetchone() or [0]
            assert number == 2

            until(lambda: ask(metrics, "query", query="auricle_ready == 1")["result"], server)
            assert ask(metrics, "query", query="auricle_client_requests_total")["result"]
            for _ in range(KILLS):
                kill_a_worker(client, server)
            until(lambda: "AuricleWorkersCrashing" in firing(metrics), server)
            assert firing(metrics) == {"AuricleWorkersCrashing"}
