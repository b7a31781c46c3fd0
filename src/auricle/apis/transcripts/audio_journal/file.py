"""The file of one utterance: a line that names the format, and records with checksums.

::

    magic │ kind size checksum │ header │ kind size checksum │ samples doubt audio │ …

A record repeats the number of samples that the utterance has by then; a smaller one than before
cuts the audio. A record that a crash has left incomplete, and all after it, are ignored.
"""

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Any

import msgspec
import numpy as np

from auricle.values.types import MAX_JOB_SAMPLES, SAMPLE_BYTES, ClientId, Options, Pcm16

MAGIC = b"auricle journal 1\n"
MAX_FILE_BYTES = 4 * MAX_JOB_SAMPLES * SAMPLE_BYTES
"""Several times an utterance's audio; a larger file is none of ours."""

_RECORD = Struct("<cII")
_AUDIO = Struct("<Q?")
_HEADER_KIND, _AUDIO_KIND = b"h", b"a"


class JournalHeader(msgspec.Struct, frozen=True):
    """What an utterance belongs to, and how it is transcribed.

    Attributes:
        uid: The session's id.
        owner: The key that may read the transcript.
        source: The API that the session uses.
        started_at: Start of the session, in Unix seconds.
        utterance: The number of the utterance.
        start_sample: Position of its audio in the session.
        options: The options of its final.
        context: PCM16 of the preceding speech that it is decoded together with.
        channel: Its channel; ``None`` if channels are not transcribed apart.
    """

    uid: str
    owner: ClientId
    source: str
    started_at: float
    utterance: int
    start_sample: int
    options: Options
    context: bytes = b""
    channel: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class JournalledUtterance:
    """What a file holds.

    Attributes:
        header: The utterance.
        pcm: Its audio; empty if none was stored completely.
        is_doubtful: Whether it may be a breath or a cough.
        modified_at: Unix time of the newest audio.
    """

    header: JournalHeader
    pcm: Pcm16
    is_doubtful: bool
    modified_at: float


class JournalFile:
    """The file of an utterance of this process; its methods block."""

    def __init__(self, path: Path, header: JournalHeader) -> None:
        self.path = path
        self.samples = 0
        """Samples that are on the disk."""
        self.size_bytes = 0
        self._header = MAGIC + _record(_HEADER_KIND, msgspec.json.encode(header))

    def write(self, pcm: Pcm16, samples: int, *, is_doubtful: bool) -> None:
        """Append audio durably; after an error, the next call replaces what was left incomplete.

        Args:
            pcm: The audio that follows what is on the disk.
            samples: Length of the utterance's audio including it; cut if it is less.
            is_doubtful: Whether the utterance may be a breath or a cough.

        Raises:
            OSError: The disk is full, or the file can't be written.
        """
        data = b"" if self.size_bytes else self._header
        data += _record(_AUDIO_KIND, _AUDIO.pack(samples, is_doubtful) + pcm.tobytes())
        flags = os.O_CREAT | os.O_WRONLY | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(self.path, flags, 0o600), "wb") as file:
            file.seek(self.size_bytes)
            file.write(data)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
        self.size_bytes += len(data)
        self.samples = samples


def read_journal(path: Path) -> JournalledUtterance | None:
    """Return what a file holds; ``None`` if not even its header is complete.

    Raises:
        OSError: The file can't be read.
    """
    with path.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
        modified_at = os.fstat(file.fileno()).st_mtime
    if not data.startswith(MAGIC) or len(data) > MAX_FILE_BYTES:
        return None
    records = _records(memoryview(data)[len(MAGIC) :])
    kind, payload = next(records, (b"", memoryview(b"")))
    try:
        header = msgspec.json.decode(payload, type=JournalHeader)
    except msgspec.DecodeError:
        return None
    if kind != _HEADER_KIND or header.utterance < 1 or header.start_sample < 0:
        return None
    if len(header.context) % SAMPLE_BYTES:
        return None
    audio, is_doubtful = bytearray(), False
    for kind, payload in records:
        if kind != _AUDIO_KIND or len(payload) < _AUDIO.size:
            break
        samples, is_doubtful = _AUDIO.unpack_from(payload)
        audio += payload[_AUDIO.size :]
        del audio[min(samples, MAX_JOB_SAMPLES) * SAMPLE_BYTES :]
    del audio[len(audio) - len(audio) % SAMPLE_BYTES :]
    return JournalledUtterance(header, np.frombuffer(audio, np.int16), is_doubtful, modified_at)


def _record(kind: bytes, payload: bytes) -> bytes:
    return _RECORD.pack(kind, len(payload), zlib.crc32(payload, kind[0])) + payload


def _records(data: Any) -> Iterator[tuple[bytes, Any]]:
    """Iterate over the records up to the first that is damaged."""
    while len(data) >= _RECORD.size:
        kind, size, checksum = _RECORD.unpack_from(data)
        payload = data[_RECORD.size : _RECORD.size + size]
        if len(payload) != size or zlib.crc32(payload, kind[0]) != checksum:
            return
        yield kind, payload
        data = data[_RECORD.size + size :]
