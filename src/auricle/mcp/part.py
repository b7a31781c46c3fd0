"""The Model Context Protocol, for the command line."""

from collections.abc import Callable, Sequence

from auricle.cli.part import PartSpec


def _commands() -> Sequence[Callable[..., None]]:
    from auricle.mcp.command import mcp

    return (mcp,)


PART = PartSpec(commands=_commands)
