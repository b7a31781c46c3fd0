"""The programs that the command stands in for."""

from urllib.parse import urlsplit

import pytest

from auricle.apis.registry import find_apis
from auricle.cli.doctor.client import catalogue
from auricle.cli.doctor.client.catalogue import clients, find_client
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", clients())
def test_a_program_is_found_by_its_name(name: str) -> None:
    profile = find_client(name)
    assert profile.name == name
    assert urlsplit(profile.url).hostname == "127.0.0.1"


def test_an_unknown_name_lists_the_others() -> None:
    with pytest.raises(SetupError, match=f"use one of {', '.join(sorted(clients()))}"):
        find_client("siri")


def test_without_an_api_its_programs_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = next(api for api in find_apis() if api.client_checks())
    rest = [api for api in find_apis() if api is not missing]
    monkeypatch.setattr(catalogue, "find_apis", lambda: rest)
    name = missing.client_checks()[0].name
    with pytest.raises(SetupError, match=f"'{name}'; use one of {', '.join(sorted(clients()))}"):
        find_client(name)
