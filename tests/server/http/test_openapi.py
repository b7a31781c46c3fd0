"""Parts of the OpenAPI document that many routes share."""

from typing import Any

import pytest

from auricle.server.http.openapi import NATIVE_ERROR, complete, refusals

pytestmark = pytest.mark.unit


def test_common_errors_are_listed_with_a_routes_own() -> None:
    assert list(refusals(NATIVE_ERROR, 404)) == [404, 421, 429, 500, 503]


@pytest.mark.parametrize("has_keys", [True, False])
def test_a_key_is_required_where_401_is_possible(has_keys: bool) -> None:
    invalid = {"content": {"$ref": "#/components/schemas/HTTPValidationError"}}
    document: dict[str, Any] = {
        "paths": {
            "/jobs": {"get": {"responses": {"200": {}, "401": {}, "422": invalid}}},
            "/health": {"get": {"responses": {"200": {}}}},
        }
    }
    document = complete(document, has_keys=has_keys)
    jobs, health = (document["paths"][path]["get"] for path in ("/jobs", "/health"))
    assert "422" not in jobs["responses"]
    assert ("security" in jobs) is has_keys
    assert "security" not in health
    assert bool(document["components"]) is has_keys
