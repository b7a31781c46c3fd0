from tests.support.worker_pool import open_pool

__all__ = ["open_pool"]
