"""``auricle models``: named models, and which are on this machine."""

from pathlib import Path

import pytest

from auricle.engine.whisper.models.fetch import known_models
from tests.cli.conftest import Run

pytestmark = pytest.mark.unit


def test_every_model_has_a_line(
    auricle: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURICLE_CACHE_DIR", str(tmp_path))
    header, *lines = auricle("models").stdout.splitlines()
    assert header.split() == ["name", "from", "MB", "here"]
    expected = [
        [model.name, model.source, str(model.size_mb), "yes" if model.is_local else "no"]
        for model in known_models(tmp_path)
    ]
    assert [line.split() for line in lines] == expected
