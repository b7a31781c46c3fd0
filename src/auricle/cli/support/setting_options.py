"""Command options that are also settings, described in :mod:`auricle.config.settings`."""

import typer
import typer.models
from rich.markup import escape

from auricle.config.section import variable
from auricle.config.settings import fields

_FIELDS = dict(fields())

KEY_REQUIRED = f"The server requires a valid key: set --api-key or {variable('api_key')}."


def setting(name: str, *more_names: str, panel: str | None = None) -> typer.models.OptionInfo:
    """Return a setting's option with its name, description, variable and default."""
    description = _FIELDS[name].description
    option: typer.models.OptionInfo = typer.Option(
        f"--{name.replace('_', '-')}",
        *more_names,
        help=f"{escape(description or '')} [dim]\\[{variable(name)}, {default_text(name)}][/]",
        show_default=False,
        rich_help_panel=panel,
    )
    return option


def server_url() -> typer.models.OptionInfo:
    """Return the option with the URL of a server, for commands that need one."""
    option: typer.models.OptionInfo = typer.Option(
        "--url",
        help=f"URL of the server. [dim]\\[{variable('url')}, http://127.0.0.1:6007][/]",
        show_default=False,
    )
    return option


def default_text(name: str) -> str:
    """Return a setting's default as text."""
    default = _FIELDS[name].get_default(call_default_factory=False)
    if _FIELDS[name].default_factory is not None:
        return "the user's cache folder"
    if default in (None, (), ""):
        return "none"
    if isinstance(default, bool):
        return str(int(default))
    if isinstance(default, float):
        return f"{default:g}"
    return str(default)
