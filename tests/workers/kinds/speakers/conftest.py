from tests.support.server_fixtures import logged

__all__ = ["logged"]
