"""A PostgreSQL server for tests, in a temporary directory and without a TCP port."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

START_S = 60.0


def programs() -> Path | None:
    """Return the directory of PostgreSQL's programs; ``None`` if it is not installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    path = debian[0] if debian else shutil.which("initdb")
    return None if path is None else Path(path).parent


class PostgresServer:
    """A server that tests may kill and start again.

    It doesn't wait for the disk: tests end processes, not machines.
    """

    def __init__(self, binaries: Path, directory: Path) -> None:
        self._binaries = binaries
        self._directory = directory
        # PostgreSQL refuses to run as root; Debian's package has created this user.
        self._user = "postgres" if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        if self._user:
            shutil.chown(directory, self._user)
        data = directory / "data"
        self._call("initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "-N")

    @property
    def conninfo(self) -> str:
        """The connection string of the server's database."""
        return f"host={self._directory} user=postgres dbname=postgres"

    def empty(self) -> None:
        """Drop all tables. Quicker than another database for each test."""
        import psycopg  # may be missing

        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        self._process = subprocess.Popen(
            [
                *(self._binaries / "postgres", "-D", self._directory / "data", "-h", ""),
                *("-k", self._directory, "-c", "shared_buffers=32MB", "-c", "fsync=off"),
            ],
            user=self._user,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_S
        while subprocess.call(
            [self._binaries / "pg_isready", "-q", "-h", self._directory], user=self._user
        ):
            assert self._process.poll() is None, "PostgreSQL ended while it started"
            assert time.monotonic() < deadline, "PostgreSQL did not start"
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the server at once and cut all connections; what was committed stays."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGQUIT)
            process.wait(START_S)

    def _call(self, program: str, *arguments: object) -> None:
        subprocess.run(
            [self._binaries / program, *map(str, arguments)],
            check=True,
            user=self._user,
            capture_output=True,
        )


@contextlib.contextmanager
def postgres_server(binaries: Path) -> Iterator[PostgresServer]:
    """Start a server and stop it at the end."""
    # Not pytest's directory: that is readable by root only, and too long for a socket's path.
    with TemporaryDirectory(prefix="auricle-pg-") as directory:
        server = PostgresServer(binaries, Path(directory))
        server.start()
        try:
            yield server
        finally:
            server.stop()
