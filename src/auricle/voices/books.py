"""The known voices of keys, in memory while sessions of the keys use them.

A book is read from the database when it is opened, soon after each change through this server, and
within some seconds of one through another server.
"""

from dataclasses import dataclass, field
from functools import partial
from weakref import WeakValueDictionary

import anyio
import structlog
from anyio import CapacityLimiter, to_thread

from auricle.system.logs import log_unexpected
from auricle.values.errors import AuricleError
from auricle.values.types import ClientId
from auricle.voices.matching import NONE_KNOWN, KnownVoices
from auricle.voices.stored import EnrolledVoices

REFRESH_S = 5.0
"""Interval of looking for changes of open books, in seconds."""

_log = structlog.get_logger("auricle.server")


@dataclass(slots=True, eq=False, weakref_slot=True)
class VoiceBook:
    """The voices of a key; they may change at any time.

    Attributes:
        voices: The voices.
        version: What the database says differs after each change; ``None`` before it was read.
    """

    voices: KnownVoices = field(default=NONE_KNOWN)
    version: object = None


class VoiceBooks:
    """Opens books.

    Args:
        stored: The stored voices.
        model: The model whose voices can be compared; others are left out.
    """

    def __init__(self, stored: EnrolledVoices, model: str) -> None:
        self._stored = stored
        self._model = model
        self._books: WeakValueDictionary[ClientId, VoiceBook] = WeakValueDictionary()
        self._changed = anyio.Event()
        self._threads = CapacityLimiter(1)

    def open(self, client: ClientId) -> VoiceBook:
        """Return the book of a client, which all of its sessions share; it may be read later."""
        if (book := self._books.get(client)) is None:
            book = self._books[client] = VoiceBook()
            self._changed.set()
        return book

    def note_change(self) -> None:
        """Read changed books again soon; not thread-safe."""
        self._changed.set()

    def read(self, client: ClientId) -> KnownVoices:
        """Return the voices of a client now; blocks.

        Raises:
            AuricleError: The database does not answer.
        """
        voices = [(each.name, each.voice) for each in self._stored.all_of(client)]
        return KnownVoices.of([each for each in voices if each[1].model == self._model])

    async def run(self) -> None:
        """Read books until cancelled."""
        while True:
            self._changed = anyio.Event()
            for client, book in list(self._books.items()):
                await self._refresh(client, book)
            with anyio.move_on_after(REFRESH_S):
                await self._changed.wait()

    async def _refresh(self, client: ClientId, book: VoiceBook) -> None:
        work = partial(self._read_changed, client, book.version)
        try:
            found = await to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._threads)
        except AuricleError as error:  # names wait for the database
            _log.warning("known_voices_wait", code=error.code)
        except Exception as error:
            log_unexpected(error)
        else:
            if found is not None:
                book.version, book.voices = found

    def _read_changed(self, client: ClientId, version: object) -> tuple[object, KnownVoices] | None:
        if (now := self._stored.version(client)) == version:
            return None
        return now, self.read(client)
