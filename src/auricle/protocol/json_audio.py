"""Limit the size of JSON messages outside of their base64 audio.

A JSON parser creates objects for everything that it reads: 25 MB of hotwords used 500 MB and
blocked the event loop for 0.3 s. So the size without the audio string is checked before parsing.
"""

import re

_KEY = r'"audio"[ \t\n\r]*:[ \t\n\r]*"'
_KEY_IN_TEXT = re.compile(_KEY)
_KEY_IN_BYTES = re.compile(_KEY.encode())


def is_longer_outside_audio(message: str | bytes | bytearray, limit: int) -> bool:
    """Return whether a message without its first ``audio`` string is longer than a limit.

    Quotation marks inside JSON strings are escaped, so a match is always a key, of this object or
    of a nested one, and a base64 string ends at the next quotation mark. An ``audio`` string that
    is not base64 may be counted as shorter than it is, never as longer.

    Args:
        message: A JSON object, valid or not.
        limit: Maximum length in characters for ``str``, in bytes otherwise.
    """
    if len(message) <= limit:
        return False
    if isinstance(message, str):
        start = _end(_KEY_IN_TEXT.search(message, 0, limit))
        end = message.find('"', start)
    else:
        start = _end(_KEY_IN_BYTES.search(message, 0, limit))
        end = message.find(b'"', start)
    if start < 0:
        return True
    audio = (len(message) if end < 0 else end) - start
    return len(message) - audio > limit


def _end(match: "re.Match[str] | re.Match[bytes] | None") -> int:
    return -1 if match is None else match.end()
