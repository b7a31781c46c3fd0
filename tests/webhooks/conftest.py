"""The command line and both databases, for tests of webhooks."""

from tests.cli.conftest import auricle
from tests.support.database_fixtures import database, location, postgres
from tests.support.server_fixtures import logged

__all__ = ["auricle", "database", "location", "logged", "postgres"]
