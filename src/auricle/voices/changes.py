"""Renames and deletes voices, also where their names are stored: in transcripts, feeds and results.

Jobs that end while a voice is deleted, and finals that then wait to be stored, may still have its
name. So names are changed once more a little later.
"""

import re
import time
from collections import deque
from collections.abc import Callable, Collection
from functools import partial

import anyio
import msgspec
import structlog
from anyio import to_thread

from auricle.ledger.databases.database import Transaction
from auricle.server.live.followers import SessionFollowers
from auricle.system.logs import log_unexpected
from auricle.values.errors import AuricleError
from auricle.values.speakers import VoicePrint
from auricle.values.types import ClientId
from auricle.voices.stored import EnrolledVoices

AGAIN_S = 30.0
"""Time until names are changed again, in seconds."""
MAX_CHANGES = 1000
"""Changes that are repeated; beyond that, the oldest are not."""
CHECK_S, RETRY_S = 1.0, 10.0

_log = structlog.get_logger("auricle.server")


class VoiceChanges:
    """Changes voices and the names that they gave.

    Args:
        stored: The voices.
        followers: Have names of live sessions and of kept results.
    """

    def __init__(self, stored: EnrolledVoices, followers: Collection[SessionFollowers]) -> None:
        self._stored = stored
        self._followers = followers
        self._again: deque[tuple[float, ClientId, str, str | None]] = deque(maxlen=MAX_CHANGES)

    def rename(self, owner: ClientId, uid: str, name: str) -> str | None:
        """Rename a voice; return the name that it had, ``None`` if the owner has none of this id.

        This blocks. Results of jobs follow later if the database does not answer meanwhile.

        Raises:
            VoiceExists: Another one has the name.
        """
        before = self._stored.rename(owner, uid, name, time.time(), self._rename_followed)
        if before is not None and before != name:
            self._repeat(owner, before, name)
            self._rename_results(owner, before, name)
        return before

    def delete(
        self, owner: ClientId, uid: str, note: Callable[[ClientId, VoicePrint], object]
    ) -> str | None:
        """Delete a voice; return the name that it had, ``None`` if the owner has none of this id.

        This blocks. The name goes first: a request that is repeated after a failure still finds
        the voice.

        Args:
            owner: The owner.
            uid: Its id.
            note: Called with the voice before it is deleted.
        """
        for each in self._stored.all_of(owner):
            if each.uid == uid:
                note(owner, each.voice)
                self._rename_results(owner, each.name, None)
        name = self._stored.delete(owner, uid, self._rename_followed)
        if name is not None:
            self._repeat(owner, name, None)
        return name

    async def run(self) -> None:
        """Change names again until cancelled."""
        while True:
            await anyio.sleep(CHECK_S)
            try:
                while self._again and self._again[0][0] <= time.monotonic():
                    await to_thread.run_sync(self._change_again, *self._again[0][1:])
                    self._again.popleft()
            except AuricleError as error:
                _log.warning("known_voices_wait", code=error.code)
                await anyio.sleep(RETRY_S)
            except Exception as error:
                log_unexpected(error)
                self._again.popleft()

    def _repeat(self, owner: ClientId, name: str, new: str | None) -> None:
        self._again.append((time.monotonic() + AGAIN_S, owner, name, new))

    def _change_again(self, owner: ClientId, name: str, new: str | None) -> None:
        """Change a name, unless another voice has it by now."""
        if name not in {each.name for each in self._stored.all_of(owner)}:
            self._rename_results(owner, name, new)
            self._stored.write(partial(self._rename_followed, owner=owner, name=name, new=new))

    def _rename_results(self, owner: ClientId, name: str, new: str | None) -> None:
        self._stored.change_results(owner, partial(renamed_result, name=name, new=new))

    def _rename_followed(
        self, transaction: Transaction, owner: ClientId, name: str, new: str | None
    ) -> None:
        for each in self._followers:
            each.rename_known(transaction, owner, name, new)


def renamed_result(result: bytes, name: str, new: str | None) -> bytes:
    """Return the result of a job with another name, or null, for the speakers of a name.

    Args:
        result: The result as JSON, where a speaker is an object that begins with ``speaker``, the
            number, and ``name``. A text can't contain that: its quotation marks are escaped.
        name: The name.
        new: The name in its place; ``None``: null.
    """
    speaker = rb'("speaker":\s*\d+,\s*"name":\s*)' + re.escape(msgspec.json.encode(name))
    return re.sub(speaker, lambda match: match[1] + msgspec.json.encode(new), result)
