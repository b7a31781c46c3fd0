"""A JSON body with audio in it, taken apart without stopping the event loop for long.

msgspec and binascii keep the GIL while they work, in whatever thread. So the audio's string is only
skipped over by the JSON parser (6 ms for 25 MB), and then decoded in slices, between which others
run. All other fields together are bounded before they are parsed.
"""

import binascii

import msgspec
from anyio import to_thread

from auricle.errors import BadRequest
from auricle.protocol.ignored import field_beginnings
from auricle.protocol.json_audio import is_longer_outside_audio
from auricle.server.uploads.params import JsonRequest, TranscriptionParams, check, ignored_fields

THREAD_ABOVE_BYTES = 256 * 1024
SLICE_CHARACTERS = 2**20  # a multiple of 4; some 2 ms

MAX_FIELDS_BYTES = 512 * 1024
"""All but the audio: the longest prompt and hot words, each character escaped as ``\\uXXXX``."""

_decoder = msgspec.json.Decoder(JsonRequest)

_NOT_BASE64 = "audio is not base64. Send plain base64 (RFC 4648 §4) with its padding, in a string."


async def parse_payload(body: bytearray) -> tuple[TranscriptionParams, bytes]:
    """Return what is asked, and the audio.

    Raises:
        BadRequest: It isn't JSON, a field can't be used, or the audio isn't base64.
        UnsupportedFormat: The format is unknown.
    """
    if is_longer_outside_audio(body, MAX_FIELDS_BYTES):
        raise BadRequest(f"The fields other than audio may hold {MAX_FIELDS_BYTES} bytes in all.")
    if len(body) <= THREAD_ABOVE_BYTES:
        return _parse(body)
    return await to_thread.run_sync(_parse, body)


def _parse(body: bytearray) -> tuple[TranscriptionParams, bytes]:
    try:
        request = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise BadRequest(f"The JSON can't be used: {error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest(
            "The body is not JSON. To send audio as it is, say so: `Content-Type: audio/*`."
        ) from None
    warnings = ignored_fields(field_beginnings(body))
    return check(request, warnings), _audio(request.audio)


def _audio(raw: msgspec.Raw) -> bytes:
    """Decode a JSON string of base64, in place unless it has escapes."""
    view = memoryview(raw)
    if view[0] != ord('"'):
        raise BadRequest("audio must be a string with base64 in it.")
    try:
        return _decode_base64(view[1:-1])
    except BadRequest:
        if b"\\" not in bytes(view):
            raise
    try:
        text: str = msgspec.json.decode(raw, type=str)  # PHP, for one, writes `/` as `\/`
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
