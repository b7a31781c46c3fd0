"""Descriptions of servers: ``servers/NAME.toml``. README.md explains the fields."""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

PACKAGE = Path(__file__).parent
FOLDERS = (PACKAGE / "servers", PACKAGE.parent / "servers")
PLACEHOLDERS = ("python", "env", "data", "run", "model", "repository")
"""What commands may contain in braces, besides ``{port}`` and ``{port_NAME}``."""
WORKERS = ("child", "itself")


@dataclass(frozen=True, slots=True)
class Protocol:
    """A way to use the server: the name of a driver, its URL, and the driver's options."""

    driver: str
    url: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Worker:
    """Which process recognises: the server ``itself``, or a ``child`` with this command line."""

    process: Literal["child", "itself"]
    matching: str = ""


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """A server as its documentation starts it; strings have placeholders."""

    name: str
    title: str
    version: str
    documentation: str
    model: str
    install: tuple[str, ...]
    start: tuple[str, ...]
    protocols: tuple[Protocol, ...]
    worker: Worker
    environment: dict[str, str] = field(default_factory=dict)
    ready_url: str = ""
    ready_tcp: str = ""
    ready_s: float = 120.0
    health_url: str = ""
    data: bool = False
    restarts: str = ""
    limits: str = ""
    notes: str = ""


TEXTS = ("title", "version", "documentation", "model")


def available() -> dict[str, Path]:
    """Return the names and files of all servers that are described."""
    return {file.stem: file for folder in FOLDERS for file in sorted(folder.glob("*.toml"))}


def read(path: Path) -> ServerSpec:
    """Read a description.

    Raises:
        ValueError: It is incomplete or has an unknown field.
    """
    table = tomllib.loads(path.read_text("utf-8"))
    try:
        return _spec(path.stem, table)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name}: {error}") from error


def _spec(name: str, table: dict[str, Any]) -> ServerSpec:
    ready, health = table.pop("ready"), table.pop("health", {})
    worker = Worker(**table.pop("worker"))
    if worker.process not in WORKERS:
        raise ValueError(f"worker.process must be one of {', '.join(WORKERS)}")
    re.compile(worker.matching)
    if worker.process == "child" and not worker.matching:
        raise ValueError("worker.matching is missing")
    if not ready.keys() <= {"url", "tcp", "seconds"} or not {"url", "tcp"} & ready.keys():
        raise ValueError("ready needs url or tcp, and may have seconds")
    if missing := [field for field in TEXTS if not table.get(field)]:
        raise ValueError(f"missing: {', '.join(missing)}")
    protocols = tuple(
        Protocol(each.pop("driver"), each.pop("url"), each) for each in table.pop("protocols")
    )
    if not protocols:
        raise ValueError("protocols is empty")
    spec = ServerSpec(
        name=name,
        install=tuple(table.pop("install")),
        start=tuple(table.pop("start")),
        protocols=protocols,
        worker=worker,
        ready_url=ready.get("url", ""),
        ready_tcp=str(ready.get("tcp", "")),
        ready_s=float(ready.get("seconds", 120.0)),
        health_url=health.get("url", ""),
        **table,
    )
    texts = [*spec.install, *spec.start, *spec.environment.values(), spec.ready_url]
    texts += [spec.ready_tcp, spec.health_url, *(each.url for each in protocols)]
    for placeholder in re.findall(r"\{(\w+)\}", " ".join(texts)):
        if placeholder not in PLACEHOLDERS and not placeholder.startswith("port"):
            raise ValueError(f"unknown placeholder {{{placeholder}}}")
    return spec


def fill(text: str, values: dict[str, str]) -> str:
    """Replace the placeholders of a text."""
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), text)


def ports(spec: ServerSpec) -> set[str]:
    """Return the names of the ports that a description uses: ``port``, ``port_NAME``."""
    texts = [*spec.start, *spec.environment.values(), spec.ready_url, spec.ready_tcp]
    texts += [spec.health_url, *(protocol.url for protocol in spec.protocols)]
    return {name for name in re.findall(r"\{(\w+)\}", " ".join(texts)) if name.startswith("port")}
