"""Deepgram's form of ``/v1/models``, and who gets it."""

from pathlib import Path

import pytest

from auricle.config.sections.model import ModelSettings
from tests.support.service import in_process, keys

pytestmark = pytest.mark.server

PYTHON_AGENT, NODE_AGENT = "deepgram-sdk/7.17.0", "@deepgram/sdk/5.0.0"


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Token secret"},
        {"authorization": "token secret"},
        {"authorization": "Bearer secret", "user-agent": PYTHON_AGENT},
        {"authorization": "Bearer secret", "user-agent": NODE_AGENT},
    ],
)
def test_deepgram_s_clients_get_deepgram_s_list(tmp_path: Path, headers: dict[str, str]) -> None:
    aliases = ModelSettings(model_aliases=("fast=tiny",))
    two = ("whisper-base", "tiny=moonshine")
    with in_process(tmp_path, model=aliases, models=two, api_keys=keys("alice:secret")) as service:
        listed = service.client.get("/v1/models", headers=headers).json()
        assert set(listed) == {"stt", "tts"}
        base, tiny, fast = listed["stt"]
        assert [each["canonical_name"] for each in (base, tiny, fast)] == [
            "whisper-base",
            "tiny",
            "fast",
        ]
        assert (tiny["architecture"], tiny["languages"]) == ("Moonshine", ["en"])
        assert base["batch"] is base["streaming"] is base["formatted_output"] is True
        for name in (tiny["uuid"], "tiny"):
            assert service.client.get(f"/v1/models/{name}", headers=headers).json() == tiny
        assert len({each["uuid"] for each in listed["stt"]}) == 3
        assert listed["tts"] == []


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer secret"}])
def test_all_others_get_openai_s_list(tmp_path: Path, headers: dict[str, str]) -> None:
    with in_process(tmp_path) as service:
        assert service.client.get("/v1/models", headers=headers).json()["object"] == "list"


def test_the_document_describes_both_forms(tmp_path: Path) -> None:
    with in_process(tmp_path) as service:
        paths = service.client.get("/openapi.json").json()["paths"]
    fields = {"/v1/models": ("object", "stt"), "/v1/models/{name}": ("object", "uuid")}
    for path, (of_openai, of_deepgram) in fields.items():
        response = paths[path]["get"]["responses"]["200"]
        openai, deepgram = response["content"]["application/json"]["schema"]["anyOf"]
        assert of_openai in openai["properties"]
        assert of_deepgram in deepgram["properties"]
        assert "Deepgram" in response["description"]
