"""``auricle settings``: current values, without keys."""

import re
from pathlib import Path

import pytest

from auricle.cli.settings import markdown_page, values_text
from auricle.config.section import variable
from auricle.config.settings import fields
from tests.cli.conftest import Run

pytestmark = pytest.mark.unit


def test_every_setting_is_listed_with_its_meaning(auricle: Run) -> None:
    output = auricle("settings").stdout
    for name, field in fields():
        assert f"{variable(name)}=" in output
        assert field.description
        assert field.description in output


def test_a_changed_value_is_shown_with_its_default(
    auricle: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURICLE_PORT", "7000")
    output = auricle("settings").stdout
    assert "AURICLE_PORT=7000  (default: 6007)" in output
    assert "AURICLE_WORKERS=0\n" in output


def test_keys_are_counted_and_never_shown(auricle: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_API_KEYS", "anna:first-key,second-key")
    monkeypatch.setenv("AURICLE_OPERATOR_KEY", "third-key")
    monkeypatch.setenv("AURICLE_API_KEY", "fourth-key")
    result = auricle("settings")
    assert "AURICLE_API_KEYS=2 set" in result.stdout
    assert "-key" not in result.output


def test_names_and_networks_are_shown(auricle: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_MODELS", "base, tiny=moonshine")
    monkeypatch.setenv("AURICLE_TRUSTED_PROXIES", "::1, 10.0.0.0/8")
    output = auricle("settings").stdout
    assert "AURICLE_MODELS=base,tiny=moonshine" in output
    assert "AURICLE_TRUSTED_PROXIES=::1/128,10.0.0.0/8" in output


def test_a_misspelled_variable_is_reported(auricle: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_WORKER", "2")
    stderr = auricle("settings").stderr
    assert "AURICLE_WORKER is not a setting" in stderr
    assert "AURICLE_WORKERS" in stderr


def test_the_reference_page_has_a_row_for_each(auricle: Run) -> None:
    page = auricle("settings", "--markdown").stdout
    assert page == markdown_page() + "\n"
    assert [page.count(f"| `{variable(name)}` |") for name, _ in fields()] == [1] * len(
        list(fields())
    )


def test_the_reference_page_begins_with_common_settings(auricle: Run) -> None:
    first, *sections = auricle("settings", "--markdown").stdout.split("\n## ")[1:]
    assert first.startswith("Common settings")
    common = re.findall(r"\| \[`(\w+)`\]\(#([\w-]+)\)", first)
    assert {"AURICLE_HOST", "AURICLE_MODEL"} <= {name for name, _ in common}
    assert len(common) < 16
    for name, anchor in common:
        [section] = [each for each in sections if f"| `{name}` |" in each]
        assert section.split("\n")[0].lower().replace(" ", "-") == anchor


def test_the_reference_page_is_the_one_that_the_command_prints() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "settings.md").read_text(
        encoding="utf-8"
    )
    assert page == markdown_page() + "\n", (
        "run `auricle settings --markdown > docs/reference/settings.md`"
    )


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("port", "≥ 0, ≤ 65535"),
        ("max_sessions", "≥ 1"),
        ("keep_audio_s", "≥ 0, ≤ 2592000"),
        ("sandbox", "`auto`, `off`"),
        ("insecure_no_auth", "`0`, `1`"),
        ("host", ""),
    ],
)
def test_the_reference_page_states_what_a_setting_accepts(name: str, values: str) -> None:
    assert values_text(dict(fields())[name]) == values
