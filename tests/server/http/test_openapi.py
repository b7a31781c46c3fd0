"""Parts of the OpenAPI document that many routes share."""

from typing import Annotated, Any

import msgspec
import pytest

from auricle.server.http.openapi import (
    complete,
    query_parameters,
    refusals,
    schema_of,
    server_sent_events,
)

pytestmark = pytest.mark.unit


class Inner(msgspec.Struct):
    text: str


class Outer(msgspec.Struct):
    inner: Inner
    count: Annotated[int, msgspec.Meta(ge=1, description="How many.")] = 1


class Query(msgspec.Struct):
    count: Annotated[int, msgspec.Meta(ge=1, description="How many.")] = 1


def test_common_errors_are_listed_with_a_routes_own() -> None:
    assert list(refusals(Inner, 404)) == [404, 421, 429, 500, 503]


def test_schemas_of_parts_are_in_place() -> None:
    schema = schema_of(Outer)
    assert schema["properties"]["inner"]["properties"]["text"] == {"type": "string"}
    assert "$ref" not in str(schema)


def test_an_event_has_json_of_the_shape_as_its_data() -> None:
    event = server_sent_events(Inner)["text/event-stream"]["schema"]
    assert event["required"] == ["data"]
    assert event["properties"]["data"]["contentSchema"] == schema_of(Inner)


def test_a_query_has_a_parameter_for_each_field() -> None:
    (parameter,) = query_parameters(Query)
    assert (parameter["name"], parameter["in"]) == ("count", "query")
    assert parameter["description"] == "How many."
    assert parameter["schema"]["minimum"] == 1


def test_a_parameter_in_a_path_is_described_once() -> None:
    schema = {"type": "string", "title": "Any Name", "description": "Which one."}
    described = {"in": "path", "name": "any_name", "description": "Which one.", "schema": schema}
    bare = {"in": "path", "name": "other", "schema": {"type": "string"}}
    operation = {"responses": {}, "parameters": [described, bare]}
    complete({"paths": {"/x/{any_name}/{other}": {"get": operation}}}, has_keys=False)
    assert described["description"] == "Which one."
    assert described["schema"] == {"type": "string", "title": "Any Name"}
    assert bare == {"in": "path", "name": "other", "schema": {"type": "string"}}


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
    assert "431" in jobs["responses"]
    assert "431" in health["responses"]
    assert ("securitySchemes" in document["components"]) is has_keys


def test_equal_errors_are_described_once() -> None:
    found, other = ({"description": "Not found.", "x": x} for x in (1, 2))
    answers: list[dict[str, Any]] = [
        {"200": {"description": "A job."}, "404": dict(found)},
        {"404": dict(reversed(found.items()))},
        {"404": other},
    ]
    paths = {f"/{n}": {"get": {"responses": each}} for n, each in enumerate(answers)}
    document = complete({"paths": paths}, has_keys=False)
    assert answers[0]["200"] == {"description": "A job."}
    assert answers[0]["404"] == answers[1]["404"] != answers[2]["404"]
    _, _, kind, name = answers[2]["404"]["$ref"].split("/")
    assert document["components"][kind][name] == other
