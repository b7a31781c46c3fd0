"""A route finds its connection, if the server gives it one."""

import pytest

from auricle.server.net.peer import PEER_EXTENSION, peer_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("scope", [{}, {"extensions": {}}, {"extensions": {PEER_EXTENSION: {}}}])
def test_other_servers_give_no_connection(scope: dict[str, object]) -> None:
    assert peer_of(scope) is None


def test_the_connection_is_an_extension() -> None:
    peer = object()
    assert peer_of({"extensions": {PEER_EXTENSION: {"peer": peer}}}) is peer
