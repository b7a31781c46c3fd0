"""``auricle settings``: list all settings with their descriptions and values."""

import re
from typing import Annotated, Literal, get_args, get_origin

import typer
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from rich.text import Text

from auricle.cli.support.console import errors, results
from auricle.cli.support.setting_options import default_text
from auricle.config.environment import unknown_variables
from auricle.config.section import variable
from auricle.config.settings import Settings, section_classes

PAGE_START = """\
# Settings

<!-- Written by `auricle settings --markdown`; a test compares. -->

All settings are environment variables. `auricle settings` prints the current values;
`auricle serve --help` lists the options for the most common ones. An empty variable is the same as
an unset one. The server reports unknown `AURICLE_*` variables when it starts."""


def settings(
    markdown: Annotated[
        bool,
        typer.Option("--markdown", help="Print the reference page docs/reference/settings.md."),
    ] = False,
) -> None:
    """List all settings with their current values.

    Changed values are bold. Keys are never shown, only their number.
    """
    if markdown:
        typer.echo(markdown_page())
        return
    loaded = Settings.load()
    for section in loaded.sections():
        for name, field in section.variables().items():
            now, default = value_text(getattr(section, name)), default_text(name)
            is_changed = name in section.model_fields_set
            line = Text(f"{variable(name)}={now}", style="bold" if is_changed else "")
            line.append(f"  (default: {default})" if is_changed else "", style="dim")
            results.print(line)
            results.print(f"    {field.description}", style="dim")
    warn_of_unknown_variables()


def value_text(value: object) -> str:
    """Return a value as text; for keys, only their number."""
    match value:
        case None | ():
            return ""
        case SecretStr():
            return "set"
        case tuple() if any(isinstance(part, SecretStr) for part in value):
            return f"{len(value)} set"
        case tuple():
            return ",".join(str(part) for part in value)
        case bool():
            return str(int(value))
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def markdown_page() -> str:
    """Return docs/reference/settings.md: the common settings, and a table for each section."""
    lines = [PAGE_START, "", "## Common settings", "", "| variable | description |", "|---|---|"]
    for section in section_classes():
        anchor = re.sub(r"[^a-z0-9]+", "-", section.title.lower())
        for name in section.common:
            description = section.model_fields[name].description
            lines.append(f"| [`{variable(name)}`](#{anchor}) | {description} |")
    for section in section_classes():
        lines += ["", f"## {section.title}", "", section.__doc__ or "", ""]
        lines += ["| variable | default | values | description |", "|---|---|---|---|"]
        for name, field in section.variables().items():
            cells = f"`{variable(name)}`", default_text(name), values_text(field), field.description
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def values_text(field: FieldInfo) -> str:
    """Return the values that a field accepts: a range, a list, or nothing if any is accepted."""
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(field.annotation))
    signs = {"ge": "≥", "gt": ">", "le": "≤"}
    bounds = [
        f"{sign} {getattr(bound, name):.15g}"
        for bound in field.metadata
        for name, sign in signs.items()
        if hasattr(bound, name)
    ]
    return ", ".join(bounds) or ("`0`, `1`" if field.annotation is bool else "")


def changed_settings(settings: Settings) -> dict[str, object]:
    """Return the variables whose values differ from their defaults, without secrets.

    Keys are replaced by their number; paths of key files are not secret.
    """
    changed: dict[str, object] = {}
    for section in settings.sections():
        for name, field in section.variables().items():
            value = getattr(section, name)
            if value != field.get_default(call_default_factory=True):
                is_plain = isinstance(value, bool | int | float)
                changed[variable(name)] = value if is_plain else value_text(value)
    return changed


def unknown_variable_warnings() -> list[str]:
    """Return a sentence for each ``AURICLE_*`` variable that is not a setting."""
    warnings = []
    for name, closest in unknown_variables():
        hint = f"Did you mean {closest}?" if closest else "See `auricle settings`."
        warnings.append(f"{name} is not a setting and has no effect. {hint}")
    return warnings


def warn_of_unknown_variables() -> None:
    """Print a warning for each ``AURICLE_*`` variable that is not a setting."""
    for warning in unknown_variable_warnings():
        errors.print(f"auricle: {warning}", style="yellow")
