"""The folder of the pages: without it, the rest of the server is the same."""

from pathlib import Path

import pytest

import tests.support.service as fakes
from auricle.apis.pages.spec import SPEC
from auricle.apis.registry import find_apis
from tests.support.service import InProcess, in_process

pytestmark = pytest.mark.server


def test_without_the_folder_nothing_is_at_its_paths(
    service: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest = tuple(api for api in find_apis() if api.name != SPEC.name)
    monkeypatch.setattr(fakes, "installed_apis", lambda: rest)
    browser = {"accept": "text/html"}
    with in_process(tmp_path) as without:
        for path in ("/", "/status", "/reader", "/assets/index.js", "/docs", "/docs/index.html"):
            answer = without.client.get(path, headers=browser, follow_redirects=False)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found"), path
        described = without.client.get("/openapi.json").json()
        assert without.client.get("/health").status_code == 200
    whole = service.client.get("/openapi.json").json()
    del whole["paths"]["/health/history"]
    assert described == whole
