"""The example of an API, installed and served as its page says."""

import os
import subprocess
import sys
from collections.abc import Iterator

import httpx2
import pytest

from tests.support.clips import CLIPS
from tests.support.command import LIMIT_S, ROOT, command, environment

pytestmark = pytest.mark.process

PAGE = (ROOT / "docs" / "how-to" / "apis.md").read_text()
EXAMPLE = ROOT / "docs" / "examples" / "whisper_cpp_api"
INSTALL = "pip install docs/examples/whisper_cpp_api"
CLIP = CLIPS["short.wav"].path


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Install the example in a folder, next to the packages that are there."""
    folder = tmp_path_factory.mktemp("api")
    site = folder / "site-packages"
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(site)]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, str(EXAMPLE)],
        check=True,
        capture_output=True,
        timeout=LIMIT_S,
    )
    settings = environment(folder, api_keys="alice:secret")
    return settings | {"PYTHONPATH": os.pathsep.join([str(site), settings["PYTHONPATH"]])}


@pytest.fixture(scope="module")
def client(environ: dict[str, str]) -> Iterator[httpx2.Client]:
    with command("serve", environ=environ, is_forked=False) as server:
        url = str(server.event("started")["url"])
        server.event("ready")
        with httpx2.Client(base_url=url, timeout=LIMIT_S) as client:
            yield client


def ask(client: httpx2.Client, key: str = "secret", **fields: str) -> httpx2.Response:
    files = {"file": ("short.wav", CLIP.read_bytes())}
    headers = {"authorization": f"Bearer {key}"}
    return client.post("/inference", data=fields, files=files, headers=headers)


def test_the_page_names_the_commands_that_are_tested() -> None:
    code = (EXAMPLE / "whisper_cpp_api.py").read_text()
    assert INSTALL in PAGE
    assert INSTALL in code
    assert len(code.splitlines()) < 100
    entry_point = (EXAMPLE / "pyproject.toml").read_text().split("\n\n")[-1]
    for line in entry_point.splitlines():
        assert line in PAGE


def test_a_file_gets_the_text_in_each_format(client: httpx2.Client) -> None:
    text = ask(client, language="en").json()["text"]
    assert text
    assert ask(client, response_format="text").text == text


def test_an_error_has_the_format_of_the_service(client: httpx2.Client) -> None:
    for refused, status, part in [
        (ask(client, key="wrong"), 401, "valid key"),
        (ask(client, response_format="yaml"), 400, "response_format"),
        (ask(client, language="klingon"), 400, "language"),
    ]:
        assert refused.status_code == status
        assert part in refused.json()["error"]
    native = client.get("/jobs/none", headers={"authorization": "Bearer secret"})
    assert native.json()["error"]["code"] == "not_found"


def test_the_document_lists_it_next_to_all_others(client: httpx2.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert paths["/inference"]["post"]["tags"] == ["whisper.cpp"]
    assert "/v1/audio/transcriptions" in paths
