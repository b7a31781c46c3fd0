"""A route finds its connection, if the server gives it one."""

import pytest

from auricle.server.net.peer import BODY_EXTENSION, PEER_EXTENSION, body_writer_of, peer_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("scope", [{}, {"extensions": {}}, {"extensions": {PEER_EXTENSION: {}}}])
def test_other_servers_give_no_connection(scope: dict[str, object]) -> None:
    assert peer_of(scope) is None


def test_the_connection_is_an_extension() -> None:
    peer = object()
    assert peer_of({"extensions": {PEER_EXTENSION: {"peer": peer}}}) is peer


def test_the_body_of_a_response_is_another() -> None:
    writer = object()
    assert body_writer_of({"extensions": {BODY_EXTENSION: {"writer": writer}}}) is writer
    with pytest.raises(KeyError):
        body_writer_of({"extensions": {}})
