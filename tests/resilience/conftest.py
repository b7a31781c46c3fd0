from tests.support.postgres_fixtures import postgres
from tests.support.s3_fixtures import bucket_settings, s3
from tests.support.server_fixtures import logged

__all__ = ["bucket_settings", "logged", "postgres", "s3"]
