"""What is expected in the speech of a request, and how its words are written.

An optional part says so for each key; without it, only the hot words of the request are expected.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from auricle.values.errors import UnsupportedOption
from auricle.values.limits import MAX_HOTWORDS
from auricle.values.text_filters import FilterChoice
from auricle.values.types import ClientId, Options


@dataclass(frozen=True, slots=True)
class Wording:
    """What is added to the hot words and the prompt of a request.

    Attributes:
        hotwords: Further hot words, the most useful first.
        filters: Text filters.
    """

    hotwords: tuple[str, ...] = ()
    filters: tuple[FilterChoice, ...] = ()

    def applied(self, options: Options) -> Options:
        """Return options with the further hot words after those of the request, up to the limit."""
        if not self.hotwords:
            return options
        words = tuple(dict.fromkeys(options.hotwords + self.hotwords))
        return replace(options, hotwords=words[:MAX_HOTWORDS])


NO_WORDING = Wording()

WordingOf = Callable[[Options], Wording]
"""Returns the wording for the options of a request."""


class Wordings(Protocol):
    """What is known of the speech of all keys."""

    async def find(self, owner: ClientId | None, name: str) -> WordingOf:
        """Return what is known under a name.

        Args:
            owner: The key; ``None``: there is none.
            name: The name; empty: what applies to requests of the key that have none.

        Raises:
            NotFound: The key has nothing of this name.
            UnsupportedOption: This installation lacks the part.
            LedgerUnavailable: The database does not answer.
        """
        ...


def no_wording(options: Options) -> Wording:
    """Return that nothing is known but the request."""
    return NO_WORDING


class NoWordings:
    """What stands in for the part where it is missing."""

    async def find(self, owner: ClientId | None, name: str) -> WordingOf:
        """Return that nothing is known; see :meth:`Wordings.find`."""
        if name:
            raise UnsupportedOption("This server has no vocabularies; remove `vocabulary`.")
        return no_wording


NO_WORDINGS = NoWordings()
