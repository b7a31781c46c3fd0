"""A server with a key, and ``auricle doctor --client`` that uses it as a program does."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.command import Command, completed, environment, serving

KEY = "sk-of-the-tests"


@contextmanager
def served(folder: Path, **settings: object) -> Iterator[tuple[Command, str]]:
    """Start a server that rejects unknown models; yield it and its URL."""
    with serving(folder, api_keys=f"tests:{KEY}", unknown_models="reject", **settings) as started:
        yield started


def doctor(
    folder: Path, name: str, url: str, key: str | None = KEY
) -> subprocess.CompletedProcess[str]:
    """Return what the command said about the URL that is configured in a program."""
    settings = {} if key is None else {"api_key": key}
    return completed("doctor", "--client", name, url, environ=environment(folder, **settings))
