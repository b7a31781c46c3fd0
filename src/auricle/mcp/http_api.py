"""The Model Context Protocol, for the server."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from auricle.config.section import variable
from auricle.mcp import NAME, REQUIREMENT
from auricle.mcp.settings import McpSettings
from auricle.server.api_spec import ApiRoutes, ApiSpec, MountedApi
from auricle.values.errors import SetupError

if TYPE_CHECKING:
    from auricle.server.service import Service


def _mount(server: "Service") -> MountedApi:
    settings = server.settings.section(McpSettings)
    if not settings.mcp:
        return MountedApi()
    if find_spec("mcp") is None:
        raise SetupError(f"{variable('mcp')} requires mcp. Run: pip install '{REQUIREMENT}'")
    from auricle.mcp.route import routes

    return MountedApi(routes=(ApiRoutes(routes(server, can_transcribe=settings.mcp_transcribe)),))


API = ApiSpec(name=NAME, title="Model Context Protocol", page="clients/mcp.md", mount=_mount)
