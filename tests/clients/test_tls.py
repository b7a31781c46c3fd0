"""OpenAI's package for Node over the server's own TLS, with a certificate of `auricle dev-cert`."""

from collections.abc import Iterator

import pytest

from tests.clients.environment import Client, snippet
from tests.clients.scores import Scores
from tests.clients.server import RealServer, real_server
from tests.support.certificates import Issued, issued
from tests.support.clips import CLIPS
from tests.support.command import LIMIT_S

pytestmark = [pytest.mark.model, pytest.mark.outside]

NODE = Client("npm-openai")
PAGE = "openai-node.md"
FELLOW = CLIPS["fellow.wav"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Issued:
    return issued(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def server(certificate: Issued, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    with real_server(tmp_path_factory.mktemp("server"), **certificate.settings) as started:
        assert started.url.startswith("https://")
        yield started


@pytest.mark.parametrize("package", ["openai", "openai-7"])
def test_node_transcribes_files_and_live_speech_over_tls(
    server: RealServer,
    certificate: Issued,
    package: str,
    scores: Scores,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(certificate.ca))
    name = f"openai (Node) {NODE.version(package)}"
    client = snippet(PAGE, "The client", "js").replace("http://", "https://")
    programs = {
        "TLS, file": client + snippet(PAGE, "Transcribe a file", "js"),
        "TLS, realtime": snippet(PAGE, "Live transcription", "js"),
    }
    for way, program in programs.items():
        of_package = program.replace("from 'openai", f"from '{package}")
        assert scores.add(name, way, FELLOW, NODE.run(server.fill(of_package))).total == 0


def test_node_refuses_a_ca_that_it_was_not_given(server: RealServer) -> None:
    program = snippet(PAGE, "The client", "js").replace("http://", "https://")
    program += snippet(PAGE, "Transcribe a file", "js")
    with NODE.start(server.fill(program)) as process:
        _, stderr = process.communicate(timeout=LIMIT_S)
    assert process.returncode != 0
    assert "certificate" in stderr
