import json

import pytest

from auricle.server.request import AUDIO_FORMATS, Fields
from tests.fakes.service import InProcess

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("POST", "/utterance/", 404, "not_found"),
        ("GET", "/docs", 404, "not_found"),
        ("GET", "/redoc", 404, "not_found"),
        ("GET", "/utterance", 405, "bad_request"),
        ("POST", "/livez", 405, "bad_request"),
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
    assert properties["audio_format"]["enum"] == list(AUDIO_FORMATS)
    assert {found["name"] for found in post["parameters"]} == {"wait", *Fields.__struct_fields__}
    assert {"200", "202", "400", "401", "413", "415", "422", "503", "504"} <= set(post["responses"])
    assert {"/jobs/{job_id}", "/livez", "/readyz", "/health", "/metrics"} <= set(document["paths"])


def test_the_document_leads_nowhere_else(service: InProcess) -> None:
    assert "http" not in json.dumps(service.client.get("/openapi.json").json())
