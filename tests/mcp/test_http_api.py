"""Whether a server has ``/mcp``."""

from pathlib import Path

import pytest

from auricle.apis.registry import find_apis
from auricle.mcp.http_api import API
from auricle.values.errors import SetupError
from tests.support.service import in_process

pytestmark = pytest.mark.server


def test_it_is_off_by_default(tmp_path: Path) -> None:
    with in_process(tmp_path / "spool") as service:
        assert service.client.post("/mcp").status_code == 404
        assert "/mcp" not in service.app.openapi()["paths"]
    assert API in find_apis()


def test_a_missing_package_is_named_at_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auricle.mcp.http_api.find_spec", lambda name: None)
    with (
        pytest.raises(SetupError, match="AURICLE_MCP requires mcp. Run: pip install"),
        in_process(tmp_path / "spool", mcp=True),
    ):
        pass
