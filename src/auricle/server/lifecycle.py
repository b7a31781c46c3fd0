"""Requests in progress, and whether the server still accepts new work."""

from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from auricle.values.errors import Draining

RETRY_S = 5
"""Time after which clients retry what the server can't do now, in seconds."""


class Lifecycle:
    """From the start of a server until it has drained.

    Attributes:
        is_draining: Whether new work is refused.
    """

    def __init__(self) -> None:
        self.is_draining = False
        self._requests: set[anyio.CancelScope] = set()

    @property
    def requests(self) -> int:
        """Number of requests in progress."""
        return len(self._requests)

    @contextmanager
    def request_scope(self) -> Iterator[anyio.CancelScope]:
        """Register a request while it is in progress; :meth:`end_requests` cancels the scope."""
        with anyio.CancelScope() as scope:
            self._requests.add(scope)
            try:
                yield scope
            finally:
                self._requests.discard(scope)

    def check_serving(self) -> None:
        """Check that the server accepts new work.

        Raises:
            Draining: The service is shutting down.
        """
        if self.is_draining:
            raise Draining()

    def drain(self) -> None:
        """Refuse new work from now on."""
        self.is_draining = True

    def end_requests(self) -> None:
        """Cancel the requests in progress; their clients get a retryable error."""
        for scope in self._requests:
            scope.cancel()
