from pathlib import Path

import pytest

from tests.support.service import in_process

pytestmark = pytest.mark.server

PROGRAM, BROWSER = {"Accept": "*/*"}, {"Accept": "text/html,*/*;q=0.8"}


def test_bazarr_s_connection_test_finds_a_version(tmp_path: Path) -> None:
    with in_process(tmp_path, asr_webservice=True) as service:
        answer = service.client.get("/status", headers=PROGRAM)
        assert answer.json()["version"].startswith("Auricle ")
        assert answer.headers["vary"] == "accept"
        page = service.client.get("/status", headers=BROWSER)
        assert page.headers["content-type"].startswith("text/html")


def test_without_the_api_all_get_the_page(tmp_path: Path) -> None:
    with in_process(tmp_path) as service:
        for headers in (PROGRAM, BROWSER):
            page = service.client.get("/status", headers=headers)
            assert page.headers["content-type"].startswith("text/html")
