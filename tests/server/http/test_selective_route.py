from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from auricle.server.http.openapi import answer
from auricle.server.http.selective_route import SelectiveRoute, add_alternatives, is_selective

pytestmark = pytest.mark.unit


class OfRobots(SelectiveRoute):
    def accepts(self, headers: Headers) -> bool:
        return headers.get("user-agent") == "robot"


def toys() -> tuple[APIRouter, APIRouter]:
    """Return routers with the same path: for robots, and for all others."""
    selective, general = APIRouter(route_class=OfRobots), APIRouter()

    @selective.get("/toys/{name}", responses={200: answer("Robots get an array.", list[int])})
    async def for_robots(name: str) -> dict[str, str]:
        return {"robot": name}

    @general.get("/toys/{name}", responses={200: answer("A toy.", dict[str, str])})
    async def for_others(name: str) -> dict[str, str]:
        return {"other": name}

    return selective, general


def test_a_request_gets_the_route_of_its_client() -> None:
    app = FastAPI()
    for router in toys():
        app.include_router(router)
    client = TestClient(app)
    assert client.get("/toys/a", headers={"user-agent": "robot"}).json() == {"robot": "a"}
    assert client.get("/toys/a").json() == {"other": "a"}
    assert client.post("/toys/a").status_code == 405


def test_the_document_has_both_answers() -> None:
    selective, general = toys()
    assert (is_selective(selective), is_selective(general)) == (True, False)
    app = FastAPI()
    app.include_router(selective, include_in_schema=False)
    app.include_router(general)
    document: dict[str, Any] = app.openapi()
    add_alternatives(document, [selective])
    response = document["paths"]["/toys/{name}"]["get"]["responses"]["200"]
    assert response["description"] == "A toy. Robots get an array."
    of_others, of_robots = response["content"]["application/json"]["schema"]["anyOf"]
    assert (of_others["type"], of_robots["type"]) == ("object", "array")
