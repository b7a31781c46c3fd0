"""Looks up the vocabulary of a request when it begins.

A vocabulary is read again after two seconds, so that another gateway's change is used soon, and
many requests in a row cost one read. While the database does not answer, what was read last is
used: a request is more important than the newest change.
"""

import re
import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace

import anyio
from anyio import CapacityLimiter, to_thread

from auricle.ledger.databases.database import REFUSALS
from auricle.text.filters.registry import open_filters
from auricle.values.errors import LedgerUnavailable, NotFound
from auricle.values.limits import VOCABULARY_NAME
from auricle.values.types import ClientId, Options
from auricle.values.wording import NO_WORDING, Wording, WordingOf, Wordings
from auricle.vocabularies.content import with_terms, wording_of
from auricle.vocabularies.stored import StoredVocabulary, Vocabularies
from auricle.vocabularies.term_counts import TermCounts, TermIndex

FRESH_S = 2.0
"""How long what was read is used without another look, in seconds."""
READ_S = 2.0
"""Longest wait for the database, in seconds."""
MAX_REMEMBERED_CHARACTERS = 5_000_000
"""Characters of the vocabularies in memory; each takes about 20 bytes, with all objects."""
SMALL_CHARACTERS = 10_000
"""Options of filters up to this size are prepared at once, in some 20 ms."""
THREADS = 2


@dataclass(frozen=True, slots=True)
class _Read:
    """What the database had at some time.

    Attributes:
        at: Monotonic time.
        stored: The vocabulary; ``None``: there is none.
        recent: Its terms in recent finals, the latest first.
        wording: What it adds to a request that names no terms itself.
        index: Finds its terms in finals.
    """

    at: float
    stored: StoredVocabulary | None = None
    recent: tuple[str, ...] = ()
    wording: Wording = NO_WORDING
    index: TermIndex = field(default_factory=TermIndex)

    @property
    def size(self) -> int:
        """Characters of the vocabulary as filters get it, and some for the entry."""
        return 500 + sum(len(each.options) for each in self.wording.filters)

    def __call__(self, options: Options) -> Wording:
        """Return the wording of a request."""
        return with_terms(self.wording, options)


NOTHING_READ = _Read(-FRESH_S)


class VocabularySource:
    """Finds the vocabularies of all keys: the :class:`.Wordings` of the server.

    Args:
        vocabularies: The vocabularies in the database.

    Attributes:
        counts: Counts the terms of what it finds in live finals.
    """

    def __init__(self, vocabularies: Vocabularies) -> None:
        self.counts = TermCounts()
        self._vocabularies = vocabularies
        self._threads = CapacityLimiter(THREADS)
        self._known: OrderedDict[tuple[ClientId, str], _Read] = OrderedDict()
        self._size = self._changes = 0

    async def find(self, owner: ClientId | None, name: str) -> WordingOf:
        """Return the vocabulary of a request; see :meth:`.Wordings.find`."""
        found = NOTHING_READ
        if owner is not None and (not name or re.fullmatch(VOCABULARY_NAME, name)):
            found = await self._find(owner, name)
        if found.stored is None and name:
            raise NotFound("There is no such vocabulary; `PUT /v1/vocabularies/NAME` adds one.")
        return found

    def forget(self, owner: ClientId) -> None:
        """Read the vocabularies of a key again, after a change."""
        self._changes += 1
        for each in [each for each in self._known if each[0] == owner]:
            self._size -= self._known.pop(each).size

    def _read(self, owner: ClientId, name: str, known: _Read) -> _Read:
        stored = self._vocabularies.find(owner, name)
        if stored is None:
            return _Read(time.monotonic())
        recent = tuple(each.term for each in self.counts.recent(owner, stored.name))
        wording = wording_of(stored.content, Options(), recent)
        if known.stored == stored:
            index = known.index
        else:
            index = TermIndex(each.term for each in stored.content.terms)
        return _Read(time.monotonic(), stored, recent, wording, index)

    async def _find(self, owner: ClientId, name: str) -> _Read:
        found = self._known.get((owner, name), NOTHING_READ)
        if time.monotonic() - found.at >= FRESH_S:
            found = await self._read_again(owner, name, found)
        if any(len(each.options) > SMALL_CHARACTERS for each in found.wording.filters):
            await to_thread.run_sync(open_filters, found.wording.filters)  # prepares them once
        return found

    async def _read_again(self, owner: ClientId, name: str, known: _Read) -> _Read:
        changes = self._changes
        try:
            with anyio.fail_after(READ_S):
                found = await to_thread.run_sync(
                    self._read,
                    owner,
                    name,
                    known,
                    limiter=self._threads,
                    abandon_on_cancel=True,
                )
        except (TimeoutError, *REFUSALS) as error:
            if known is NOTHING_READ and name:
                raise LedgerUnavailable("The vocabulary can't be read now.", 1) from error
            found = replace(known, at=time.monotonic())
        if found.stored is not None:
            self.counts.count(owner, found.stored.name, found.index)
        if changes == self._changes and not (name and found.stored is None):
            self._remember((owner, name), found)
        return found

    def _remember(self, key: tuple[ClientId, str], found: _Read) -> None:
        if (former := self._known.pop(key, None)) is not None:
            self._size -= former.size
        self._known[key] = found
        self._size += found.size
        while self._size > MAX_REMEMBERED_CHARACTERS:
            self._size -= self._known.popitem(last=False)[1].size


def counts_of(wordings: Wordings) -> TermCounts:
    """Return what counts the terms of a server's vocabularies; those of others do not count."""
    return wordings.counts if isinstance(wordings, VocabularySource) else TermCounts()
