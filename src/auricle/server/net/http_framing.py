"""h11's parser with two rules more: how long a head may be, and one length for each body.

h11 bounds a head only while it is incomplete, so a whole one could have as much as was read at
once above the limit. And where a request has both Content-Length and Transfer-Encoding it goes by
the latter, while a proxy in front may go by the former: what follows would be another request to
one of them (request smuggling, RFC 9112 §6.1 and §11.2).
"""

import re

import h11

_END_OF_HEAD = re.compile(rb"\n\r?\n")


class BadFraming(h11.RemoteProtocolError):
    """A request whose body has no length that everybody agrees on."""


class ServerConnection(h11.Connection):
    """See the module.

    Args:
        max_head_bytes: Length of a head with its request line and the blank line at its end.
    """

    def __init__(self, max_head_bytes: int) -> None:
        super().__init__(h11.SERVER, max_head_bytes)
        self._max_head_bytes = max_head_bytes

    def next_event(self) -> "h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]":
        """Return the next event, as h11 does.

        Raises:
            h11.RemoteProtocolError: This isn't HTTP/1.1, the head is too long, or the body's length
                is ambiguous (:class:`BadFraming`).
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
        # The search ends with a blank line that ends at the limit.
        if _END_OF_HEAD.search(received, 0, self._max_head_bytes) is None:
            raise h11.RemoteProtocolError("The head is too long.", error_status_hint=431)


def _check_framing(request: h11.Request) -> None:
    names = {name for name, _ in request.headers}
    if b"transfer-encoding" not in names:
        return
    if b"content-length" in names or request.http_version < b"1.1":
        raise BadFraming("Transfer-Encoding with Content-Length, or in HTTP/1.0.")
