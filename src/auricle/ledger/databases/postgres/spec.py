"""PostgreSQL as a database of the ledger."""

from auricle.ledger.databases.database import Database
from auricle.ledger.databases.spec import DatabaseSpec
from auricle.values.errors import SetupError

DRIVER = "psycopg[binary,pool]>=3.2"


def _open(url: str) -> Database:
    try:
        from auricle.ledger.databases.postgres.database import PostgresDatabase
    except ModuleNotFoundError as error:
        raise SetupError(
            f"AURICLE_DATABASE_URL requires psycopg. Run: pip install '{DRIVER}'"
        ) from error
    return PostgresDatabase.open(url)


SPEC = DatabaseSpec(
    title="PostgreSQL",
    schemes=("postgresql", "postgres", ""),
    open=_open,
    backup='pg_dump --dbname="$AURICLE_DATABASE_URL" --format=custom --file=auricle.dump',
    restore='pg_restore --exit-on-error --no-owner --dbname="$AURICLE_DATABASE_URL" auricle.dump',
)
