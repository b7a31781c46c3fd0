"""The programs that ``auricle doctor --client`` stands in for: those of the installed APIs."""

from collections.abc import Mapping

from auricle.apis.registry import find_apis
from auricle.protocol.client_profile import ClientProfile
from auricle.values.errors import SetupError


def clients() -> Mapping[str, ClientProfile]:
    """Return the programs by name, in alphabetical order."""
    profiles = [profile for api in find_apis() for profile in api.client_checks()]
    return {profile.name: profile for profile in sorted(profiles, key=lambda each: each.name)}


def find_client(name: str) -> ClientProfile:
    """Return the program of a name.

    Raises:
        SetupError: There is none.
    """
    found = clients()
    if name not in found:
        raise SetupError(f"Unknown client {name!r}; use one of {', '.join(found)}.")
    return found[name]
