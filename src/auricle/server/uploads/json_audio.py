"""Parses a JSON body that contains audio without blocking the event loop for long.

msgspec and binascii hold the GIL, in any thread. So the JSON parser only skips the audio string
(6 ms for 25 MB), which is then decoded in slices, between which other threads run. The size of all
other fields together is checked before parsing.
"""

import binascii
from typing import Any

import msgspec
from anyio import to_thread

from auricle.protocol.fields import InvalidJson, convert, decode_json
from auricle.protocol.ignored import field_beginnings
from auricle.protocol.json_audio import is_longer_outside_audio
from auricle.server.uploads.params import JsonRequest, TranscriptionParams, check, ignored_fields
from auricle.values.errors import BadRequest

THREAD_ABOVE_BYTES = 256 * 1024
SLICE_CHARACTERS = 2**20  # a multiple of 4; about 2 ms

MAX_FIELDS_BYTES = 512 * 1024
"""Maximum size of all fields except audio: the longest prompt and hotwords, with each character
escaped as ``\\uXXXX``."""

_NOT_BASE64 = "audio is not valid base64. Send standard base64 (RFC 4648 §4) with padding."


async def parse_payload(body: bytes | bytearray) -> tuple[TranscriptionParams, bytes]:
    """Return the parameters and the decoded audio.

    Raises:
        BadRequest: The body isn't JSON, a field is invalid, or the audio isn't base64.
        UnsupportedFormat: The audio format is unknown.
    """
    if is_longer_outside_audio(body, MAX_FIELDS_BYTES):
        raise BadRequest(f"The fields other than audio exceed {MAX_FIELDS_BYTES} bytes in total.")
    if len(body) <= THREAD_ABOVE_BYTES:
        return _parse(body)
    return await to_thread.run_sync(_parse, body)


def _parse(body: bytes | bytearray) -> tuple[TranscriptionParams, bytes]:
    try:
        texts = decode_json(body, dict[str, msgspec.Raw], "JSON body")
        # The audio stays a reference into the body.
        values = {
            name: text if name == "audio" else decode_json(text, Any, "JSON body")
            for name, text in texts.items()
            if name in JsonRequest.__struct_fields__
        }
    except InvalidJson:
        raise BadRequest(
            "The body is not valid JSON. To send raw audio, set `Content-Type: audio/*`."
        ) from None
    request = convert(values, JsonRequest, "JSON body")
    return check(request, ignored_fields(field_beginnings(texts))), _audio(request.audio)


def _audio(raw: msgspec.Raw) -> bytes:
    """Decode a JSON string of base64, in place unless it has escapes."""
    view = memoryview(raw)
    if view[0] != ord('"'):
        raise BadRequest("audio must be a base64 string.")
    try:
        return _decode_base64(view[1:-1])
    except BadRequest:
        if b"\\" not in bytes(view):
            raise
    try:
        text: str = msgspec.json.decode(raw, type=str)  # PHP escapes `/` as `\/`
    except UnicodeDecodeError:
        raise BadRequest(_NOT_BASE64) from None
    return _decode_base64(memoryview(text.encode("utf-8")))


def _decode_base64(characters: memoryview) -> bytes:
    decoded = bytearray()
    for start in range(0, len(characters), SLICE_CHARACTERS):
        part = characters[start : start + SLICE_CHARACTERS]
        try:
            piece = binascii.a2b_base64(part, strict_mode=True)
        except binascii.Error:
            raise BadRequest(_NOT_BASE64) from None
        is_last = start + SLICE_CHARACTERS >= len(characters)
        if not is_last and len(piece) != len(part) * 3 // 4:  # padding before the end
            raise BadRequest(_NOT_BASE64)
        decoded += piece
    return bytes(decoded)
