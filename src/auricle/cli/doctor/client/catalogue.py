"""The programs that ``auricle doctor --client`` stands in for: those of every API."""

from collections.abc import Mapping

from auricle.apis.asr_webservice import client_check as asr_webservice
from auricle.apis.deepgram.client_check import programs as deepgram
from auricle.apis.openai.client_check import programs as openai
from auricle.apis.vosk import client_check as vosk
from auricle.apis.wyoming import client_check as wyoming
from auricle.protocol.client_profile import ClientProfile
from auricle.values.errors import SetupError


def clients() -> Mapping[str, ClientProfile]:
    """Return the programs by name, in alphabetical order."""
    modules = (asr_webservice, deepgram, openai, vosk, wyoming)
    profiles = [profile for module in modules for profile in module.CLIENTS]
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
