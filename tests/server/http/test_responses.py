import json

import pytest

from auricle.server.http.responses import json_response

pytestmark = pytest.mark.unit


def test_a_response_is_json_with_its_status() -> None:
    response = json_response({"a": 1}, 202, {"location": "/jobs/1"})
    assert (response.status_code, response.headers["location"]) == (202, "/jobs/1")
    assert response.media_type == "application/json"
    assert json.loads(bytes(response.body)) == {"a": 1}
