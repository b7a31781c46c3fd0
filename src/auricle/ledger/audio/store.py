"""Audio of accepted jobs, until the jobs end.

A job's row names its audio. The audio is stored durably before the row is committed, and deleted
after the row no longer needs it. A process that dies in between leaves an orphan, never a row
without audio; :func:`sweep` deletes orphans.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

from auricle.values.errors import AudioMissing, LedgerUnavailable

RETRY_S = 30
COPY_BYTES = 2**20
SWEEP_BATCH = 500
"""Names looked up in one transaction."""

NAME = re.compile(r"[0-9a-f]{32}")


class AudioStore(Protocol):
    """Keeps audio under names that it chooses. All calls block; any thread may call."""

    def check(self) -> None:
        """Check that the store can be used; changes nothing.

        Raises:
            SetupError: The settings, the credentials or the permissions are wrong.
            LedgerUnavailable: It can't be used now.
        """
        ...

    def put(self, source: Path) -> str:
        """Store a file durably and return its name; the file is not changed afterwards.

        Raises:
            TooLarge: The store can't hold a file of this size.
            LedgerFull: The store is full.
            LedgerUnavailable: It can't be stored now.
        """
        ...

    def fetch(
        self, name: str, size_bytes: int, check_cancelled: Callable[[], None] = lambda: None
    ) -> Path:
        """Return a local file with the audio; its caller does not change it, and releases it.

        Args:
            name: Name of the audio.
            size_bytes: Its size; no more is read.
            check_cancelled: Called during a download at least once per MB; ends it by raising.

        Raises:
            AudioMissing: There is no such audio, or it has another size.
            LedgerUnavailable: It can't be read now.
        """
        ...

    def release(self, path: Path) -> None:
        """Delete the local file of a fetch, if it is a copy."""
        ...

    def delete(self, name: str) -> None:
        """Delete audio, if it exists.

        Raises:
            LedgerUnavailable: It can't be deleted now.
        """
        ...

    def names(self, older_than: float) -> Iterator[str]:
        """Iterate over the names of audio stored before a time (Unix time in seconds).

        Raises:
            LedgerUnavailable: The names can't be read now.
        """
        ...


def sweep(store: AudioStore, needed: Callable[[Sequence[str]], set[str]], older_than: float) -> int:
    """Delete audio that no job needs, and return the number of deleted files.

    Args:
        store: The audio.
        needed: Returns which of some names are needed, such as :meth:`.Ledger.needed_audio`.
        older_than: Audio stored later may belong to a job that is being accepted.
    """
    deleted = 0
    for names in _batches(store.names(older_than), SWEEP_BATCH):
        for name in set(names) - needed(names):
            store.delete(name)
            deleted += 1
    return deleted


def missing_audio() -> AudioMissing:
    """Return the error for audio that is not in a store, or was changed there."""
    return AudioMissing("The stored audio of this job is missing or damaged; submit the job again.")


def unavailable_audio(action: str) -> LedgerUnavailable:
    """Return the error for a store that can't do something now, such as ``store``."""
    return LedgerUnavailable(f"The server can't {action} the audio; try again later.", RETRY_S)


def _batches(names: Iterator[str], size: int) -> Iterator[list[str]]:
    while batch := list(islice(names, size)):
        yield batch
