"""Peers that the suite for resilience describes, installed and started by it.

``resilience/servers/NAME.toml`` says how: as the documentation of each starts it, with a fixed
version. They are installed into ``~/.cache/stt-resilience``.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stt_resilience.process import Server
from stt_resilience.servers import available, read

HOME = Path.home() / ".cache" / "stt-resilience"


@contextmanager
def peer(name: str, model: Path) -> Iterator[Server]:
    """Run a server that is ready, and kill it at the end."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(read(available()[name]), HOME / name, Path(folder), str(model), print)
        if not (HOME / name / "installed").is_file():  # by whichever checkout and Python
            server.install()
        try:
            asyncio.run(server.start())
            yield server
        finally:
            server.kill_all()


def condition(name: str) -> str:
    """Return what a report says of a peer."""
    spec = read(available()[name])
    return f"{spec.title} {spec.version}, {spec.model}: resilience/servers/{name}.toml"
