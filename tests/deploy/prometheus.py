"""A real Prometheus (Debian: ``apt-get install prometheus``) with a configuration of ours."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.deploy.balancer import free_port
from tests.support.command import LIMIT_S


def program(name: str) -> str:
    """Return a program's path; without it the test is skipped."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name}: `apt-get install prometheus`")
    return found


@contextmanager
def prometheus(folder: Path, config: str) -> Iterator[str]:
    """Run Prometheus with a configuration, scraping every second, and give its URL."""
    executable = program("prometheus")
    (folder / "prometheus.yml").write_text(config.replace("15s", "1s"))
    port = free_port("127.0.0.1")
    with (folder / "prometheus.log").open("w") as log:
        running = subprocess.Popen(
            [
                executable,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(LIMIT_S)


def ask(url: str, path: str, **query: str) -> Any:
    """Return what Prometheus' API answers; ``None`` until it does."""
    try:
        answer = httpx2.get(f"{url}/api/v1/{path}", params=query, timeout=LIMIT_S, trust_env=False)
    except httpx2.TransportError:
        return None
    if answer.status_code == 503:  # it still starts
        return None
    body = answer.json()
    assert body["status"] == "success", body
    return body["data"]
