"""``/v1/models``: what is listed, and what a name means."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from auricle.config.sections.ledger import LedgerSettings
from auricle.config.sections.model import ModelSettings
from auricle.ledger.databases.database import no_step
from auricle.server.api_spec import ApiSpec
from auricle.server.app import create_app
from auricle.server.result_keepers import ResultKeeper
from tests.support.service import InProcess, in_process

pytestmark = pytest.mark.server

OPENAI = ["whisper-1", "gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe"]


def test_models_come_first_and_then_names_that_mean_one_of_them(tmp_path: Path) -> None:
    aliases = ModelSettings(model_aliases=("fast=tiny", "whisper-1=tiny"))
    two = ("whisper-base", "tiny=moonshine")
    with in_process(tmp_path, model=aliases, models=two) as service:
        listed = service.client.get("/v1/models").json()
        assert listed["object"] == "list"
        assert service.client.get("/v1/models/").json() == listed
        base, tiny, *others = listed["data"]
        assert (base["id"], base["root"], base["owned_by"]) == ("whisper-base",) * 2 + ("OpenAI",)
        assert (base["translates"], base["word_times"]) == (True, True)
        assert "fr" in base["languages"]
        assert tiny["created"] > 1_700_000_000
        assert {**tiny, "created": 0} == {
            "id": "tiny",
            "object": "model",
            "created": 0,
            "owned_by": "Moonshine AI",
            "root": "tiny",
            "engine": "Moonshine",
            "languages": ["en"],
            "detects_language": False,
            "translates": False,
            "word_times": False,
            "streaming": tiny["streaming"],
            "loaded": True,
        }
        assert [other["id"] for other in others][:5] == ["fast", *OPENAI]
        assert [other["root"] for other in others][:3] == ["tiny", "tiny", "whisper-base"]


def test_the_list_says_where_speech_and_text_go(service: InProcess) -> None:
    def flow_of(**parts: Any) -> object:
        app = create_app(replace(service.state, **parts))
        return TestClient(app, base_url="http://127.0.0.1").get("/v1/models").json()["data_flow"]

    assert flow_of() == {
        "recognition": "server",
        "job_audio": "server",
        "database": "server",
        "keeps_transcripts": False,
    }
    ledger = LedgerSettings(
        audio_url="s3://audio/jobs",
        database_url=SecretStr("postgresql://database/auricle"),
    )
    keeper = ResultKeeper(True, "", dict, lambda *_: no_step)
    elsewhere = flow_of(
        recognition=replace(service.state.recognition, has_remote_recognisers=True),
        settings=replace(service.state.settings, ledger=ledger),
        jobs=replace(service.state.jobs, result_keepers=[keeper]),
    )
    assert elsewhere == {
        "recognition": "recognisers",
        "job_audio": "s3",
        "database": "postgresql",
        "keeps_transcripts": True,
    }


def test_the_list_names_the_apis_that_the_server_has(service: InProcess) -> None:
    def apis_of(apis: Sequence[ApiSpec]) -> object:
        app = create_app(replace(service.state, apis=apis))
        return TestClient(app, base_url="http://127.0.0.1").get("/v1/models").json()["apis"]

    installed = service.state.apis
    assert apis_of(installed) == sorted(api.name for api in installed)
    assert apis_of([api for api in installed if api.name == "openai"]) == ["openai"]


def test_a_name_is_that_of_the_model_which_it_means(tmp_path: Path) -> None:
    with in_process(tmp_path, models=("whisper-base", "tiny=moonshine")) as service:
        found = service.client.get("/v1/models/Systran/faster-whisper-base").json()
        assert (found["id"], found["root"]) == ("Systran/faster-whisper-base", "whisper-base")
        missing = service.client.get("/v1/models/large-v3")
        assert missing.status_code == 404
        assert missing.json()["error"]["code"] == "model_not_found"
        assert missing.json()["error"]["param"] == "model"


def test_an_only_model_is_listed_under_its_usual_name(tmp_path: Path) -> None:
    with in_process(tmp_path) as service:
        names = [model["id"] for model in service.client.get("/v1/models").json()["data"]]
        assert names[:5] == ["whisper-base", *OPENAI]
        assert service.client.get("/v1/models/anything").json()["root"] == "whisper-base"
