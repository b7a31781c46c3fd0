"""h11's parser with two more checks: the head's length, and an unambiguous body length.

h11 limits a head only while it is incomplete, so a complete one can exceed the limit by one read.
If a request has both Content-Length and Transfer-Encoding, h11 uses the latter, while a proxy may
use the former. The two would then disagree where the next request begins (request smuggling,
RFC 9112 §6.1 and §11.2).
"""

import re

import h11

_END_OF_HEAD = re.compile(rb"\n\r?\n")


class BadFraming(h11.RemoteProtocolError):
    """A request with an ambiguous body length."""


class ServerConnection(h11.Connection):
    """h11's server connection with stricter checks; see the module.

    Args:
        max_head_bytes: Maximum head, including the request line and the final blank line.
    """

    def __init__(self, max_head_bytes: int) -> None:
        super().__init__(h11.SERVER, max_head_bytes)
        self._max_head_bytes = max_head_bytes

    def next_event(self) -> "h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]":
        """Return the next event, as h11 does.

        Raises:
            h11.RemoteProtocolError: The request is malformed, its head is too long, or its body
                length is ambiguous (:class:`BadFraming`).
        """
        if self.their_state is h11.IDLE:
            self._check_head(self.trailing_data[0])
        event = super().next_event()
        if isinstance(event, h11.Request):
            _check_framing(event)
        return event

    def _check_head(self, received: bytes) -> None:
        if len(received) <= self._max_head_bytes:
            return
        # Finds a blank line that ends at the limit or before it.
        if _END_OF_HEAD.search(received, 0, self._max_head_bytes) is None:
            raise h11.RemoteProtocolError("The head is too long.", error_status_hint=431)


def _check_framing(request: h11.Request) -> None:
    names = {name for name, _ in request.headers}
    if b"transfer-encoding" not in names:
        return
    if b"content-length" in names or request.http_version < b"1.1":
        raise BadFraming("Transfer-Encoding with Content-Length, or in HTTP/1.0.")
