"""The sections of optional folders and of other packages."""

import importlib
from collections.abc import Iterator
from importlib.metadata import EntryPoint

import pytest

from auricle.config import optional
from auricle.config.optional import optional_sections
from auricle.config.section import Section
from auricle.config.settings import Settings, fields
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit


class Subtitles(Section):
    """Subtitles."""

    title = "Subtitles"

    subtitle_lines: int = 2


@pytest.fixture
def _other_packages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def entries(group: str) -> list[EntryPoint]:
        return [EntryPoint("subtitles", f"{__name__}:Subtitles", group)]

    monkeypatch.setattr(optional, "entry_points", entries)
    optional_sections.cache_clear()
    yield
    optional_sections.cache_clear()


def test_each_module_of_settings_has_a_section() -> None:
    for section in optional_sections():
        assert section.__module__.endswith(".settings")
        assert section.title
        assert set(section.options) <= set(section.model_fields)
        assert vars(importlib.import_module(section.__module__))[section.__name__] is section


@pytest.mark.usefixtures("_other_packages")
def test_another_package_adds_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "subtitle_lines" in dict(fields())
    monkeypatch.setenv("AURICLE_SUBTITLE_LINES", "3")
    settings = Settings.load()
    assert [type(each).__name__ for each in settings.sections()][-1] == "Subtitles"
    assert [
        each.subtitle_lines for each in settings.sections() if hasattr(each, "subtitle_lines")
    ] == [3]


@pytest.mark.usefixtures("_other_packages")
def test_a_package_that_is_broken_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(f"{__name__}.Subtitles")
    with pytest.raises(SetupError, match="subtitles.*Fix or uninstall"):
        Settings.load()
