"""Azure OpenAI's clients: both supported majors of OpenAI's packages, and LiteLLM."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.environment import PAGES, Client, program, snippet
from tests.clients.scores import Scores
from tests.clients.server import RealServer
from tests.support.certificates import issued
from tests.support.clips import CLIPS
from tests.support.tls_forwarder import forward_tls

pytestmark = [pytest.mark.model, pytest.mark.outside]

PYTHON, PREVIOUS, NODE = Client("client-openai"), Client("client-litellm"), Client("npm-openai")
FELLOW, SHORT = CLIPS["fellow.wav"], CLIPS["short.wav"]
PAGE = "azure-openai.md"


def check(scores: Scores, name: str, seen: dict[str, Any]) -> None:
    for way, text in seen["texts"].items():
        assert scores.add(name, f"Azure, {way}", SHORT, text).total == 0, way
    assert {"whisper-base", "whisper-1"} <= set(seen["models"])
    assert seen["wrong key"] == ["AuthenticationError", "invalid_api_key"]


@pytest.mark.parametrize("client", [PYTHON, PREVIOUS], ids=["3", "2"])
def test_azure_openai_for_python(server: RealServer, scores: Scores, client: Client) -> None:
    said = client.run(program("azure.py"), server.url, server.key, str(SHORT.path))
    seen = json.loads(said)
    check(scores, f"openai (Python) {client.version('openai')}", seen)
    assert seen["secret"] == "ek_"
    assert seen["wrong path"] == ["NotFoundError", "not_found"]


@pytest.mark.parametrize("package", ["openai-7", "openai"])
def test_azure_openai_for_node(
    server: RealServer,
    scores: Scores,
    package: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate = issued(tmp_path)
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(certificate.ca))
    with forward_tls(server.address, certificate) as live_url:
        said = NODE.run(
            program("azure.mjs"), package, server.url, live_url, server.key, str(SHORT.path)
        )
    check(scores, f"openai (Node) {NODE.version(package)}", json.loads(said))


def test_the_page_s_snippets_work(server: RealServer, scores: Scores) -> None:
    text = (PAGES / PAGE).read_text()
    for client, heading, kind in (
        (PYTHON, "Python", "python"),
        (PYTHON, "Python, with Azure's v1 API", "python"),
        (PREVIOUS, "LiteLLM", "python"),
        (NODE, "Node", "js"),
    ):
        said = client.run(server.fill(snippet(PAGE, heading, kind)))
        assert scores.add(f"docs/clients/{PAGE}", heading, FELLOW, said).total == 0
    said = PREVIOUS.run(server.fill(snippet(PAGE, "Realtime", "python")))
    assert said.strip() == "session.created"
    for client, package in ((PYTHON, "openai"), (PREVIOUS, "openai"), (PREVIOUS, "litellm")):
        assert client.version(package) in text
    for package in ("openai", "openai-7"):
        assert NODE.version(package) in text
