from pathlib import Path

import pytest

from auricle.config.settings import Settings
from auricle.values.errors import SetupError
from auricle.workers.kinds.speakers.settings import SpeakerSettings
from auricle.workers.kinds.speakers.spec import SPEC

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("workers", [0, 1])
def test_the_model_is_checked_before_others_are_fetched(tmp_path: Path, workers: int) -> None:
    missing = SpeakerSettings(speaker_workers=workers, speaker_model=tmp_path / "missing.onnx")
    if workers:
        with pytest.raises(SetupError, match="missing"):
            SPEC.check(Settings().with_section(missing))
    else:
        SPEC.check(Settings().with_section(missing))
