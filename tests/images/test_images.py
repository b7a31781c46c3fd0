"""The images, built and run (``make test-images``) as operators should run them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.images.client import ANNA, KEY, LIMIT_S, live_transcript, require, transcript
from tests.support.certificates import issued
from tests.support.clips import CLIPS, words
from tests.support.command import ROOT
from tests.support.podman import IMAGES, Container, container, podman, started
from tests.support.poll import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.outside]

SETTINGS = {"AURICLE_API_KEYS": f"anna:{KEY}", "AURICLE_WORKERS": 1}
CAPABILITIES = re.compile(r"^Cap(?:Inh|Prm|Eff|Bnd|Amb):\t(\w+)$", re.MULTILINE)
WRITE = """
try:
    open("/opt/auricle/new", "w")
except OSError as error:
    print(error.strerror)
"""


LOAD_CUBLAS = """
import ctypes, glob
[path] = glob.glob("/opt/auricle/lib/python3*/site-packages/nvidia/cublas/lib/libcublas.so.12")
ctypes.CDLL(path)
print("loaded")
"""


def check_confinement(running: Container) -> None:
    """Check what each process of a container may do, as the kernel says."""
    processes = running.processes()
    assert len(processes) > 2
    for process in processes:
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert process.uids().real != 0
        assert process.uids().effective != 0
        assert {int(mask, 16) for mask in CAPABILITIES.findall(status)} == {0}, process.cmdline()
        assert "NoNewPrivs:\t1" in status
    assert running.execute("python", "-c", WRITE) == "Read-only file system"


@pytest.fixture(scope="module")
def cpu() -> Iterator[Container]:
    require("cpu")
    with container("cpu", environ=SETTINGS | {"AURICLE_MCP": 1}) as running:
        running.wait_ready()
        yield running


def test_cpu_transcribes_over_http_and_live(cpu: Container) -> None:
    expected = words(CLIPS["short.wav"].text)
    assert transcript(cpu.url) == expected
    assert live_transcript(cpu.url) == expected


def test_cpu_shows_the_page_and_the_documentation(cpu: Container) -> None:
    for path in ("/", "/status", "/reader", "/docs/index.html"):
        page = httpx2.get(f"{cpu.url}{path}", trust_env=False, follow_redirects=True)
        assert page.status_code == 200, path
        assert "<title>" in page.text
        assert "make docs" not in page.text
    assert "assets/" in httpx2.get(f"{cpu.url}/", trust_env=False).text


def test_cpu_has_the_tools_of_agents(cpu: Container) -> None:
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "list_jobs", "arguments": {}},
    }
    json = "application/json"
    headers = ANNA | {"content-type": json, "accept": f"{json}, text/event-stream"}
    answer = httpx2.post(f"{cpu.url}/mcp", json=message, headers=headers, trust_env=False)
    assert answer.status_code == 200, answer.text
    assert answer.json()["result"]["isError"] is False


def test_cpu_contains_its_model_and_assembles_none(cpu: Container) -> None:
    assert cpu.execute("find", "/var/cache/auricle", "-name", "model.bin") == ""


def test_cpu_runs_without_root_capabilities_or_a_writable_root(cpu: Container) -> None:
    check_confinement(cpu)


def test_health_check_succeeds_on_a_ready_server(cpu: Container) -> None:
    podman("healthcheck", "run", cpu.name)


def test_health_check_succeeds_on_a_server_with_tls(tmp_path: Path) -> None:
    require("cpu")
    certificate = issued(tmp_path / "tls")
    for path in certificate.folder.iterdir():
        path.chmod(0o644)
    tls = {"AURICLE_TLS_CERT": "/tls/server.crt", "AURICLE_TLS_KEY": "/tls/server.key"}
    with container("cpu", environ=SETTINGS | tls, volumes={"/tls": certificate.folder}) as running:
        running.url = running.url.replace("http:", "https:")
        running.wait_ready(certificate.client())
        podman("healthcheck", "run", running.name)


def test_without_keys_it_says_what_to_set_and_ends() -> None:
    require("cpu")
    with container("cpu") as running:
        assert running.wait_exit() == 2
        assert "AURICLE_API_KEYS" in running.logs()


def test_sigterm_ends_it_in_order() -> None:
    require("cpu")
    with container("cpu", environ=SETTINGS) as running:
        running.wait_ready()
        with httpx2.Client(timeout=LIMIT_S, trust_env=False) as client:
            job = client.post(
                f"{running.url}/utterance?wait=0",
                content=CLIPS["pair.wav"].path.read_bytes(),
                headers=ANNA,
            )
            assert job.status_code == 202
        assert running.stop() == 0


def test_an_accepted_job_survives_kill_and_a_new_container(tmp_path: Path) -> None:
    require("cpu")
    volumes = {"/var/lib/auricle": tmp_path / "state", "/var/cache/auricle": tmp_path / "cache"}
    story = CLIPS["story.ogg"]
    with container("cpu", environ=SETTINGS, volumes=volumes) as running:
        running.wait_ready()
        posted = httpx2.post(
            f"{running.url}/utterance?wait=0&job_id=story",
            content=story.path.read_bytes(),
            headers=ANNA | {"content-type": "audio/ogg"},
            timeout=LIMIT_S,
            trust_env=False,
        )
        assert posted.status_code == 202
        running.kill()
    with container("cpu", environ=SETTINGS, volumes=volumes) as running:
        running.wait_ready()
        assert finished_job(running.url, "story")["state"] == "done"


def finished_job(url: str, job_id: str) -> dict[str, Any]:
    def finished() -> dict[str, Any] | None:
        answer = httpx2.get(f"{url}/jobs/{job_id}", headers=ANNA, trust_env=False)
        job: dict[str, Any] = answer.json()
        return job if job["state"] in ("done", "failed") else None

    return wait_until(finished, f"the job {job_id} has ended", LIMIT_S)


QUICKSTARTS = re.findall(
    r"^docker run .*?(?= +#|$)", (ROOT / "docs/how-to/install.md").read_text(), re.MULTILINE
)


@pytest.mark.parametrize("line", QUICKSTARTS)
def test_the_one_line_of_the_documentation_starts_a_server(line: str) -> None:
    require("cpu")
    assert len(QUICKSTARTS) == 2
    options = line.removeprefix("docker run ").replace("anna:KEY", f"anna:{KEY}")
    options, published = re.subn(r"--rm -p (127\.0\.0\.1:)?6007:6007 ", "", options)
    assert published == 1
    assert options.endswith(" auricle")
    with started(*options.split()[:-1], IMAGES["cpu"]) as running:
        running.wait_ready()
        assert transcript(running.url) == words(CLIPS["short.wav"].text)


# Other images.


def test_cuda_loads_its_libraries_and_recognises_on_a_cpu() -> None:
    require("cuda")
    with container("cuda", environ=SETTINGS | {"AURICLE_DEVICE": "cpu"}) as running:
        running.wait_ready()
        assert transcript(running.url) == words(CLIPS["short.wav"].text)
        assert running.execute("python", "-c", LOAD_CUBLAS) == "loaded"


def test_cuda_without_a_gpu_says_so_and_ends() -> None:
    require("cuda")
    with container("cuda", environ=SETTINGS) as running:
        assert running.wait_exit() == 2
        assert "GPU" in running.logs()


def test_a_gateway_uses_recognisers_of_the_cluster_image() -> None:
    """The gateway is in the recognisers' network: Ray needs no other address than loopback."""
    require("cpu")
    require("cluster")
    shared = {"AURICLE_ENGINE_KEY": "key-of-the-engine"}
    up = ("cluster", "up", "--host=0.0.0.0", "--replicas=1", "--workers=1")
    with (
        started(
            "--shm-size=2g",
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
            "--pids-limit=8192",
            *(f"--env={name}={value}" for name, value in shared.items()),
            IMAGES["cluster"],
            *up,
        ) as recognisers,
        started(
            f"--network=container:{recognisers.name}",
            "--read-only",
            "--tmpfs=/tmp",
            "--cap-drop=ALL",
            *(f"--env={name}={value}" for name, value in (SETTINGS | shared).items()),
            "--env=AURICLE_ENGINE_URLS=http://127.0.0.1:8000",
            IMAGES["cpu"],
        ) as gateway,
    ):
        gateway.url = recognisers.url
        gateway.wait_ready()
        assert transcript(gateway.url) == words(CLIPS["short.wav"].text)
        assert live_transcript(gateway.url) == words(CLIPS["short.wav"].text)
        assert recognisers.stop() == 0
