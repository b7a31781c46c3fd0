"""The programs of ``auricle doctor --client`` that dictate; they use OpenAI's API for files."""

from collections.abc import Sequence

from auricle.protocol.client_profile import ClientProfile
from auricle.server.api_spec import ApiSpec, MountedApi


def _clients() -> Sequence[ClientProfile]:
    from auricle.apis.dictation_programs.client_check import CLIENTS

    return CLIENTS


SPEC = ApiSpec(
    name="dictation_programs",
    title="OpenAI",
    page="clients/dictation.md",
    mount=lambda server: MountedApi(),
    client_checks=_clients,
)
