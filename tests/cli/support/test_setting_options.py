"""Command options that are settings: their names, descriptions and defaults."""

import pytest

from auricle.cli.support.setting_options import default_text, setting

pytestmark = pytest.mark.unit


def test_an_option_has_the_settings_name_description_and_default() -> None:
    option = setting("start_budget_s", "-t", panel="Workers")
    assert (option.default, option.param_decls) == ("--start-budget-s", ("-t",))
    assert option.rich_help_panel == "Workers"
    assert "AURICLE_START_BUDGET_S" in (option.help or "")
    assert default_text("start_budget_s") in (option.help or "")


@pytest.mark.parametrize(
    ("name", "text"),
    [("port", "6007"), ("host", "127.0.0.1"), ("api_keys", "none"), ("max_upload_mb", "2000")],
)
def test_defaults_are_plain_text(name: str, text: str) -> None:
    assert default_text(name) == text


def test_a_default_of_this_machine_is_described() -> None:
    assert default_text("cache_dir") == "the user's cache folder"
