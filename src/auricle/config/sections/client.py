"""Settings of the command line as a client."""

from pydantic import Field, SecretStr

from auricle.config.section import Section


class ClientSettings(Section):
    """How the command line reaches a running server."""

    title = "Command line"

    url: str | None = Field(
        None,
        description="Server for `transcribe` (none: own workers) and other commands (none: local "
        "server).",
    )
    api_key: SecretStr | None = Field(None, description="API key that commands send to the server.")
    outage_buffer_s: float = Field(
        600.0,
        ge=10,
        le=6 * 3600,
        description="Audio that `live --mic` buffers while no server answers, in seconds.",
    )
