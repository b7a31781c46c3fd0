"""What the tests with real clients share: one server with the real model, and one table at the end.

Each of pytest-xdist's workers has a server, and passes the rows of its table on.

Not collected by ``make test``: ``make test-clients`` makes the clients' environments first.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from auricle.cli.doctor.client.catalogue import clients
from tests.clients.scores import Scores
from tests.clients.server import RealServer, real_server

_SCORES = pytest.StashKey[Scores]()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """The server that all share; tests that must spoil one start their own."""
    origins = {profile.origin for profile in clients().values()} - {""}
    settings: dict[str, object] = {
        **{"asr_webservice": 1, "vosk": 1, "vosk_port": 0, "wyoming": 1, "wyoming_port": 0},
        "allowed_origins": ",".join(sorted(origins)),
    }
    with real_server(tmp_path_factory.mktemp("server"), **settings) as started:
        yield started


@pytest.fixture(scope="session")
def scores(pytestconfig: pytest.Config) -> Scores:
    """Where each client's text is held against what was said."""
    return pytestconfig.stash[_SCORES]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_SCORES] = Scores()


def pytest_sessionfinish(session: pytest.Session) -> None:
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["scores"] = session.config.stash[_SCORES].rows


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    output = getattr(node, "workeroutput", {})  # not there after a crash
    node.config.stash[_SCORES].rows.extend(output.get("scores", ()))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if lines := config.stash[_SCORES].table():
        terminalreporter.section("what the clients received")
        for line in lines:
            terminalreporter.write_line(line)
