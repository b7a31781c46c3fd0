"""Writes the audio of open utterances to the disk once a second, and deletes it with their finals.

Only audio whose final is pending is on the disk: a file for each utterance, from its first second
until its final is stored. A full or slow disk never delays a session.

A process writes to its own directory, whose lock it holds. The next start takes over the files of
directories whose processes have died, so several servers may share the parent directory.
"""

import contextlib
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import anyio
import structlog
from anyio import CapacityLimiter, to_thread

from auricle.apis.transcripts.audio_journal.file import JournalFile, JournalHeader
from auricle.apis.transcripts.keeper import SessionIdentity, UtteranceJournal
from auricle.server.live.followers import UnfinishedAudioOf
from auricle.server.live.session_secrets import ID_PATTERN
from auricle.session.output import UnfinishedAudio
from auricle.system.durable import sync_directory, try_lock
from auricle.system.logs import log_unexpected
from auricle.values.errors import LedgerReadOnly

FOLDER = "journal"
INTERVAL_S = 1.0
MAX_BYTES = 512 * 2**20
"""Audio of all utterances together: several hours, which wait for the database at most."""
WARN_EVERY_S = 60.0

_RUN = re.compile(r"[0-9a-f]{16}")
_FILE = re.compile(rf"(?P<uid>([A-Za-z0-9]{{1,64}}-)?{ID_PATTERN})\.(?P<utterance>[1-9]\d{{0,8}})")

_log = structlog.get_logger("auricle.server")

Key = tuple[str, int]
"""A session's id and the number of an utterance."""


@dataclass(frozen=True, slots=True)
class LeftFile:
    """The file of an utterance of a process that has died."""

    key: Key
    path: Path


class AudioJournal(UtteranceJournal):
    """The audio of open utterances; create with :meth:`open`."""

    def __init__(self, path: Path, lock: BinaryIO, left: list[LeftFile]) -> None:
        """Take over a directory, its lock, and the files that others have left in it."""
        self.left = left
        """Utterances to recover."""
        self._path = path
        self._lock = lock
        self._files: dict[Key, JournalFile] = {}
        self._waiting: set[Key] = set()
        self._finished: dict[Key, Path] = {}
        self._left_paths = {file.key: file.path for file in left}
        self._threads = CapacityLimiter(1)
        self._warned_at = -WARN_EVERY_S

    @classmethod
    def open(cls, state_dir: Path) -> "AudioJournal":
        """Create a directory for this process, and take over the files of dead ones; blocks.

        Raises:
            LedgerReadOnly: The directory can't be created.
        """
        parent = state_dir / FOLDER
        path = parent / secrets.token_hex(8)
        try:
            parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = try_lock(_lock_of(path))  # before the directory can be found
            path.mkdir(mode=0o700)
        except OSError as error:
            raise LedgerReadOnly(
                f"Audio can't be stored in {parent}: {error.strerror}. Set AURICLE_STATE_DIR to a "
                "writable directory, or unset AURICLE_JOURNAL_AUDIO."
            ) from error
        assert lock is not None, "no other process knows the name"
        left: list[LeftFile] = []
        for directory in _runs(parent):
            if directory != path:
                left += _take_over(directory, path)
        return cls(path, lock, left)

    def hold(self, uid: str, utterance: int) -> None:
        """Note that the final of an utterance exists, and waits to be stored."""
        self._waiting.add((uid, utterance))

    def forget(self, uid: str, utterance: int) -> None:
        """Delete an utterance's audio soon: its final is stored, or never will be."""
        key = uid, utterance
        self._waiting.discard(key)
        if (file := self._files.pop(key, None)) is not None:
            self._finished[key] = file.path
        elif (path := self._left_paths.pop(key, None)) is not None:
            self._finished[key] = path

    def abandon(self, uid: str) -> None:
        """Delete the audio of a session that has ended, except where a final waits to be stored."""
        for of_session, utterance in list(self._files):
            if of_session == uid and (uid, utterance) not in self._waiting:
                self.forget(uid, utterance)

    async def run(
        self, sessions: Callable[[], Iterable[tuple[SessionIdentity, UnfinishedAudioOf]]]
    ) -> None:
        """Write and delete audio until cancelled.

        Args:
            sessions: Returns the sessions whose audio is stored, and what returns it.
        """
        while True:
            await anyio.sleep(INTERVAL_S)
            try:
                unwritten = [
                    (self._file_of(identity, audio), audio)
                    for identity, unfinished_audio in sessions()
                    for audio in self._unwritten_of(identity.id, unfinished_audio)
                ]
                finished = dict(self._finished)
                if unwritten or finished:
                    paths = list(finished.values())
                    await to_thread.run_sync(self._apply, unwritten, paths, limiter=self._threads)
                for key in finished:
                    del self._finished[key]
            except Exception as error:  # a defect here must end neither sessions nor the server
                log_unexpected(error)

    def close(self) -> None:
        """Delete the audio of stored finals, and the directory if none is left; blocks."""
        for path in self._finished.values():
            path.unlink(missing_ok=True)
        _remove_if_empty(self._path)
        self._lock.close()

    def _unwritten_of(
        self, session: str, unfinished_audio: UnfinishedAudioOf
    ) -> list[UnfinishedAudio]:
        """Return a session's audio that is not on the disk; forget discarded utterances."""
        written = {
            utterance: file.samples
            for (uid, utterance), file in self._files.items()
            if uid == session
        }
        if (unfinished := unfinished_audio(written)) is None:
            return []
        pending = {audio.utterance for audio in unfinished}
        for utterance in written:
            if utterance not in pending and (session, utterance) not in self._waiting:
                self.forget(session, utterance)
        return [audio for audio in unfinished if written.get(audio.utterance) != audio.samples]

    def _file_of(self, identity: SessionIdentity, audio: UnfinishedAudio) -> JournalFile:
        key = identity.id, audio.utterance
        if (file := self._files.get(key)) is None:
            header = JournalHeader(
                uid=identity.id,
                owner=identity.owner,
                source=identity.source,
                started_at=identity.started_at,
                utterance=audio.utterance,
                start_sample=audio.start_sample,
                options=audio.options,
                context=audio.context.pcm.tobytes(),
                channel=audio.channel,
            )
            file = JournalFile(self._path / f"{identity.id}.{audio.utterance}", header)
            self._files[key] = file
        return file

    def _apply(
        self, unwritten: list[tuple[JournalFile, UnfinishedAudio]], finished: list[Path]
    ) -> None:
        """Delete and write; blocks. What can't be written now is written a second later."""
        for path in finished:
            with self._reported():
                path.unlink(missing_ok=True)
        room_bytes = MAX_BYTES - sum(file.size_bytes for file in list(self._files.values()))
        is_new = False
        for file, audio in unwritten:
            if (room_bytes := room_bytes - audio.pcm.nbytes) < 0:
                self._warn("too much audio waits for the database")
                break
            is_new |= not file.size_bytes
            with self._reported():
                file.write(audio.pcm, audio.samples, is_doubtful=audio.is_doubtful)
        if is_new:
            with self._reported():
                sync_directory(self._path)

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._warn(error.strerror or type(error).__name__)

    def _warn(self, reason: str) -> None:
        if (now := time.monotonic()) - self._warned_at >= WARN_EVERY_S:
            self._warned_at = now
            _log.error("audio_not_journalled", reason=reason)


def delete_left(state_dir: Path) -> int:
    """Delete the audio that dead processes have left, and return the number of files; blocks."""
    count = 0
    for directory in _runs(state_dir / FOLDER):
        with _locked(directory) as is_ours:
            if not is_ours:
                continue
            for file in _files(directory):
                file.path.unlink(missing_ok=True)
                count += 1
            _remove_if_empty(directory)
    return count


def has_left(state_dir: Path) -> bool:
    """Return whether there may be audio of dead processes."""
    return any(True for _ in _runs(state_dir / FOLDER))


def _take_over(directory: Path, target: Path) -> list[LeftFile]:
    """Move the files of a dead process to a directory."""
    moved: list[LeftFile] = []
    with _locked(directory) as is_ours:
        if not is_ours:
            return []
        try:
            for file in _files(directory):
                path = target / file.path.name
                file.path.rename(path)
                moved.append(LeftFile(file.key, path))
            sync_directory(target)
            _remove_if_empty(directory)
        except OSError as error:  # what is left is for the next start
            _log.error("journal_unreadable", directory=str(directory), reason=error.strerror)
    return moved


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[bool]:
    """Lock a process's directory; yield whether the process has died."""
    try:
        lock = try_lock(_lock_of(directory))
    except OSError:
        lock = None
    try:
        yield lock is not None
    finally:
        if lock is not None:
            lock.close()


def _lock_of(directory: Path) -> Path:
    return directory.with_suffix(".lock")


def _runs(parent: Path) -> list[Path]:
    """Return the directories of processes; others are none of ours."""
    try:
        entries = list(parent.iterdir())
    except OSError:
        return []
    return sorted(entry for entry in entries if _RUN.fullmatch(entry.name) and entry.is_dir())


def _files(directory: Path) -> list[LeftFile]:
    files = []
    for path in sorted(directory.iterdir()):
        match = _FILE.fullmatch(path.name)
        if match is not None and path.is_file() and not path.is_symlink():
            files.append(LeftFile((match["uid"], int(match["utterance"])), path))
    return files


def _remove_if_empty(directory: Path) -> None:
    with contextlib.suppress(OSError):  # it has files to recover, or of others
        directory.rmdir()
        _lock_of(directory).unlink(missing_ok=True)
