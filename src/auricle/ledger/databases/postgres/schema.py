"""The tables in PostgreSQL."""

from auricle.ledger.databases.schema import SchemaDialect, migrations_for

_SEARCH = (
    """
    ALTER TABLE segments ADD COLUMN search TSVECTOR
    GENERATED ALWAYS AS (to_tsvector('simple', scope || ' ' || text)) STORED
    """,
    "CREATE INDEX segments_search ON segments USING GIN (search)",
)

POSTGRES_MIGRATIONS = migrations_for(
    SchemaDialect(
        serial="BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        bytes="BYTEA",
        no_bytes="''",
        real="DOUBLE PRECISION",
        search=_SEARCH,
    )
)
