import json

import pytest

from auricle.apis.asr_webservice.errors import refusal
from auricle.values.errors import BadRequest, Overloaded, Unauthorized

pytestmark = pytest.mark.unit


def test_an_error_has_detail_and_code() -> None:
    answer = refusal(BadRequest("No.", "task"))
    assert (answer.status_code, json.loads(bytes(answer.body))) == (
        400,
        {"detail": "No.", "code": "bad_request"},
    )
    assert "www-authenticate" not in answer.headers


def test_headers_that_clients_act_on_are_kept() -> None:
    assert refusal(Overloaded("Full.", 7)).headers["retry-after"] == "7"
    asking = refusal(Unauthorized("A key."), "id").headers["www-authenticate"]
    assert asking == 'Basic realm="Auricle"'
