"""Where requests carry their key or token."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.datastructures import Headers


@dataclass(frozen=True, slots=True)
class KeyStyle:
    """How the clients of APIs send keys, in addition to ``Authorization: Bearer KEY``.

    Attributes:
        schemes: Further schemes of ``Authorization``, in lower case.
        headers: Headers with the key alone.
        subprotocols: Beginnings of WebSocket subprotocols that continue with a key. A browser can't
            set headers on a WebSocket.
        introductions: First subprotocols that announce a key in the second one, in lower case.
        token_prefixes: What may precede a token. A token may be followed by ``~`` and options of
            its API.
    """

    schemes: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    subprotocols: tuple[str, ...] = ()
    introductions: tuple[str, ...] = ()
    token_prefixes: tuple[str, ...] = ()

    @classmethod
    def all_of(cls, styles: Iterable["KeyStyle"]) -> "KeyStyle":
        """Return a style that accepts what any of these accepts."""
        parts = tuple(styles)
        return cls(
            tuple(each for style in parts for each in style.schemes),
            tuple(each for style in parts for each in style.headers),
            tuple(each for style in parts for each in style.subprotocols),
            tuple(each for style in parts for each in style.introductions),
            tuple(each for style in parts for each in style.token_prefixes),
        )

    def presented(self, headers: "Headers", subprotocols: Sequence[str] = ()) -> str:
        """Return the key or token in a request, valid or not; empty if there is none.

        It is Latin-1, the original bytes.
        """
        return self.sent(headers) or self._offered(subprotocols)

    def sent(self, headers: "Headers") -> str:
        """Return the key or token in the headers of a request; empty if there is none."""
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() in ("bearer", *self.schemes) and key.strip():
            return key.strip()
        alone = (headers.get(name, "").strip() for name in self.headers)
        return next(filter(None, alone), "")

    def token_of(self, presented: str) -> str:
        """Return the token in what a request presents; the same text if it is none."""
        for prefix in self.token_prefixes:
            presented = presented.removeprefix(prefix)
        return presented.partition("~")[0]

    def _offered(self, subprotocols: Sequence[str]) -> str:
        keys = [
            name.removeprefix(start)
            for name in subprotocols
            for start in self.subprotocols
            if name.startswith(start)
        ]
        if len(subprotocols) > 1 and subprotocols[0].lower() in self.introductions:
            keys.append(subprotocols[1])
        return next(iter(keys), "")


BEARER = KeyStyle()
"""``Authorization: Bearer KEY`` only."""
