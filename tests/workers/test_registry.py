"""Optional kinds are found by their folders; one that is missing is absent."""

from pathlib import Path

import pytest

import auricle.workers.kinds
from auricle.config.settings import Settings
from auricle.engines.models import ModelTable
from auricle.workers.poison import CrashBudget
from auricle.workers.registry import find_kinds, open_workers
from auricle.workers.spec import PoolContext

FOLDERS = Path(auricle.workers.kinds.__file__).parent


def context(settings: Settings) -> PoolContext:
    def warn(event: str, sentence: str) -> None:
        raise AssertionError(event)

    return PoolContext(
        settings, ModelTable.of(settings.model), 1, False, CrashBudget(1, 60.0), warn
    )


def test_a_kind_is_a_folder_with_a_spec(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert set(find_kinds()) == {path.parent.name for path in FOLDERS.glob("*/spec.py")}
    monkeypatch.setattr(auricle.workers.kinds, "__path__", [str(tmp_path)])
    assert find_kinds() == {}


async def test_the_settings_exclude_pools() -> None:
    kinds = {name: spec for name, spec in find_kinds().items() if not spec.is_started_late}
    pools = await open_workers(kinds, context(Settings()))
    assert set(pools) == set(kinds)
    off = Settings.load({"speaker_workers": 0, "turn_workers": 0, "frame_workers": 0})
    assert await open_workers(kinds, context(off)) == {}


def test_a_spec_without_conditions_accepts_any_settings() -> None:
    for spec in find_kinds().values():
        spec.check(Settings())
