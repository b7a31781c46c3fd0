from tests.support.database_fixtures import database, location, postgres

__all__ = ["database", "location", "postgres"]
