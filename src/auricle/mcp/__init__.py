"""The Model Context Protocol, for agents: ``/mcp`` of a server, and ``auricle mcp`` on stdio.

Both have the same tools, which are requests to the HTTP API: by :class:`auricle.client` from
another process, or to the application of the same process. Keys, rights and limits are those of the
API.
"""

NAME = "mcp"
REQUIREMENT = "mcp>=2.3,<3"
"""The package that the extra of this name adds."""
