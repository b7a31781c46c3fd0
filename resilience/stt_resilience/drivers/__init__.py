"""Drivers by their names in the descriptions of servers."""

from collections.abc import Callable
from typing import Any

from stt_resilience.drivers.auricle import AuricleCodec
from stt_resilience.drivers.base import Codec, Driver, FileDriver
from stt_resilience.drivers.deepgram import DeepgramCodec
from stt_resilience.drivers.http_files import AuricleJobs, OpenAiFiles
from stt_resilience.drivers.openai_realtime import OpenAiRealtimeCodec
from stt_resilience.drivers.realtime_stt import RealtimeSttCodec
from stt_resilience.drivers.vosk import VoskCodec
from stt_resilience.drivers.websocket import WebSocketDriver
from stt_resilience.drivers.whisper_live import WhisperLiveCodec
from stt_resilience.drivers.whisper_live_kit import WhisperLiveKitCodec
from stt_resilience.drivers.wyoming import WyomingDriver
from stt_resilience.servers import Protocol

CODECS: dict[str, Callable[[str, dict[str, Any], Codec | None], Codec]] = {
    "auricle": AuricleCodec,
    "deepgram": DeepgramCodec,
    "openai-realtime": OpenAiRealtimeCodec,
    "realtime-stt": RealtimeSttCodec,
    "vosk": VoskCodec,
    "whisper-live": WhisperLiveCodec,
    "whisper-live-kit": WhisperLiveKitCodec,
}
"""Protocols over a WebSocket: called with the URL, the options and the codec of a lost session."""
RESUMING = frozenset({"auricle"})
LIVE: dict[str, Callable[[str, dict[str, Any]], Driver]] = {
    "openai-files": OpenAiFiles,
    "wyoming": WyomingDriver,
}
"""Other protocols for live speech."""
FILES: dict[str, Callable[[str, dict[str, Any]], FileDriver]] = {
    "auricle-jobs": AuricleJobs,
    "openai-files": OpenAiFiles,
}
NAMES = frozenset(CODECS | LIVE | FILES)


def live(protocol: Protocol) -> Driver | None:
    """Return the driver of a protocol for live speech, or ``None`` if it only has files."""
    if protocol.driver in CODECS:
        codec = CODECS[protocol.driver]
        return WebSocketDriver(
            lambda lost: codec(protocol.url, protocol.options, lost),
            can_resume=protocol.driver in RESUMING,
        )
    driver = LIVE.get(protocol.driver)
    return driver and driver(protocol.url, protocol.options)


def files(protocol: Protocol) -> FileDriver | None:
    """Return the driver of a protocol for files, or ``None`` if it has none."""
    driver = FILES.get(protocol.driver)
    return driver and driver(protocol.url, protocol.options)
