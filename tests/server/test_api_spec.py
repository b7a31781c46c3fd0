from dataclasses import replace

import anyio
import pytest
from fastapi import APIRouter

from auricle.server.access.keyless_port import KeylessPort
from auricle.server.api_spec import ApiRoutes, ApiSpec, MountedApi, reserved_clients

pytestmark = pytest.mark.unit


async def _task() -> None:
    await anyio.sleep_forever()


PORT = KeylessPort("Toy", "toy", True, "127.0.0.1", 0, False, "toys")


def test_clients_of_ports_without_keys_have_the_name_of_the_api() -> None:
    plain = ApiSpec(name="toy", title="Toy", page="toy.md", mount=lambda server: MountedApi())
    with_port = replace(plain, name="phone", ports=(lambda settings: PORT,))
    assert reserved_clients([plain, with_port]) == {"anonymous", "phone"}
    assert reserved_clients(()) == {"anonymous"}


def test_an_api_needs_a_name_and_routes_only() -> None:
    spec = ApiSpec(name="toy", title="Toy", page="toy.md", mount=lambda server: MountedApi())
    optional = (spec.ports, spec.sources, spec.products, spec.followers, spec.client_checks())
    assert not any((*optional, spec.job_answers(), spec.result_keepers))


def test_routes_without_a_heading_have_the_title_of_their_api() -> None:
    router = APIRouter()
    mounted = MountedApi(routes=(ApiRoutes(router), ApiRoutes(router, tag="Tokens")))
    assert [routes.tag for routes in mounted.titled("Toy").routes] == ["Toy", "Tokens"]


def test_apis_are_mounted_together() -> None:
    first = MountedApi(max_message_bytes={"/a": 1}, exposed_headers=("a",), tasks=(_task,))
    second = MountedApi(max_message_bytes={"/b": 2}, routes=(ApiRoutes(APIRouter()),))
    both = MountedApi.all_of([first, second])
    assert both.max_message_bytes == {"/a": 1, "/b": 2}
    assert (list(both.exposed_headers), len(both.routes)) == (["a"], 1)
    assert list(both.tasks) == [_task]
