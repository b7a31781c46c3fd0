"""Third-party clients choose between two models of one server."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.environment import Client, printed, program
from tests.clients.server import RealServer, real_server
from tests.support.clips import CLIPS

pytestmark = [pytest.mark.model, pytest.mark.outside]

FELLOW = CLIPS["fellow.wav"]
MODELS = ("whisper-base", "other")
SCRIPTED = re.compile(r"\d+ \d+( \d+ \d+)*")
"""What the made-up model transcribes: numbers for each stretch of speech."""
NAMES = "This server has no such model; its models are: whisper-base, other."


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    with real_server(
        tmp_path_factory.mktemp("two"),
        models="whisper-base, other=tests.support.scripted_engine",
        wyoming=1,
        wyoming_port=0,
        workers=1,
    ) as started:
        yield started


def run(client: str, name: str, *arguments: str) -> dict[str, Any]:
    with Client(client).start(program(name), *arguments) as process:
        seen: dict[str, Any] = json.loads(printed(process))
    return seen


def assert_texts(texts: dict[str, str]) -> None:
    assert "country can do for you" in texts["whisper-base"].lower()
    assert SCRIPTED.fullmatch(texts["other"])


def test_openais_package(two: RealServer) -> None:
    seen = run(
        "client-openai", "openai_model.py", f"{two.url}/v1", two.key, str(FELLOW.path), *MODELS
    )
    assert seen["listed"] == [*MODELS]
    assert seen["retrieved"] == "other"
    assert seen["unknown"] == ["model_not_found", "model", NAMES]
    assert_texts(seen["texts"])
    assert_texts(seen["live"])
    assert seen["live"]["large-v3"] == "model_not_found"


def test_deepgrams_sdk(two: RealServer) -> None:
    arguments = (two.address, two.key, str(FELLOW.path), *MODELS)
    seen = run("client-deepgram", "deepgram_model.py", *arguments)
    for way in ("files", "live"):
        assert {model: used for model, (used, _) in seen[way].items()} == {m: m for m in MODELS}
        assert_texts({model: text for model, (_, text) in seen[way].items()})
    assert seen["listed"] == [*MODELS]
    assert seen["got"] == "other"
    assert seen["unknown"] == seen["unknown, live"] == [404, "model_not_found"]


def test_the_package_of_home_assistant(two: RealServer) -> None:
    found = re.search(r'"port": (\d+), "event": "wyoming_started"', two.command.stderr)
    assert found
    arguments = ("127.0.0.1", found[1], str(FELLOW.path), *MODELS)
    seen = run("client-wyoming", "wyoming_model.py", *arguments)
    assert seen["described"] == [*MODELS]
    assert_texts(seen["texts"])
    assert seen["texts"]["large-v3"] == "model_not_found"
