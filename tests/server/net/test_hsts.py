"""When browsers are required to use https only."""

from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.service import live

pytestmark = pytest.mark.server

HTTPS = {"x-forwarded-proto": "https"}


async def header(tmp_path: Path, headers: dict[str, str], **settings: Any) -> str | None:
    async with live(tmp_path, **settings) as service, httpx2.AsyncClient() as client:
        url = f"http://127.0.0.1:{service.port}"
        answer = await client.get(f"{url}/", headers=headers)
        refused = await client.post(f"{url}/utterance", headers=headers)
        found = answer.headers.get("strict-transport-security")
        assert refused.headers.get("strict-transport-security") == found
        return str(found) if found else None


async def test_it_is_sent_only_if_configured(tmp_path: Path) -> None:
    assert await header(tmp_path, HTTPS, trusted_proxies="127.0.0.1") is None


async def test_it_is_reported_over_tls_only(tmp_path: Path) -> None:
    year: dict[str, Any] = {"hsts_s": 31536000, "trusted_proxies": "127.0.0.1"}
    assert await header(tmp_path, HTTPS, **year) == "max-age=31536000"
    assert await header(tmp_path, {}, **year) is None
    assert await header(tmp_path, {"x-forwarded-proto": "http"}, **year) is None


async def test_an_unauthenticated_client_can_not_trigger_it(tmp_path: Path) -> None:
    assert await header(tmp_path, HTTPS, hsts_s=300) is None
