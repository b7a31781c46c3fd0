from tests.apis.real_server import server
from tests.support.server_fixtures import logged, service

__all__ = ["logged", "server", "service"]
