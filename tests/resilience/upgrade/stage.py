"""Servers of two versions on the same data, and backups of it."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.compare.versions import Version
from bench.lib.database import postgres_running
from bench.lib.service import Server
from tests.resilience.durable.stage import JOBS, SCRIPTED, SETTINGS, WORKERS, live_key
from tests.support.postgres import PostgresServer, programs
from tests.support.receiver import Receiver, receiver_running

PACE = 0.1
"""Seconds that a scripted worker takes for a second of a job's speech."""
DRAIN_S = 5
"""Less than the longest job takes: some jobs are queued again at each stop."""
FILE = "ledger.sqlite3"
RESTORED = "restored"
ERROR = '"level": "error"'


Contents = Mapping[str, object]
"""Of a database: each file's bytes, or each table's columns and rows, by name."""


@dataclass
class Gateway:
    """A port with servers of both versions, of which one runs.

    Attributes:
        old: The server of the old version.
        new: The server of this version.
        running: The one that runs.
    """

    old: Server
    new: Server
    running: Server = field(init=False)

    def __post_init__(self) -> None:
        """Begin with the old version."""
        self.running = self.old

    @property
    def url(self) -> str:
        """The URL of both."""
        return self.old.url

    def replace(self, server: Server) -> float:
        """Stop what runs as an operator does, and start a server; return the seconds without one.

        Raises:
            SystemExit: It does not start.
        """
        began_at = time.monotonic()
        self.running.end()
        self.running = server
        server.start()
        server.wait_ready()
        return round(time.monotonic() - began_at, 1)

    def end(self) -> None:
        """Stop what runs."""
        self.running.end()

    def try_old(self, contents: Callable[[], Contents] | None = None) -> dict[str, Any]:
        """Stop the new version and start the old one; if it refuses, start the new one again.

        Args:
            contents: Reads the database; ``None`` while another server changes it.

        Returns:
            Whether it refused, its exit status, its errors, and the files or tables that it
            changed; ``None`` for these if it continued or ``contents`` is ``None``.
        """
        self.running.end()
        lines = len(self.old.log_lines())
        before = None if contents is None else contents()
        self.old.start()
        try:
            self.old.wait_ready()
        except SystemExit:
            status = self.old.wait_end()
            said = [line for line in self.old.log_lines()[lines:] if ERROR in line]
            changed = None
            if contents is not None and before is not None:
                changed = differences(before, contents())
            self.running = self.new
            self.new.start()
            self.new.wait_ready()
            return {"refused": True, "status": status, "said": said, "changed": changed}
        self.running = self.old
        return {"refused": False, "status": None, "said": [], "changed": None}


def differences(before: Contents, after: Contents) -> list[str]:
    """Return the names of what was changed, added or removed."""
    names = before.keys() | after.keys()
    return sorted(name for name in names if before.get(name) != after.get(name))


@dataclass(frozen=True, slots=True)
class Stage:
    """What a run uses.

    Attributes:
        old: The old version.
        gateways: Servers on one database: one with SQLite.
        postgres: The database server, if it is PostgreSQL.
        keys: API keys by client.
        receiver: Gets the webhooks of jobs.
        folder: For data and backups; deleted in the end.
        settings: Of all servers, but for the place of their data.
        environment: Of all servers.
        log: Name of their logs.
    """

    old: Version
    gateways: tuple[Gateway, ...]
    postgres: PostgresServer | None
    keys: dict[str, str]
    receiver: Receiver
    folder: Path
    settings: dict[str, Any]
    environment: dict[str, str]
    log: Path

    @property
    def urls(self) -> list[str]:
        """URLs of the gateways."""
        return [gateway.url for gateway in self.gateways]

    @property
    def state(self) -> Path:
        """The state directory of all gateways."""
        return self.folder / "state"

    @property
    def backup(self) -> Path:
        """Where :meth:`back_up` writes."""
        return self.folder / "backup"

    def log_lines(self) -> list[str]:
        """Return the output of the new version of all gateways."""
        return [line for each in self.gateways for line in each.new.log_lines()]

    def rows(self) -> dict[str, int]:
        """Return the number of rows of each table with data of users."""
        if self.postgres is not None:
            return _postgres_rows(self.postgres.conninfo)
        uri = f"{(self.state / FILE).as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            query = "SELECT name FROM sqlite_master WHERE type = 'table'"
            names = [name for (name,) in connection.execute(query) if _is_counted(name)]
            counts = {
                name: connection.execute(f"SELECT COUNT(*) FROM {name}").fetchone()
                for name in names
            }
        return {name: int(count) for name, (count,) in sorted(counts.items())}

    def contents(self) -> Contents:
        """Return all that the database contains, with its schema version, while no server runs."""
        if self.postgres is not None:
            return _postgres_contents(self.postgres.conninfo)
        return {path.name: path.read_bytes() for path in self.state.glob(f"{FILE}*")}

    def try_old(self) -> list[dict[str, Any]]:
        """Start the old version in place of each server.

        The first gateway is the last. If the old version has refused in place of all others, they
        are stopped meanwhile, so that nothing else changes the database.

        Returns:
            What :meth:`Gateway.try_old` returns of each.
        """
        first, *others = self.gateways
        starts = [each.try_old() for each in others]
        paused = [each for each, start in zip(others, starts, strict=True) if start["refused"]]
        for each in paused:
            each.end()
        is_quiet = len(paused) == len(others)
        starts.append(first.try_old(self.contents if is_quiet else None))
        for each in paused:
            each.replace(each.new)
        return starts

    def back_up(self) -> None:
        """Back up as docs/how-to/storage.md says, while the servers run.

        Raises:
            subprocess.CalledProcessError: It failed.
        """
        if self.postgres is None:
            self._command("backup", str(self.backup), state_dir=self.state)
            return
        self.backup.mkdir()
        self._copy_audio()
        dump = f"--file={self.backup / 'auricle.dump'}"
        _postgres("pg_dump", f"--dbname={self.postgres.conninfo}", "--format=custom", dump)
        self._copy_audio()

    def _copy_audio(self) -> None:
        """Copy what is not there yet; files of jobs that end meanwhile vanish."""
        paths = str(self.state / "audio"), str(self.backup)
        subprocess.run(["cp", "-rn", *paths], check=False, stderr=subprocess.DEVNULL)

    @contextmanager
    def restored(self) -> Iterator[str]:
        """Restore the backup into an empty place, and run the old version there; give its URL."""
        state = self.folder / RESTORED
        settings = self.settings | {"state_dir": state}
        if self.postgres is None:
            self._command("restore", str(self.backup), state_dir=state)
        else:
            import psycopg  # may be missing

            with psycopg.connect(self.postgres.conninfo, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {RESTORED}")
            settings["database_url"] = self.postgres.conninfo.replace(
                "dbname=postgres", f"dbname={RESTORED}"
            )
            dump = str(self.backup / "auricle.dump")
            _postgres("pg_restore", "--no-owner", f"--dbname={settings['database_url']}", dump)
            shutil.copytree(self.backup / "audio", state / "audio")
        server = _server(self.old, self.log, "restored", self.environment, None, settings)
        server.start()
        try:
            server.wait_ready()
            yield server.url
        finally:
            server.end()

    def _command(self, *arguments: str, state_dir: Path) -> None:
        """Run a command of the old version."""
        environment = {
            "PYTHONPATH": str(self.old.root / "src"),
            "AURICLE_STATE_DIR": str(state_dir),
        }
        subprocess.run(
            [self.old.python, "-m", "auricle", *arguments],
            env=os.environ | environment,
            cwd=self.old.root,
            check=True,
        )


@contextmanager
def staged(
    old: Version, new: Version, log: Path, *, database: str, gateways: int, streams: int
) -> Iterator[Stage]:
    """Run gateways of the old version on one database.

    Args:
        old: The version to begin with.
        new: The version to change to.
        log: Logs are ``LOG-NAME.log``.
        database: ``sqlite`` or ``postgres``.
        gateways: Number of gateways; SQLite allows one.
        streams: Number of live streams, for their keys.
    """
    keys = {name: f"bench-upgrade-{name}" for name in (JOBS, *map(live_key, range(streams)))}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        (folder / "marks").mkdir()
        environment = {
            "AURICLE_BENCH_FAULTS": str(folder / "marks"),
            "AURICLE_BENCH_ENGINE": SCRIPTED,
            "AURICLE_BENCH_CHUNK_PACE": str(PACE),
        }
        settings: dict[str, Any] = SETTINGS | {
            "workers": max(1, WORKERS // gateways),
            "drain_s": DRAIN_S,
            "state_dir": folder / "state",
            "api_keys": ",".join(f"{name}:{key}" for name, key in keys.items()),
        }
        if (old.root / "src/auricle/voices").is_dir():
            settings["known_voices"] = "*"
        postgres = stack.enter_context(postgres_running()) if database == "postgres" else None
        if postgres is not None:
            settings["database_url"] = postgres.conninfo
        pairs = []
        for number in range(gateways):
            own = settings | {"gateway_id": f"g{number}"}
            before = _server(old, log, f"old-{number}", environment, None, own)
            after = _server(new, log, f"new-{number}", environment, before.port, own)
            pair = Gateway(before, after)
            stack.callback(pair.end)
            before.start()
            pairs.append(pair)
        for pair in pairs:
            pair.old.wait_ready()
        receiver = stack.enter_context(receiver_running())
        yield Stage(old, tuple(pairs), postgres, keys, receiver, folder, settings, environment, log)


def _server(
    version: Version,
    log: Path,
    name: str,
    environment: dict[str, str],
    port: int | None,
    settings: dict[str, Any],
) -> Server:
    path = log.with_name(f"{log.name}-{name}.log")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return Server(path, environment, checkout=(version.root, version.python), port=port, **settings)


def _postgres(program: str, *arguments: str) -> None:
    binaries = programs()
    assert binaries is not None
    subprocess.run([binaries / program, *arguments], check=True)


def _postgres_rows(conninfo: str) -> dict[str, int]:
    import psycopg  # may be missing

    with psycopg.connect(conninfo) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
        counts = {
            str(name): connection.execute(f"SELECT COUNT(*) FROM {name}").fetchall()
            for (name,) in tables
            if _is_counted(name)
        }
    return {name: int(count) for name, [(count,)] in sorted(counts.items())}


def _postgres_contents(conninfo: str) -> Contents:
    import psycopg  # may be missing

    contents = {}
    with psycopg.connect(conninfo) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
        for (name,) in tables:
            found = connection.execute(f"SELECT * FROM {name}")
            columns = [column.name for column in found.description or ()]
            contents[str(name)] = columns, sorted(map(repr, found))
    return contents


def _is_counted(table: str) -> bool:
    return not table.startswith(("sqlite_", "segments_search", "auricle_schema"))
