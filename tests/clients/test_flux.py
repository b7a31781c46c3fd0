"""Deepgram Flux with its own packages, LiveKit's plugins and Pipecat's service, three at once.

Only address and key are ours.
"""

import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from tests.clients.environment import Client, printed, program, snippet
from tests.clients.scores import Scores
from tests.clients.server import RealServer
from tests.support.clips import CLIPS

pytestmark = [pytest.mark.model, pytest.mark.outside]

FELLOW, SHORT = CLIPS["fellow.wav"], CLIPS["short.wav"]
PYTHON, PYTHON_5 = Client("client-deepgram"), Client("client-deepgram-5")
NODE, NODE_AGENTS = Client("npm-deepgram"), Client("npm-livekit")
AGENTS, PIPECAT = Client("client-livekit"), Client("client-pipecat")

AT_ONCE = 3
"""A slow machine has room for no more sessions."""
LOGGER = """
import { initializeLogger } from '@livekit/agents';
initializeLogger({ pretty: false, level: 'warn' });
"""
"""What an agent does before it makes its plugins."""


def of_version_5(start: str) -> str:
    """Return the page's snippet as version 5 has it: its environment has no ``agent_rest``."""
    return "".join(line for line in start.splitlines(True) if "agent_rest" not in line)


@pytest.fixture(scope="module")
def told(server: RealServer) -> dict[str, Any]:
    """Return what each client printed."""

    def start(page: str, heading: str, kind: str = "python") -> str:
        return server.fill(snippet(page, heading, kind))

    sdk = start("deepgram.md", "Python")
    flux = program("deepgram_flux.py")
    node = LOGGER + start("livekit.md", "Deepgram Flux for Node", "js")
    runs: dict[str, tuple[Client, str, tuple[str, ...]]] = {
        "python": (PYTHON, sdk + flux, ()),
        "python 5": (PYTHON_5, of_version_5(sdk) + flux, ()),
        "node": (NODE, program("deepgram_flux.mjs"), (server.address, server.key)),
        "livekit": (
            AGENTS,
            start("livekit.md", "Deepgram Flux") + program("livekit_flux.py"),
            (),
        ),
        "livekit, node": (NODE_AGENTS, node + program("livekit_flux.mjs"), ()),
        "pipecat": (
            PIPECAT,
            start("pipecat.md", "Deepgram Flux") + program("pipecat_flux.py"),
            (),
        ),
    }
    names = list(runs)
    seen: dict[str, Any] = {}
    for first in range(0, len(names), AT_ONCE):
        with ExitStack() as stack:
            processes = {
                name: stack.enter_context(client.start(text, *arguments, str(FELLOW.path)))
                for name in names[first : first + AT_ONCE]
                for client, text, arguments in (runs[name],)
            }
            seen |= {name: json.loads(printed(process)) for name, process in processes.items()}
    return seen


def infos(messages: list[Any]) -> list[Any]:
    return [message for message in messages if message["type"] == "TurnInfo"]


def ends(messages: list[Any]) -> list[Any]:
    return [info for info in infos(messages) if info["event"] == "EndOfTurn"]


def check_turns(messages: list[Any]) -> None:
    """Check what Deepgram promises of the order of turns and messages."""
    assert [message["sequence_id"] for message in messages] == list(range(len(messages)))
    assert {message["type"] for message in messages} <= {
        "Connected",
        "ConfigureSuccess",
        "TurnInfo",
        "Warning",  # a slow machine judges no turn
    }
    eager = None
    for info in infos(messages):
        match info["event"]:
            case "EagerEndOfTurn":
                eager = info["transcript"]
                assert eager
            case "TurnResumed":
                assert eager is not None
                eager = None
            case "EndOfTurn":
                assert eager in (None, info["transcript"])
                words = [word["word"] for word in info["words"]]
                assert " ".join(words) == info["transcript"]
                eager = None


def text_of(messages: list[Any]) -> str:
    return " ".join(info["transcript"] for info in ends(messages))


@pytest.mark.parametrize(
    ("name", "client", "package", "select"),
    [
        ("python", PYTHON, "deepgram-sdk", lambda told: told),
        ("python 5", PYTHON_5, "deepgram-sdk", lambda told: told),
        ("node", NODE, "@deepgram/sdk", lambda told: told["told"]),
    ],
)
def test_turns_reach_deepgrams_packages(
    told: dict[str, Any],
    scores: Scores,
    name: str,
    client: Client,
    package: str,
    select: Callable[[Any], list[Any]],
) -> None:
    messages = select(told[name])
    check_turns(messages)
    title = f"{package} {client.version(package)}"
    assert scores.add(title, "Flux", FELLOW, text_of(messages)).percent < 7
    assert infos(messages)[-1]["turn_index"] >= 0


def test_a_client_changes_the_thresholds_and_ends_the_turn_itself(told: dict[str, Any]) -> None:
    assert ends(told["python"])[-1]["trigger"] == "manual"
    success = next(each for each in told["python"] if each["type"] == "ConfigureSuccess")
    assert success["keyterms"] == ["fellow Americans"]
    assert success["thresholds"]["eot_threshold"] == 1.0


def test_a_multilingual_turn_has_its_language_and_the_stream_a_good_end(
    told: dict[str, Any],
) -> None:
    assert told["node"]["closedWith"] == 1000
    for end in ends(told["node"]["told"]):
        assert (end["languages"], end["languages_hinted"]) == (["en"], ["en", "de"])


def test_livekit_receives_speech_events_and_text(told: dict[str, Any], scores: Scores) -> None:
    events = [(kind, text) for kind, text in told["livekit"] if kind != "recognition_usage"]
    finals = " ".join(text for kind, text in events if kind == "final_transcript")
    version = AGENTS.version("livekit-plugins-deepgram")
    title = f"livekit-plugins-deepgram {version}"
    assert scores.add(title, "Flux", FELLOW, finals).percent < 7
    assert (events[0][0], events[-1][0]) == ("start_of_speech", "end_of_speech")
    assert "interim_transcript" in dict(events)


def test_livekit_for_node_receives_the_same(told: dict[str, Any], scores: Scores) -> None:
    started, interim, final, ended = range(4)  # its SpeechEventType
    events = [(kind, text) for kind, text in told["livekit, node"] if kind <= ended]
    finals = " ".join(text for kind, text in events if kind == final)
    title = (
        f"@livekit/agents-plugin-deepgram {NODE_AGENTS.version('@livekit/agents-plugin-deepgram')}"
    )
    assert scores.add(title, "Flux", FELLOW, finals).percent < 7
    assert (events[0][0], events[-1][0]) == (started, ended)
    assert interim in dict(events)


def test_pipecat_finalizes_a_turn_whose_audio_stops(told: dict[str, Any], scores: Scores) -> None:
    finals = [(text, rest) for kind, text, *rest in told["pipecat"] if kind == "final"]
    text = " ".join(text for text, _ in finals)
    title = f"pipecat-ai, Flux {PIPECAT.version('pipecat-ai')}"
    assert scores.add(title, "Flux", FELLOW, text).percent < 7
    assert all(rest == [True] for _, rest in finals)
    names = [kind for kind, *_ in told["pipecat"]]
    assert names.count("on_start_of_turn") == names.count("on_end_of_turn") == len(finals)


@pytest.mark.parametrize(
    ("client", "kind", "page_start"), [(PYTHON, "python", "Python"), (NODE, "js", "Node")]
)
def test_the_snippets_of_the_page_print_the_turn(
    server: RealServer, client: Client, kind: str, page_start: str
) -> None:
    start = server.fill(snippet("deepgram.md", page_start, kind))
    text = start + snippet("deepgram-flux.md", f"Stream turns from {page_start}", kind)
    assert client.run(text).strip() == SHORT.text
