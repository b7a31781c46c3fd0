"""The section of the server: lists, origins and keys."""

import pytest
from pydantic import SecretStr, ValidationError

from auricle.config.sections.server import ServerSettings

pytestmark = pytest.mark.unit


def test_lists_are_cut_at_commas() -> None:
    settings = ServerSettings.model_validate(
        {"api_keys": "anna:first, ,second,", "trusted_proxies": "192.0.2.0/24,2001:db8::/32"}
    )
    assert [key.get_secret_value() for key in settings.api_keys] == ["anna:first", "second"]
    assert [str(proxy) for proxy in settings.trusted_proxies] == ["192.0.2.0/24", "2001:db8::/32"]


def test_origins_are_written_as_browsers_write_them() -> None:
    origins = "HTTPS://App.example:443,http://localhost:8080,http://[2001:db8::1]:80"
    settings = ServerSettings.model_validate({"allowed_origins": origins})
    expected = ("https://app.example", "http://localhost:8080", "http://[2001:db8::1]")
    assert settings.allowed_origins == expected


@pytest.mark.parametrize("origin", ["app.example", "https://app.example/path", "https://a:0", "*"])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError, match="scheme://host"):
        ServerSettings.model_validate({"allowed_origins": origin})


def test_an_empty_key_file_needs_keys_too() -> None:
    assert not ServerSettings().has_keys
    assert ServerSettings(api_keys=(SecretStr("key"),)).has_keys
    assert ServerSettings.model_validate({"keys_file": "keys"}).has_keys
