"""The tables, as migrations from each version to the next.

A migration that was released never changes; changes are further migrations. Each runs in one
transaction with the update of the version number.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

_JOBS = (
    """
    CREATE TABLE jobs (
        number {serial},
        owner TEXT NOT NULL,
        job_id TEXT NOT NULL,
        uid TEXT NOT NULL,
        trace_id TEXT NOT NULL,
        digest TEXT NOT NULL,
        request {bytes} NOT NULL,
        audio TEXT NOT NULL,
        audio_bytes BIGINT NOT NULL,
        callback_url TEXT,
        accepted_at {real} NOT NULL,
        ready_at {real} NOT NULL,
        state TEXT NOT NULL,
        fence BIGINT NOT NULL,
        gateway TEXT,
        lease_until {real} NOT NULL,
        losses INTEGER NOT NULL,
        finished_at {real},
        expires_at {real},
        has_audio INTEGER NOT NULL,
        progress {real} NOT NULL,
        text TEXT NOT NULL,
        result {bytes},
        error {bytes},
        UNIQUE (owner, job_id)
    )
    """,
    """
    CREATE INDEX jobs_unfinished ON jobs (owner, state, number, ready_at, audio_bytes)
    WHERE state IN ('queued', 'running')
    """,
    "CREATE INDEX jobs_running ON jobs (lease_until) WHERE state = 'running'",
    "CREATE INDEX jobs_audio ON jobs (audio) WHERE has_audio = 1",
    "CREATE INDEX jobs_expiry ON jobs (expires_at) WHERE expires_at IS NOT NULL",
    "CREATE INDEX jobs_owner ON jobs (owner, number)",
    """
    CREATE TABLE chunks (
        job_number BIGINT NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
        chunk_key TEXT NOT NULL,
        payload {bytes} NOT NULL,
        PRIMARY KEY (job_number, chunk_key)
    )
    """,
    """
    CREATE TABLE deliveries (
        event_id TEXT PRIMARY KEY,
        job_number BIGINT NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
        owner TEXT NOT NULL,
        url TEXT NOT NULL,
        created_at {real} NOT NULL,
        next_at {real} NOT NULL,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        status INTEGER
    )
    """,
    "CREATE INDEX deliveries_due ON deliveries (next_at) WHERE state = 'pending'",
    "CREATE INDEX deliveries_job ON deliveries (job_number)",
)

_TRANSCRIPTS = (
    """
    CREATE TABLE transcripts (
        number {serial},
        uid TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        source TEXT NOT NULL,
        language TEXT NOT NULL,
        started_at {real} NOT NULL,
        ended_at {real} NOT NULL
    )
    """,
    "CREATE INDEX transcripts_owner ON transcripts (owner, number)",
    "CREATE INDEX transcripts_age ON transcripts (ended_at)",
    """
    CREATE TABLE segments (
        number {serial},
        transcript_number BIGINT NOT NULL REFERENCES transcripts (number) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        start_ms BIGINT NOT NULL,
        end_ms BIGINT NOT NULL,
        scope TEXT NOT NULL,
        text TEXT NOT NULL,
        UNIQUE (transcript_number, position)
    )
    """,
)

_KEPT_AUDIO = (
    "ALTER TABLE jobs ADD COLUMN keep_audio_s {real} NOT NULL DEFAULT 0",
    "ALTER TABLE jobs ADD COLUMN audio_until {real}",
    """
    CREATE INDEX jobs_kept_audio ON jobs (owner, audio_bytes) WHERE audio_until IS NOT NULL
    """,
    """
    CREATE INDEX jobs_audio_expiry ON jobs (audio_until) WHERE audio_until IS NOT NULL
    """,
)

_RECEIVERS = (
    "ALTER TABLE deliveries ADD COLUMN receiver TEXT NOT NULL DEFAULT ''",
    "DROP INDEX deliveries_due",
    """
    CREATE INDEX deliveries_due ON deliveries (next_at, receiver, owner)
    WHERE state = 'pending'
    """,
)

_SQLITE_SEARCH = (
    """
    CREATE VIRTUAL TABLE segments_search USING fts5(
        scope, text, content='segments', content_rowid='number',
        tokenize='unicode61 remove_diacritics 2'
    )
    """,
    """
    CREATE TRIGGER segments_added AFTER INSERT ON segments BEGIN
        INSERT INTO segments_search (rowid, scope, text)
        VALUES (new.number, new.scope, new.text);
    END
    """,
    """
    CREATE TRIGGER segments_deleted AFTER DELETE ON segments BEGIN
        INSERT INTO segments_search (segments_search, rowid, scope, text)
        VALUES ('delete', old.number, old.scope, old.text);
    END
    """,
)

_SEGMENT_RANGES = (
    "ALTER TABLE transcripts ADD COLUMN first_segment BIGINT",
    "ALTER TABLE transcripts ADD COLUMN last_segment BIGINT",
    """
    UPDATE transcripts SET
        first_segment = (SELECT min(segments.number) FROM segments
                         WHERE transcript_number = transcripts.number),
        last_segment = (SELECT max(segments.number) FROM segments
                        WHERE transcript_number = transcripts.number)
    """,
    """
    CREATE INDEX transcripts_search
    ON transcripts (owner, started_at, language, source, first_segment, last_segment)
    """,
)

_SPEAKERS = (
    "ALTER TABLE segments ADD COLUMN speaker INTEGER",
    "ALTER TABLE transcripts ADD COLUMN speaker_names TEXT NOT NULL DEFAULT ''",
)

_WORDS = ("ALTER TABLE segments ADD COLUMN words TEXT NOT NULL DEFAULT ''",)

_FILE_NAMES = (
    "ALTER TABLE jobs ADD COLUMN file_name TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE jobs ADD COLUMN duration_ms BIGINT",
)

_REVISIONS = ("ALTER TABLE transcripts ADD COLUMN revision BIGINT NOT NULL DEFAULT 0",)

_PARTS = ("ALTER TABLE segments ADD COLUMN parts TEXT NOT NULL DEFAULT ''",)

_FEEDS = (
    """
    CREATE TABLE feeds (
        session TEXT PRIMARY KEY,
        gateway TEXT NOT NULL,
        owner TEXT NOT NULL,
        source TEXT NOT NULL,
        request_id TEXT NOT NULL,
        started_at {real} NOT NULL,
        start_ms BIGINT NOT NULL,
        final_ms BIGINT NOT NULL,
        withdrawn TEXT NOT NULL,
        number BIGINT NOT NULL,
        seen_at {real} NOT NULL
    )
    """,
    """
    CREATE TABLE feed_finals (
        session TEXT NOT NULL REFERENCES feeds (session) ON DELETE CASCADE,
        number BIGINT NOT NULL,
        final {bytes} NOT NULL,
        PRIMARY KEY (session, number)
    )
    """,
)

_VOICES = (
    """
    CREATE TABLE voices (
        session TEXT PRIMARY KEY,
        gateway TEXT NOT NULL,
        owner TEXT NOT NULL,
        voices {bytes} NOT NULL,
        seen_at {real} NOT NULL
    )
    """,
)

_JOB_APIS = (
    "ALTER TABLE jobs ADD COLUMN api TEXT NOT NULL DEFAULT 'native'",
    "ALTER TABLE jobs ADD COLUMN answer {bytes} NOT NULL DEFAULT {no_bytes}",
)

_EVENTS = (
    "CREATE INDEX jobs_uid ON jobs (uid)",
    "DROP INDEX deliveries_due",
    "DROP INDEX deliveries_job",
    "ALTER TABLE deliveries RENAME TO deliveries_of_jobs",
    """
    CREATE TABLE deliveries (
        event_id TEXT PRIMARY KEY,
        type TEXT NOT NULL,
        subject TEXT NOT NULL,
        owner TEXT NOT NULL,
        payload {bytes} NOT NULL,
        url TEXT NOT NULL,
        receiver TEXT NOT NULL,
        created_at {real} NOT NULL,
        next_at {real} NOT NULL,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        status INTEGER
    )
    """,
    """
    INSERT INTO deliveries
    SELECT event_id, 'job.' || jobs.state, 'jobs/' || jobs.uid, deliveries_of_jobs.owner,
           CAST('' AS {bytes}), url, receiver, created_at, next_at, deliveries_of_jobs.state,
           attempts, status
    FROM deliveries_of_jobs JOIN jobs ON jobs.number = job_number
    """,
    "DROP TABLE deliveries_of_jobs",
    """
    CREATE INDEX deliveries_due ON deliveries (next_at, receiver, owner)
    WHERE state = 'pending'
    """,
    "CREATE INDEX deliveries_subject ON deliveries (subject)",
)

_VOCABULARIES = (
    """
    CREATE TABLE vocabularies (
        owner TEXT NOT NULL,
        name TEXT NOT NULL,
        content {bytes} NOT NULL,
        is_default INTEGER NOT NULL,
        changed_at {real} NOT NULL,
        PRIMARY KEY (owner, name)
    )
    """,
)

_KNOWN_VOICES = (
    """
    CREATE TABLE known_voices (
        number {serial},
        uid TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        name TEXT NOT NULL,
        model TEXT NOT NULL,
        embedding {bytes} NOT NULL,
        speech_s {real} NOT NULL,
        created_at {real} NOT NULL,
        changed_at {real} NOT NULL,
        UNIQUE (owner, name)
    )
    """,
    """
    CREATE TABLE recent_voices (
        transcript_number BIGINT NOT NULL REFERENCES transcripts (number) ON DELETE CASCADE,
        speaker INTEGER NOT NULL,
        model TEXT NOT NULL,
        embedding {bytes} NOT NULL,
        speech_s {real} NOT NULL,
        expires_at {real} NOT NULL,
        PRIMARY KEY (transcript_number, speaker)
    )
    """,
    "CREATE INDEX recent_voices_expiry ON recent_voices (expires_at)",
    "ALTER TABLE transcripts ADD COLUMN known_names TEXT NOT NULL DEFAULT ''",
)

Migrations = Sequence[Sequence[str]]
"""The statements of each migration; the first leads from version 0, an empty database, to 1."""


@dataclass(frozen=True, slots=True)
class SchemaDialect:
    """How the tables are written for one database.

    Attributes:
        serial: Type of a primary key that counts up; numbers of deleted rows are not used again.
        bytes: Type of bytes.
        no_bytes: The literal of no bytes.
        real: Type of a floating-point number with 64 bits.
        search: Statements that add the index of texts to ``segments``.
    """

    serial: str
    bytes: str
    no_bytes: str
    real: str
    search: Sequence[str]


def migrations_for(dialect: SchemaDialect) -> Migrations:
    """Return all migrations of a database."""
    types = asdict(dialect)

    def written(statements: Sequence[str]) -> list[str]:
        return [statement.format_map(types) for statement in statements]

    return (
        written(_JOBS),
        [*written(_TRANSCRIPTS), *dialect.search],
        written(_KEPT_AUDIO),
        written(_RECEIVERS),
        written(_SEGMENT_RANGES),
        written(_SPEAKERS),
        written(_WORDS),
        written(_FILE_NAMES),
        written(_REVISIONS),
        written(_PARTS),
        written(_FEEDS),
        written(_VOICES),
        written(_JOB_APIS),
        written(_EVENTS),
        written(_VOCABULARIES),
        written(_KNOWN_VOICES),
    )


SQLITE_MIGRATIONS = migrations_for(
    SchemaDialect(
        serial="INTEGER PRIMARY KEY AUTOINCREMENT",
        bytes="BLOB",
        no_bytes="x''",
        real="REAL",
        search=_SQLITE_SEARCH,
    )
)
