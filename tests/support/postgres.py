"""A PostgreSQL server for tests, in a temporary directory and without a TCP port."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from tests.support.poll import wait_until

START_S = 60


def programs() -> Path | None:
    """Return the directory of PostgreSQL's programs; ``None`` if it is not installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    path = debian[0] if debian else shutil.which("initdb")
    return None if path is None else Path(path).parent


class PostgresServer:
    """A server that tests may kill and start again.

    By default it doesn't wait for the disk: tests end processes, not machines.
    """

    def __init__(self, binaries: Path, directory: Path, *, syncs: bool = False) -> None:
        self._binaries = binaries
        self._syncs = syncs
        self._directory = directory
        # PostgreSQL refuses to run as root; Debian's package has created this user.
        self._user = "postgres" if os.geteuid() == 0 else None
        self._is_running = False
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

    def wait_until_unused(self) -> None:
        """Wait until it has seen the end of all clients: killed ones may hold locks until then."""
        import psycopg

        others = (
            "SELECT FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            wait_until(lambda: not connection.execute(others).rowcount, "the end of all clients")

    def start(self) -> None:
        """Start the server and wait until it accepts connections.

        It is no child of this process, whose children other tests count.
        """
        options = f"-h '' -k {self._directory} -c shared_buffers=32MB"
        if not self._syncs:
            options += " -c fsync=off"
        self._control("start", "-o", options, "-l", os.devnull)
        self._is_running = True

    def stop(self) -> None:
        """Stop the server at once and cut all connections; what was committed stays."""
        if self._is_running:
            self._is_running = False
            self._control("stop", "-m", "immediate")

    def kill(self) -> None:
        """Kill the server with SIGKILL; return once all of its processes have ended."""
        lock = self._directory / "data/postmaster.pid"
        main = psutil.Process(int(lock.read_text().split()[0]))
        processes = [main, *main.children()]
        main.kill()
        self._is_running = False
        wait_until(
            lambda: not any(map(_is_alive, processes)), "the end of all its processes", START_S
        )
        # They name a process that may be a zombie, which PostgreSQL would take for another server.
        lock.unlink(missing_ok=True)
        for path in self._directory.glob(".s.PGSQL.*"):
            path.unlink(missing_ok=True)

    def _control(self, action: str, *arguments: object) -> None:
        data = self._directory / "data"
        self._call("pg_ctl", action, "-w", "-t", START_S, "-D", data, *arguments)

    def _call(self, program: str, *arguments: object) -> None:
        subprocess.run(
            [self._binaries / program, *map(str, arguments)],
            check=True,
            user=self._user,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@contextlib.contextmanager
def postgres_server(binaries: Path, *, syncs: bool = False) -> Iterator[PostgresServer]:
    """Start a server and stop it at the end.

    Args:
        binaries: The directory of :func:`programs`.
        syncs: Whether it waits for the disk at each commit.
    """
    # Not pytest's directory: that is readable by root only, and too long for a socket's path.
    with TemporaryDirectory(prefix="auricle-pg-") as directory:
        server = PostgresServer(binaries, Path(directory), syncs=syncs)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
