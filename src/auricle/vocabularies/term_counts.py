"""Counts the terms of vocabularies in the finals of live sessions, in memory only.

A text is looked up word by word, so the time grows with the text and not with the number of terms.
A key without vocabularies costs nothing.
"""

import re
import time
import unicodedata
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from auricle.server.live.followers import SessionFollower, SessionFollowers
from auricle.session.output import Revised
from auricle.values.events import Final, SessionEvent
from auricle.values.types import ClientId

MAX_COUNTED_TERMS = 100_000
"""Terms of all keys in memory; each takes about 600 bytes."""
MAX_COUNTED_VOCABULARIES = 10
"""Vocabularies of a key whose terms are counted."""
MAX_TERM_WORDS = 8
"""Longer terms are not counted."""
MAX_TEXT_CHARACTERS = 1000
"""What is looked up of a final; its 30 s of speech are usually shorter."""

_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff"
)
"""Thai, Lao, Myanmar, Khmer, Kana, Han and Hangul: each character is a word."""
_WORD = re.compile(rf"[{_SPACELESS}]|[^\W{_SPACELESS}]+[+#]*")


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFC", text).casefold())


class TermIndex:
    """Finds terms in texts, as whole words, without regard to case and punctuation.

    Args:
        terms: The terms.
    """

    def __init__(self, terms: Iterable[str] = ()) -> None:
        self.terms = frozenset(terms)
        self._by_words: dict[tuple[str, ...], list[str]] = defaultdict(list)
        self._lengths: dict[str, set[int]] = defaultdict(set)
        for term in self.terms:
            words = tuple(_words(term))
            if 0 < len(words) <= MAX_TERM_WORDS:
                self._by_words[words].append(term)
                self._lengths[words[0]].add(len(words))

    def find(self, words: Sequence[str]) -> Iterator[str]:
        """Yield the terms in the words of a text, each as often as it is there."""
        for start, word in enumerate(words):
            for length in self._lengths.get(word, ()):
                found = tuple(words[start : start + length])
                if len(found) == length:
                    yield from self._by_words.get(found, ())


@dataclass(frozen=True, slots=True)
class TermCount:
    """How often a term was in finals.

    Attributes:
        term: The term.
        count: How often.
        last_at: Unix time of the last one.
    """

    term: str
    count: int
    last_at: float


@dataclass(slots=True)
class _Counted:
    """A vocabulary whose terms are counted."""

    index: TermIndex = field(default_factory=TermIndex)
    counts: dict[str, TermCount] = field(default_factory=dict)

    def replace(self, index: TermIndex) -> None:
        self.index = index
        self.counts = {term: each for term, each in self.counts.items() if term in index.terms}

    def note(self, words: Sequence[str], at: float) -> None:
        for term in self.index.find(words):
            before = self.counts.get(term)
            self.counts[term] = TermCount(term, before.count + 1 if before else 1, at)


class TermCounts(SessionFollowers):
    """Counts the terms of the vocabularies that keys have used since the server's start.

    A key's terms count in all its sessions, whichever vocabulary they use. Where there are too
    many, those that were not used for longest are forgotten.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[ClientId, OrderedDict[str, _Counted]] = OrderedDict()
        self._size = 0

    def count(self, owner: ClientId, name: str, index: TermIndex) -> None:
        """Count the terms of a vocabulary from now on; those it had before keep their counts."""
        names = self._known.setdefault(owner, OrderedDict())
        counted = names.setdefault(name, _Counted())
        self._size += len(index.terms) - len(counted.index.terms)
        counted.replace(index)
        names.move_to_end(name)
        self._known.move_to_end(owner)
        if len(names) > MAX_COUNTED_VOCABULARIES:
            self.forget(owner, next(iter(names)))
        while self._size > MAX_COUNTED_TERMS:
            first = next(iter(self._known))
            self.forget(first, next(iter(self._known[first])))

    def forget(self, owner: ClientId, name: str) -> None:
        """Forget a vocabulary and its counts."""
        names = self._known.get(owner, OrderedDict())
        if (counted := names.pop(name, None)) is not None:
            self._size -= len(counted.index.terms)
        if not names:
            self._known.pop(owner, None)

    def recent(self, owner: ClientId, name: str) -> list[TermCount]:
        """Return the terms of a vocabulary that were in finals, the latest first."""
        counted = self._known.get(owner, OrderedDict()).get(name, _Counted())
        counts = list(counted.counts.values())  # a copy, since this may run in another thread
        return sorted(counts, key=lambda each: (each.last_at, each.count), reverse=True)

    def note(self, owner: ClientId, text: str) -> None:
        """Count the terms in a final of a key."""
        if (names := self._known.get(owner)) is not None:
            words, now = _words(text[:MAX_TEXT_CHARACTERS]), time.time()
            for counted in names.values():
                counted.note(words, now)

    def open(
        self, session_id: str, owner: ClientId | None, *_: object, **__: object
    ) -> SessionFollower:
        """Count terms in the finals of a session whose key has vocabularies."""
        if owner is None or owner not in self._known:
            return SessionFollower()
        return _Session(self, owner)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[SessionFollowers]:
        """Yield itself; nothing has to be started."""
        yield self


class _Session(SessionFollower):
    """Counts the terms in the finals of one session."""

    def __init__(self, counts: TermCounts, owner: ClientId) -> None:
        self._counts = counts
        self._owner = owner

    def publish(self, event: SessionEvent | Revised) -> None:
        if isinstance(event, Final):
            self._counts.note(self._owner, event.text)
