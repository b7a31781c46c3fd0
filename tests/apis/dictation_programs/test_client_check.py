"""Dictation programs and plug-ins of editors: each request, with a real server."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from auricle.apis.dictation_programs.client_check import (
    CLIENTS,
    OBSIDIAN_WHISPER,
    TYPEWHISPER_WINDOWS,
)
from auricle.cli.doctor.client.upload import build_request, encode_form
from auricle.protocol.client_profile import ClientProfile, Upload
from tests.support.command import LIMIT_S
from tests.support.doctor import doctor, served

pytestmark = pytest.mark.process

ORIGINS = ",".join(profile.origin for profile in CLIENTS if profile.origin)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("server"), allowed_origins=ORIGINS) as (_, url):
        yield url


@pytest.mark.parametrize("profile", CLIENTS, ids=lambda profile: profile.name)
def test_each_request_is_answered_with_text(
    url: str, tmp_path: Path, profile: ClientProfile
) -> None:
    done = doctor(tmp_path, profile.name, profile.url.replace("http://127.0.0.1:6007", url))
    assert f"POST {url}/v1/audio/transcriptions: HTTP 200" in done.stdout
    assert "word errors" in done.stdout  # of a scripted engine
    assert "options" not in done.stdout  # none was ignored


@pytest.mark.parametrize("origin", ORIGINS.split(","))
def test_a_page_may_send_its_key(url: str, origin: str) -> None:
    asked = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
    }
    answer = httpx2.options(f"{url}/v1/audio/transcriptions", headers=asked, timeout=LIMIT_S)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-headers"] == "authorization"


def test_the_origin_of_a_page_must_be_allowed(tmp_path: Path) -> None:
    with served(tmp_path / "server") as (_, url):
        done = doctor(tmp_path, OBSIDIAN_WHISPER.name, f"{url}/v1/audio/transcriptions")
    assert "HTTP 403" in done.stdout
    assert "AURICLE_ALLOWED_ORIGINS=app://obsidian.md" in done.stdout


def test_names_may_have_no_quotes_and_the_boundary_some() -> None:
    assert isinstance(TYPEWHISPER_WINDOWS.traffic, Upload)
    form = TYPEWHISPER_WINDOWS.traffic.form
    assert encode_form(form, b"pcm", "B") == (
        b"--B\r\nContent-Type: audio/wav\r\n"
        b"Content-Disposition: form-data; name=file; filename=audio.wav; "
        b"filename*=utf-8''audio.wav\r\n\r\npcm\r\n"
        b"--B\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Disposition: form-data; name=model\r\n\r\nwhisper-1\r\n"
        b"--B\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Disposition: form-data; name=response_format\r\n\r\nverbose_json\r\n--B--\r\n"
    )
    request = build_request("POST", "http://server/x", form, b"pcm", {})
    assert re.fullmatch(
        'multipart/form-data; boundary="[0-9a-f]+"', request.headers["content-type"]
    )
