import pytest

from auricle.apis.registry import find_apis
from auricle.server.api_spec import ApiSpec, MountedApi, reserved_clients

pytestmark = pytest.mark.unit


def test_clients_of_ports_without_keys_have_the_name_of_the_api() -> None:
    assert reserved_clients(find_apis()) == {"anonymous", "vosk", "wyoming"}
    assert reserved_clients(()) == {"anonymous"}


def test_an_api_needs_a_name_and_routes_only() -> None:
    spec = ApiSpec(name="toy", title="Toy", page="toy.md", mount=lambda server: MountedApi())
    optional = (spec.ports, spec.sources, spec.products, spec.followers, spec.client_checks())
    assert not any(optional)
