from tests.support.server_fixtures import logged, service

__all__ = ["logged", "service"]
