"""What the command says about servers that a program can't use."""

import socket
import ssl
from dataclasses import replace

import pytest

from auricle.apis.openai.client_check import LIBRECHAT, N8N
from auricle.cli.doctor.client.failure import (
    expected_url,
    ignored_options,
    refusal,
    reported_error,
    unreachable,
)
from auricle.cli.support.finding import Level
from auricle.protocol.client_profile import ClientProfile

pytestmark = pytest.mark.unit

URL = "http://server:6007/v1"
OTHER_FIELDS = replace(N8N, error_fields=("err_code", "err_msg"))


def advice(status: int, body: bytes = b"", url: str = URL) -> str:
    found = refusal(N8N, url, "POST", status, body)
    assert found.level is Level.WRONG
    return found.advice


def test_the_path_is_the_program_s_and_the_host_is_the_user_s() -> None:
    assert expected_url(N8N, "https://server") == "https://server/v1"
    assert expected_url(LIBRECHAT, URL) == "http://server:6007/v1/audio/transcriptions"


def test_a_wrong_path_is_corrected() -> None:
    assert "Enter the URL http://server:6007/v1 in n8n." in advice(404, url="http://server:6007")
    assert "does not serve this path" in advice(404)


def test_a_missing_key_names_the_variable() -> None:
    assert "AURICLE_API_KEY" in advice(401)


def test_an_unknown_model_is_not_a_wrong_path() -> None:
    body = b'{"error": {"message": "Its models are: tiny.", "code": "model_not_found"}}'
    assert "AURICLE_UNKNOWN_MODELS=default" in advice(404, body)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_server_that_is_busy_or_away(status: int) -> None:
    assert advice(status)


@pytest.mark.parametrize(
    ("profile", "body", "reported"),
    [
        (N8N, b'{"error": {"code": "a", "message": "b"}}', ("a", "b")),
        (N8N, b'{"code": "a", "message": "b"}', ("a", "b")),
        (OTHER_FIELDS, b'{"err_code": "a", "err_msg": "b"}', ("a", "b")),
        (N8N, b'{"error": {"code": null}}', ("", "")),
        (N8N, b'{"error": "text"}', ("", "")),
        (N8N, b"<html>", ("", "")),
    ],
)
def test_errors_of_the_program_s_api_are_read(
    profile: ClientProfile, body: bytes, reported: tuple[str, str]
) -> None:
    assert reported_error(profile, body) == reported


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionRefusedError(), "auricle serve"),
        (socket.gaierror(), "Check the host name"),
        (TimeoutError(), "firewalls"),
    ],
)
def test_a_server_that_does_not_answer(error: Exception, text: str) -> None:
    found = unreachable(N8N, URL, error)
    assert found.level is Level.WRONG
    assert text in found.advice


def test_the_scheme_is_corrected() -> None:
    assert "https://server:6007/v1 in" in unreachable(N8N, URL, OSError(), uses_tls=True).advice
    plain = unreachable(N8N, "https://server:6007/v1", ssl.SSLError())
    assert f"Enter the URL {URL} in n8n." in plain.advice


def test_options_without_effect_are_shown() -> None:
    found = ignored_options({"x-auricle-warnings": "seed has no effect."})
    assert found
    assert found.text == "seed has no effect."
    assert ignored_options({}) is None
