"""``auricle settings``: current values, without keys."""

from pathlib import Path

import pytest

from auricle.cli.settings import markdown_table
from auricle.config.settings import fields, variable
from tests.cli.conftest import Run

pytestmark = pytest.mark.unit


def test_every_setting_is_listed_with_its_meaning(auricle: Run) -> None:
    shown = auricle("settings").stdout
    for name, field in fields():
        assert f"{variable(name)}=" in shown
        assert field.description
        assert field.description in shown


def test_a_changed_value_is_shown_with_its_default(
    auricle: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURICLE_PORT", "7000")
    shown = auricle("settings").stdout
    assert "AURICLE_PORT=7000  (default: 6007)" in shown
    assert "AURICLE_WORKERS=0\n" in shown


def test_keys_are_counted_and_never_shown(auricle: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_API_KEYS", "anna:first-key,second-key")
    monkeypatch.setenv("AURICLE_OPERATOR_KEY", "third-key")
    monkeypatch.setenv("AURICLE_API_KEY", "fourth-key")
    result = auricle("settings")
    assert "AURICLE_API_KEYS=2 set" in result.stdout
    assert "-key" not in result.output


def test_names_and_networks_are_shown(auricle: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_OPENAI_MODELS", "ears, whisper-1")
    monkeypatch.setenv("AURICLE_TRUSTED_PROXIES", "::1, 10.0.0.0/8")
    shown = auricle("settings").stdout
    assert "AURICLE_OPENAI_MODELS=ears,whisper-1" in shown
    assert "AURICLE_TRUSTED_PROXIES=::1/128,10.0.0.0/8" in shown


def test_a_misspelled_variable_is_reported(auricle: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_WORKER", "2")
    stderr = auricle("settings").stderr
    assert "AURICLE_WORKER is not a setting" in stderr
    assert "AURICLE_WORKERS" in stderr


def test_the_documentations_table_has_a_row_for_each(auricle: Run) -> None:
    assert auricle("settings", "--markdown").stdout == markdown_table() + "\n"
    assert len(markdown_table().splitlines()) == 2 + len(list(fields()))


def test_the_readmes_table_is_the_one_that_the_command_prints() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert markdown_table() in readme, "run `auricle settings --markdown` and put it into README.md"
