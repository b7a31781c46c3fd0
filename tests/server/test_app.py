import json
from pathlib import Path

import pytest

from auricle.server.uploads.params import Fields
from auricle.values.audio_formats import FORMAT_OPTIONS
from tests.support.service import InProcess, in_process, keys

pytestmark = pytest.mark.server


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("POST", "/utterance//", 404, "not_found"),
        ("GET", "/jobs//", 404, "not_found"),
        ("GET", "/redoc", 404, "not_found"),
        ("GET", "/utterance", 405, "method_not_allowed"),
        ("POST", "/livez", 405, "method_not_allowed"),
    ],
)
def test_what_is_not_there_is_answered_in_our_shape(
    service: InProcess, method: str, path: str, status: int, code: str
) -> None:
    answer = service.client.request(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    if status == 405:
        assert answer.headers["allow"]


def test_the_document_describes_both_bodies_and_every_field(service: InProcess) -> None:
    document = service.client.get("/openapi.json").json()
    post = document["paths"]["/utterance"]["post"]
    content = post["requestBody"]["content"]
    assert set(content) == {"application/json", "audio/*", "application/octet-stream"}
    properties = content["application/json"]["schema"]["properties"]
    assert set(properties) == {"audio", *Fields.__struct_fields__}
    assert properties["audio_format"]["enum"] == list(FORMAT_OPTIONS)
    assert {parameter["name"] for parameter in post["parameters"]} == {
        "wait",
        *Fields.__struct_fields__,
    }
    assert {"200", "202", "400", "401", "413", "415", "422", "503", "504"} <= set(post["responses"])
    assert {"/jobs/{job_id}", "/livez", "/readyz", "/health", "/metrics"} <= set(document["paths"])


def test_the_document_leads_nowhere_else(service: InProcess) -> None:
    assert "://" not in json.dumps(service.client.get("/openapi.json").json())


def test_the_document_lists_exactly_the_possible_errors(
    service: InProcess,
) -> None:
    document = service.client.get("/openapi.json").json()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            refused = {status for status in operation["responses"] if status >= "400"}
            assert refused >= {"421", "429", "500", "503"}, path
            assert "security" not in operation, path
    assert "422" not in document["paths"]["/jobs/{job_id}"]["get"]["responses"]


def test_the_document_says_where_a_key_is_required(tmp_path: Path) -> None:
    with in_process(tmp_path, api_keys=keys("alice:secret")) as service:
        document = service.client.get("/openapi.json").json()
    assert set(document["components"]["securitySchemes"]) == {"key"}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert ("security" in operation) == ("401" in operation["responses"]), path
    assert "security" in document["paths"]["/utterance"]["post"]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/auth/token", "ttl_s"),
        ("/v1/auth/grant", "ttl_seconds"),
        ("/v1/realtime/client_secrets", "expires_after"),
        ("/v1/realtime/transcription_sessions", "client_secret"),
    ],
)
def test_the_document_describes_what_may_be_posted(
    service: InProcess, path: str, field: str
) -> None:
    post = service.client.get("/openapi.json").json()["paths"][path]["post"]
    assert field in post["requestBody"]["content"]["application/json"]["schema"]["properties"]


def test_every_parameter_is_described(service: InProcess) -> None:
    paths = service.client.get("/openapi.json").json()["paths"]
    undescribed = [
        (path, parameter["name"])
        for path, operations in paths.items()
        for operation in operations.values()
        for parameter in operation.get("parameters", ())
        if not parameter.get("description")
    ]
    assert undescribed == []
