"""Settings of the Model Context Protocol."""

from pydantic import Field

from auricle.config.section import Section


class McpSettings(Section):
    """The Model Context Protocol, by which agents read transcripts."""

    title = "Model Context Protocol"
    options = ("mcp", "mcp_transcribe")

    mcp: bool = Field(
        False,
        description="Serve the Model Context Protocol at `/mcp`, for agents. Requires the extra "
        "`mcp`.",
    )
    mcp_transcribe: bool = Field(
        False, description="Let agents send recordings to `/mcp`; otherwise they only read."
    )
