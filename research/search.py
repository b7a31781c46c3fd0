"""Time of a search over kept transcripts, in SQLite and in PostgreSQL.

    python -m research.search [--segments 1000000] [--rounds 7] [--database sqlite postgres]

Fills a database with the speech of 20 keys, of which one has nine tenths: segments of nine words
from a vocabulary of 50,000 whose frequencies follow Zipf's law, 100 to a transcript, one transcript
a minute. Then searches as ``GET /v1/transcripts?q=`` does, without HTTP. Each figure is the median
over the rounds, in milliseconds.

PostgreSQL is started in a temporary directory if it is installed, without waiting for the disk.
"""

import contextlib
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from auricle.apis.transcripts.stored.transcripts import (
    Filter,
    KeptSegment,
    KeptTranscript,
    Transcripts,
)
from auricle.ledger.databases.database import Database
from auricle.ledger.databases.sqlite import SqliteDatabase
from auricle.values.types import ClientId
from bench.lib.report import command_line, publish, show_targets
from tests.support.postgres import postgres_server, programs

OWNERS = 20
LARGE_SHARE = 0.9
VOCABULARY = 50_000
WORDS = 9
SEGMENTS_PER_TRANSCRIPT = 100
STARTED_AT = 1.8e9
LIMIT_MS = 50.0

LARGE, SMALL = ClientId("key-0"), ClientId("key-1")


def word(rank: int) -> str:
    """Return a word by its rank; the commonest is rank 0."""
    return f"w{rank:05d}"


def fill(transcripts: Transcripts, segments: int) -> None:
    """Store transcripts, one a minute."""
    random = np.random.default_rng(1)
    weights = 1 / np.arange(1, VOCABULARY + 1)
    weights /= weights.sum()
    for number in range(segments // SEGMENTS_PER_TRANSCRIPT):
        if number % 1000 == 0:
            print(f"  {number * SEGMENTS_PER_TRANSCRIPT} segments", flush=True)
        is_large = random.random() < LARGE_SHARE
        owner = LARGE if is_large else ClientId(f"key-{random.integers(1, OWNERS)}")
        ranks = random.choice(VOCABULARY, (SEGMENTS_PER_TRANSCRIPT, WORDS), p=weights)
        started_at = STARTED_AT + 60 * number
        transcripts.add(
            KeptTranscript(f"{number:016x}", owner, "native", "en", started_at, started_at + 50),
            [
                KeptSegment(
                    position, position * 500, position * 500 + 400, " ".join(map(word, row))
                )
                for position, row in enumerate(ranks.tolist())
            ],
        )


def searches(segments: int) -> dict[str, tuple[ClientId, str, Filter]]:
    """Return the searches by name: owner, words and filter."""
    half_at = STARTED_AT + 60 * segments / SEGMENTS_PER_TRANSCRIPT / 2
    commonest = word(0)
    return {
        "commonest word": (LARGE, commonest, Filter()),
        "two common words": (LARGE, f"{word(0)} {word(1)}", Filter()),
        "two middling words": (LARGE, f"{word(100)} {word(150)}", Filter()),
        "rare word": (LARGE, word(40_000), Filter()),
        "common and rare word": (LARGE, f"{commonest} {word(30_000)}", Filter()),
        "unknown word": (LARGE, "nothing", Filter()),
        "small key": (SMALL, commonest, Filter()),
        "language without a match": (LARGE, commonest, Filter(language="de")),
        "until the middle": (LARGE, commonest, Filter(until=half_at)),
        "an hour in the middle": (LARGE, commonest, Filter(since=half_at, until=half_at + 3600)),
        "list": (LARGE, "", Filter()),
    }


def measure(transcripts: Transcripts, segments: int, rounds: int) -> dict[str, float]:
    """Return the median time of each search in milliseconds."""
    medians = {}
    for name, (owner, words, filter) in searches(segments).items():
        took_ms = []
        for _ in range(rounds):
            began_at = time.perf_counter()
            if words:
                transcripts.search(owner, words, filter, limit=100)
            else:
                transcripts.page(owner, filter, limit=100)
            took_ms.append((time.perf_counter() - began_at) * 1000)
        medians[name] = round(statistics.median(took_ms), 2)
        print(f"  {name}: {medians[name]:.2f} ms", flush=True)
    return medians


@contextlib.contextmanager
def opened(kind: str) -> Iterator[Database | None]:
    """Open an empty database; ``None`` if it is not installed."""
    if kind == "sqlite":
        with (
            TemporaryDirectory() as directory,
            contextlib.closing(SqliteDatabase.open(Path(directory))) as database,
        ):
            yield database
        return
    if (binaries := programs()) is None:
        yield None
        return
    from auricle.ledger.databases.postgres.database import PostgresDatabase  # may be missing

    with (
        postgres_server(binaries) as server,
        contextlib.closing(PostgresDatabase.open(server.conninfo)) as database,
    ):
        yield database


def run(kind: str, segments: int, rounds: int) -> dict[str, Any] | None:
    """Fill and measure one database; ``None`` if it is not installed."""
    with opened(kind) as database:
        if database is None:
            print(f"{kind}: not installed")
            return None
        transcripts = Transcripts(database)
        began_at = time.monotonic()
        fill(transcripts, segments)
        fill_s = round(time.monotonic() - began_at, 1)
        print(f"{kind}: {segments} segments stored in {fill_s} s", flush=True)
        if kind == "postgres":  # its own maintenance does so within a minute
            database.write("analyze", lambda transaction: transaction.execute("ANALYZE"))
        return {"fill_s": fill_s, "search_ms": measure(transcripts, segments, rounds)}


def main() -> None:
    parser = command_line(__doc__, "search")
    parser.add_argument("--segments", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7, help="searches of each kind")
    parser.add_argument(
        "--database", nargs="+", choices=("sqlite", "postgres"), default=("sqlite", "postgres")
    )
    arguments = parser.parse_args()
    result: dict[str, Any] = {"segments": arguments.segments, "rounds": arguments.rounds}
    for kind in arguments.database:
        if (figures := run(kind, arguments.segments, arguments.rounds)) is not None:
            result[kind] = figures
    publish(arguments.out, result)
    show_targets(
        {
            f"{kind}: every search within {LIMIT_MS:g} ms": max(result[kind]["search_ms"].values())
            <= LIMIT_MS
            for kind in arguments.database
            if kind in result
        }
    )


if __name__ == "__main__":
    main()
