"""A form with a file: ``[boundary's length][Content-Type's rest][body]``; 0: a usual boundary."""

import re
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable, Iterator
from random import Random
from typing import Any, cast

from auricle.apis.openai.wire.transcription_form import FIELDS
from auricle.server.uploads.multipart import (
    MAX_FIELD_BYTES,
    MAX_UNREAD,
    FormParts,
    boundary_of,
    read_form_parts,
)
from auricle.server.uploads.spool import SpoolFile
from auricle.values.errors import BadRequest
from fuzz.checks import same_in_any_split
from fuzz.mutation import Grammar
from fuzz.target import Blind, Target

MODULES = ("auricle.server.uploads.multipart",)
_USUAL = "XyZ"
_BARE_LF = re.compile(rb"(?<!\r)\n")
_SEPARATOR = b"--XyZ"

Outcome = tuple[dict[str, list[str]] | None, bytes, str | None]


class _Kept:
    """Takes a file's bytes, as a spool file does."""

    def __init__(self) -> None:
        self.data = bytearray()

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        self.data += chunk


async def _sent(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def _done(work: Coroutine[Any, Any, FormParts]) -> dict[str, list[str]]:
    """Run what never waits for anything."""
    try:
        work.send(None)
    except StopIteration as stop:
        result: FormParts = stop.value
        assert len(result.unread) <= MAX_UNREAD
        return result.fields
    raise AssertionError("it waits")


def _outcome(boundary: str, chunks: Iterable[bytes], wanted: Collection[str]) -> Outcome:
    kept = _Kept()
    file = cast(SpoolFile, kept)
    try:
        fields = _done(read_form_parts(boundary, _sent(chunks), file, wanted))
    except BadRequest as error:
        return None, b"", str(error)
    return fields, bytes(kept.data), None


def run(data: bytes) -> None:
    """Read a form, whole and in pieces.

    Whether the parser refuses what stands before the first boundary, and lines of a head that end
    without CR, does depend on where chunks end: neither is part of a form.
    """
    boundary, body = _parted(data)
    if boundary is None:
        return
    if body.startswith(b"--" + boundary.encode("latin-1")) and not _BARE_LF.search(body):
        same_in_any_split(lambda chunks: _outcome(boundary, chunks, FIELDS), body)
    fields, file, _ = _outcome(boundary, iter((body,)), FIELDS)
    if fields is None:
        return
    kept = sum(len(value.encode()) for values in fields.values() for value in values)
    assert fields.keys() <= FIELDS
    assert kept <= min(MAX_FIELD_BYTES, len(body)), "more is kept than came"
    assert file in body, "the file is not what was sent"


def _parted(data: bytes) -> tuple[str | None, bytes]:
    size_bytes = data[0] if data else 0
    if not size_bytes:
        return _USUAL, data[1:]
    head = data[1 : 1 + size_bytes].decode("latin-1")
    try:
        return boundary_of(head), data[1 + size_bytes :]
    except BadRequest:
        return None, b""


def _part(name: str, value: bytes, more: str = "") -> bytes:
    head = f'\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + value + b"\r\n"


def seeds() -> Iterator[bytes]:
    """Give forms as clients write them, and broken ones."""
    file = _part("file", bytes(range(32, 92)), '; filename="a.wav"\r\nContent-Type: audio/wav')
    parts = [
        _part("model", b"whisper-1"),
        file,
        _part("timestamp_granularities[]", b"word"),
        _part("prompt", "Grüße".encode()),
        _part("language", b"en", "\r\nContent-Transfer-Encoding: 7bit"),
    ]
    form = _join([b"", *parts, b"--\r\n"])
    yield b"\0" + form
    yield b"\0" + _join([b"", file, file, b"--\r\n"])
    yield b"\0" + _join([b"", _part("model", b"x"), b"--"])
    yield b"\0" + _join([b"", _part("model", b"\xff"), file, b"--\r\n"])
    yield b"\0" + _join([b"", b"\r\nContent-Disposition: form-data; name=\xff\r\n\r\n\r\n", b"--"])
    head = b'multipart/form-data; boundary="XyZ"'
    yield bytes([len(head)]) + head + form


def _join(parts: Iterable[bytes]) -> bytes:
    return _SEPARATOR.join(parts)


_GRAMMAR = Grammar(lambda data: data.split(_SEPARATOR), _join)


def _mutate(data: bytes, rng: Random, change: Blind) -> bytes:
    size_bytes = data[0] if data else 0
    if size_bytes and rng.random() < 0.7:
        head = change(data[1 : 1 + size_bytes])[:255]
        return bytes([len(head)]) + head + data[1 + size_bytes :]
    return data[:1] + _GRAMMAR.mutate(data[1:], rng, change)


TARGET = Target(
    run,
    seeds,
    _mutate,
    words=(
        *(b"Content-Disposition: form-data; name=", b"Content-Transfer-Encoding: base64"),
        *(b"filename*=utf-8''", b"\r\n\r\n", b"\r\n--XyZ", b"--XyZ--", b"boundary=", b"[]"),
        *(f'"{name}"'.encode() for name in sorted(FIELDS)),
    ),
    loop_bytes=2**18,
)
