"""Requests that are repeated, with a scripted server."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from auricle.client.api.audio import open_audio
from auricle.client.api.calls import create_job, delete_job, get_job
from auricle.client.api.connection import Connection
from auricle.values.errors import BadRequest, NotFound, Overloaded, Unreachable
from tests.support.job_server import ACCEPTED, DONE, FORGOTTEN, FULL, LOST, RUNNING, ScriptedServer

pytestmark = pytest.mark.process


@contextmanager
def connected(server: ScriptedServer, patience_s: float = 60) -> Iterator[Connection]:
    connection = Connection(server.url, "secret", timeout_s=60, patience_s=patience_s)
    yield connection
    connection.close()


def test_a_busy_server_is_asked_again(server: ScriptedServer) -> None:
    server.jobs = [FULL, FULL, DONE]
    with connected(server) as connection:
        assert (connection.send(get_job("a"))).state == "done"
    assert server.requests == ["GET /jobs/a"] * 3


def test_the_patience_has_an_end(server: ScriptedServer) -> None:
    server.jobs = [FULL]
    with connected(server, patience_s=0) as connection:
        with pytest.raises(Overloaded):
            connection.send(get_job("a"))
        with pytest.raises(Unreachable):  # the port belongs to no server
            Connection("http://127.0.0.1:1", None, timeout_s=60, patience_s=60).send(get_job("a"))


def test_a_lost_response_is_requested_again_where_that_is_safe(
    server: ScriptedServer,
) -> None:
    with connected(server) as connection:
        connection.send(get_job("a"))
        server.jobs, server.deletions = [LOST, RUNNING], [LOST]
        assert (connection.send(get_job("a"))).state == "running"
        with pytest.raises(Unreachable):
            connection.send(delete_job("a"))


def test_a_refusal_that_was_lost_with_an_upload_is_asked_for(
    server: ScriptedServer,
) -> None:
    refusal = (400, {"error": {"code": "bad_request", "message": "No."}})
    empty = (400, {"error": {"code": "empty_audio", "message": "It is empty."}})
    upload = create_job(open_audio(b"speech"), "a", {})
    with connected(server) as connection:
        server.uploads = [LOST, refusal]
        with pytest.raises(BadRequest):
            connection.send(upload)
        server.uploads = [LOST, empty, ACCEPTED]
        assert (connection.send(upload)).state == "queued"
    assert server.received == [b"speech", b"", b"speech", b"", b"speech"]


def test_lines_of_a_response_are_passed_on(server: ScriptedServer) -> None:
    server.jobs = [(200, b"data: 1\n\n: 2\n"), FORGOTTEN]
    with connected(server) as connection:
        assert list(connection.lines("/jobs/a/events")) == ["data: 1", "", ": 2"]
        with pytest.raises(NotFound):
            list(connection.lines("/jobs/a/events"))
