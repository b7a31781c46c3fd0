"""Who can reach the server's port."""

import socket
from pathlib import Path

import pytest

from auricle.config.sections.server import ServerSettings
from auricle.server.access.exposure import check_exposure, is_exposed, is_loopback
from auricle.values.errors import SetupError
from tests.support.service import keys

pytestmark = pytest.mark.server


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_keys(host: str) -> None:
    if host == "::1" and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    check_exposure(ServerSettings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", ""])
def test_any_other_address_needs_keys(host: str) -> None:
    with pytest.raises(SetupError, match="AURICLE_API_KEYS"):
        check_exposure(ServerSettings(host=host))
    check_exposure(ServerSettings(host=host, api_keys=keys("k")))
    check_exposure(ServerSettings(host=host, keys_file=Path("keys")))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", ""])
def test_it_listens_anywhere_without_keys_if_the_operator_insists(host: str) -> None:
    with pytest.raises(SetupError, match="--insecure-no-auth"):
        check_exposure(ServerSettings(host=host))
    settings = ServerSettings(host=host, insecure_no_auth=True)
    check_exposure(settings)
    assert is_exposed(settings)
    assert not is_exposed(ServerSettings(host=host, insecure_no_auth=True, api_keys=keys("k")))
    assert not is_exposed(ServerSettings(insecure_no_auth=True))


def test_a_host_that_is_no_host_is_a_setup_error() -> None:
    with pytest.raises(SetupError, match="AURICLE_HOST"):
        is_loopback("no such host")
