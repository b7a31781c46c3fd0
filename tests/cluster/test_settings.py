"""Settings of gateways."""

import pytest

from auricle.cluster.settings import GatewaySettings
from auricle.config.environment import secret_variables
from auricle.config.section import variable
from auricle.config.settings import Settings

pytestmark = pytest.mark.unit


def test_recognisers_are_cut_at_commas_and_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AURICLE_ENGINE_URLS", "http://10.0.0.1:8000/, https://b.example/asr,,http://10.0.0.1:8000"
    )
    monkeypatch.setenv("AURICLE_ENGINE_KEY", "between-machines")
    engine = Settings.load().section(GatewaySettings)
    assert engine.engine_urls == ("http://10.0.0.1:8000", "https://b.example/asr")
    assert "between-machines" not in repr(engine)
    assert variable("engine_key") in secret_variables()
