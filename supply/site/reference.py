"""Reference pages that are made from the code: commands, metrics, errors and the HTTP API."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import typer
from prometheus_client import CollectorRegistry, Metric
from pydantic import SecretStr
from typer.core import TyperCommand, TyperGroup, TyperOption

from auricle.cli import app as command_line
from auricle.values.errors import (
    AuricleError,
    LeaseLost,
    LocalProtocolError,
    SetupError,
    SpeakersUnavailable,
    Superseded,
    TurnsUnavailable,
    Unreachable,
)
from tests.support.service import opened

_MARKUP = re.compile(r"\[(?:bold|/)\]|\\(?=\[)")
_COMMANDS = """\
# Commands

All options of `auricle`, as `auricle COMMAND --help` prints them. Many can also be set by
[variables](settings.md).

"""
_OPTIONS = "| option | variable | default | meaning |\n|---|---|---|---|"
_METRICS = """\
# Metrics

What `GET /metrics` returns, in Prometheus' text format. [Monitoring](../how-to/monitoring.md) says
what to watch. On a server with keys, metrics that start with `auricle_client_` are returned for the
operator's key only. A histogram has series that end in `_bucket`, `_sum` and `_count`.

| metric | type | labels | meaning |
|---|---|---|---|
"""
_ERRORS = """\
# Errors

An error's `code` is stable and the same in every API; its message may change.
[The HTTP API](http-api.md#errors) and [the live protocol](protocol.md#errors-and-close-codes) say
what to do about each.

## Errors of requests and streams

| code | HTTP status | close code | may be retried | meaning |
|---|---|---|---|---|
"""
_SETUP_ERRORS = """
## Errors at the start of a server

The command prints the message, which says what to do, and exits with code 2.

| code | meaning |
|---|---|
"""
_INTERNAL = (LocalProtocolError, Superseded, LeaseLost, SpeakersUnavailable, TurnsUnavailable)
"""Errors that no client and no operator receives."""


def write_reference(target: Path) -> None:
    """Write the generated pages, and the OpenAPI document, into a folder of the site."""
    target.mkdir(parents=True, exist_ok=True)
    (target / "commands.md").write_text(_COMMANDS + "\n".join(commands()), "utf-8")
    (target / "metrics.md").write_text(_METRICS + "\n".join(metrics()) + "\n", "utf-8")
    (target / "errors.md").write_text(
        "\n".join([_ERRORS + "\n".join(errors()), _SETUP_ERRORS + "\n".join(setup_errors()), ""]),
        "utf-8",
    )
    (target / "openapi.json").write_text(json.dumps(openapi()), "utf-8")


def commands() -> Iterator[str]:
    """Yield a section in Markdown for each command."""
    group = typer.main.get_command(command_line)
    assert isinstance(group, TyperGroup)
    yield from _sections("auricle", group)


def _sections(name: str, group: TyperGroup) -> Iterator[str]:
    for each, command in group.commands.items():
        full_name = f"{name} {each}"
        level = "#" * (full_name.count(" ") + 1)
        yield f"{level} {full_name}\n\n{_plain(command.help)}\n"
        if isinstance(command, TyperGroup):
            yield from _sections(full_name, command)
        elif isinstance(command, TyperCommand):
            usage = " ".join(command.collect_usage_pieces(typer.Context(command)))
            yield f"```text\n{full_name} {usage}\n```\n"
            rows = [_row(parameter) for parameter in command.params if parameter.name != "help"]
            if rows:
                yield "\n".join([_OPTIONS, *rows, ""])


def _row(parameter: Any) -> str:
    is_option = isinstance(parameter, TyperOption)
    names = [*parameter.opts, *parameter.secondary_opts] if is_option else [parameter.metavar]
    text, _, note = (parameter.help or "").partition("[dim]")  # [VARIABLE, default]
    variable, _, default = _plain(note).strip("\\[]").rpartition(", ")
    if not variable.startswith("AURICLE_"):
        variable, default = "", _plain(note).strip("\\[]")
    if not note and parameter.show_default and parameter.default not in (None, False):
        default = str(parameter.default)
    cells = (
        _codes(names),
        f"`{variable}`" if variable else "",
        f"`{default}`" if variable and default != "none" else default.replace("none", ""),
        _plain(text).replace("|", "\\|"),
    )
    return f"| {' | '.join(cells)} |"


def _plain(text: str | None) -> str:
    return " ".join(_MARKUP.sub("", text or "").split())


def metrics() -> Iterator[str]:
    """Yield a row in Markdown for each metric of a server with all optional parts."""
    for registry, families in anyio.run(_registries):
        collectors = registry._names_to_collectors  # labels of series without a value yet
        for family in families:
            labels = getattr(collectors.get(family.name, family), "_labelnames", ())
            name = f"{family.name}_total" if family.type == "counter" else family.name
            yield f"| `{name}` | {family.type} | {_codes(labels)} | {family.documentation} |"


async def _registries() -> list[tuple[CollectorRegistry, list[Metric]]]:
    with TemporaryDirectory() as name:
        async with opened(Path(name) / "spool") as service:
            figures = service.state.metrics
            registries = (figures.registry, figures.clients.registry)
            return [(registry, list(registry.collect())) for registry in registries]


def _codes(names: Iterable[str]) -> str:
    return " ".join(f"`{name}`" for name in names)


def errors() -> Iterator[str]:
    """Yield a row in Markdown for each error that a client may receive or raise."""
    yield "| `internal` | 500 | 1011 | no | A bug of the server. Report it with `x-request-id`. |"
    for kind in _kinds(AuricleError):
        if not issubclass(kind, (SetupError, *_INTERNAL)) and "code" in vars(kind):
            answer = f"{kind.http_status} | {kind.close_code}" if kind is not Unreachable else " | "
            retry = "yes" if kind.retryable else "no"
            yield f"| `{kind.code}` | {answer} | {retry} | {_meaning(kind)} |"


def setup_errors() -> Iterator[str]:
    """Yield a row in Markdown for each error that stops a server at its start."""
    kinds: list[type[AuricleError]] = [SetupError, *_kinds(SetupError)]
    for kind in kinds:
        yield f"| `{kind.code}` | {_meaning(kind)} |"


def _meaning(kind: type[AuricleError]) -> str:
    return (kind.__doc__ or "").partition("\n")[0].replace("``", "`")


def _kinds(kind: type[AuricleError]) -> Iterator[type[AuricleError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _kinds(child)


def openapi() -> dict[str, object]:
    """Return the OpenAPI document of a server with keys; its address is relative to the page."""
    return anyio.run(_openapi) | {"servers": [{"url": "../../"}]}


async def _openapi() -> dict[str, Any]:
    with TemporaryDirectory() as name:
        async with opened(Path(name) / "spool", api_keys=(SecretStr("any:key"),)) as service:
            return service.app.openapi()
