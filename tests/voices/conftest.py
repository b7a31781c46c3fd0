from tests.support.database_fixtures import database, location, postgres
from tests.support.server_fixtures import logged

__all__ = ["database", "location", "logged", "postgres"]
