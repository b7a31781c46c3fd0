"""Errors in Deepgram's format."""

from typing import TypedDict

from auricle.protocol.dialect import ClosingMessages, End
from auricle.values.errors import IdleTimeout

_MAX_REASON_BYTES = 123  # RFC 6455 §5.5
_AUDIO_CODES = frozenset({"bad_audio", "empty_audio", "unsupported_format", "protocol_error"})


class DeepgramError(TypedDict):
    """The JSON body of an error response in Deepgram's format."""

    err_code: str
    err_msg: str
    request_id: str
    code: str


def closing_frame(end: End, texts: tuple[str, ...] = ()) -> ClosingMessages:
    """Return the close code and reason in Deepgram's format, after the last messages."""
    close_code, code, message = end.close_code, "", ""
    if end.failed is not None:
        code, message = end.failed.code, end.failed.message
    if code == IdleTimeout.code:
        close_code, code, message = 1011, "NET-0001", "No audio or KeepAlive received in time."
    elif code in _AUDIO_CODES:
        close_code, code = 1008, "DATA-0000"
    reason = f"{code}: {message}" if code else ""
    cut = reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")
    return ClosingMessages(texts, close_code, cut)
